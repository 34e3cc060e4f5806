"""A sheet that things are drawn on before they are laid over a face: soft, lit and as sharp as the picture below.

Places on it are in face heights: x from the middle of the face's box to the right, y from its upper edge down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.values import Box, Rgb

Plane = NDArray[np.floating[Any]]
Point = tuple[float, float]

UNIT = 160  # pixels of the sheet for a face's height
LEFT, TOP, WIDTH, HEIGHT = -1.1, -0.3, 2.2, 2.2  # what it spans, in face heights
LIGHT = np.array([-0.35, -0.6, 0.72])  # from above, a little from the left


class Layer:
    """Colour, uint8-like floats (H, W, 3); cover, 0 to 1 (H, W); relief, face heights towards the camera (H, W)."""

    def __init__(self) -> None:
        shape = round(HEIGHT * UNIT), round(WIDTH * UNIT)
        self.colour: Plane = np.zeros((*shape, 3), np.float32)
        self.cover: Plane = np.zeros(shape, np.float32)
        self.relief: Plane = np.zeros(shape, np.float32)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        self.x, self.y = x / UNIT + LEFT, y / UNIT + TOP

    def outline(self, points: Sequence[Point], soft: float = 0.01) -> Plane:
        """The inside of a closed smooth curve through the points, 0 to 1, its edge `soft` face heights wide."""
        mask = np.zeros(self.cover.shape, np.uint8)
        dots = (np.array(_smooth(points)) - (LEFT, TOP)) * UNIT * 16
        cv2.fillPoly(mask, [np.round(dots).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return np.float32(1 / 255) * np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, soft * UNIT)), np.float32)

    def capsule(self, start: Point, end: Point, thick: float, thin: float) -> tuple[Plane, Plane]:
        """A rounded stick from `start` (radius `thick`) to `end` (radius `thin`): its inside 0 to 1, its relief."""
        along = np.array(end) - start
        t = np.clip(((self.x - start[0]) * along[0] + (self.y - start[1]) * along[1]) / (along @ along), 0, 1)
        away = np.hypot(self.x - start[0] - t * along[0], self.y - start[1] - t * along[1])
        radius = thick + (thin - thick) * t
        inside = np.clip((radius - away) * UNIT + 0.5, 0, 1)
        return inside.astype(np.float32), np.sqrt(np.clip(radius**2 - away**2, 0, None)).astype(np.float32)

    def put(self, inside: Plane, colour: Plane | Sequence[float], relief: Plane | float = 0.0) -> None:
        """Lay something over what is there; `colour` for all or (H, W, 3)."""
        share = inside[..., None]
        self.colour = self.colour * (1 - share) + np.asarray(colour, np.float32) * share
        self.relief = self.relief * (1 - inside) + np.asarray(relief, np.float32) * inside
        self.cover = np.maximum(self.cover, inside)

    def lit(self, strength: float = 0.8) -> Plane:
        """The colour under a light from above left, by the slopes of the relief; what lies deep is darker."""
        relief = np.asarray(cv2.GaussianBlur(self.relief, (0, 0), 1.2) * UNIT, np.float32)
        slope_x, slope_y = (cv2.Sobel(relief, cv2.CV_32F, *order, scale=0.125) for order in ((1, 0), (0, 1)))
        steep = np.sqrt(slope_x**2 + slope_y**2 + 1)
        light = (LIGHT[2] - LIGHT[0] * slope_x - LIGHT[1] * slope_y) / steep / LIGHT[2]
        deep = np.clip((cv2.GaussianBlur(relief, (0, 0), 0.03 * UNIT) - relief) / (0.03 * UNIT), 0, 0.6)
        shade = (1 + strength * (np.clip(light, 0.15, 1.5) - 1)) * (1 - deep)
        return np.asarray(self.colour * shade[..., None], np.float32)


def paste(rgb: Rgb, box: Box, layer: Layer, lean: float = 0.0, shadow: float = 0.35) -> Rgb:
    """The picture with the layer over the face, turned by `lean` degrees about the face's middle; uint8 (H, W, 3).

    The layer takes the face's light: its brightness, and which side is brighter. Its edges become as soft as the
    picture is, and it casts a shadow of the given strength.
    """
    left, top = (max(0, round(middle - 1.4 * box.height)) for middle in box.centre)
    right, bottom = (max(0, round(middle + 1.4 * box.height)) for middle in box.centre)
    drawn = rgb.copy()
    near = Box(box.x_min - left, box.y_min - top, box.x_max - left, box.y_max - top)
    drawn[top:bottom, left:right] = _laid(rgb[top:bottom, left:right], near, layer, lean, shadow)
    return drawn


def exposure(luma: cv2.typing.MatLike) -> float:
    """How bright a face is lit, about 0.25 to 1.15, by the luma of its pixels, 0 to 255."""
    return float(np.clip((np.percentile(luma, 80) / 190) ** 0.8, 0.25, 1.15))


def _laid(rgb: Rgb, box: Box, layer: Layer, lean: float, shadow: float) -> Rgb:
    scale, middle = box.height / UNIT, (-LEFT * UNIT, (0.5 - TOP) * UNIT)
    turn = np.asarray(cv2.getRotationMatrix2D(middle, lean, scale), np.float64)
    turn[:, 2] += np.array(box.centre) - middle
    soft = max(0.6, 0.45 / scale)
    flat = layer.lit() * layer.cover[..., None], layer.cover
    blur = _softness(rgb, box)
    colour, cover = (
        cv2.GaussianBlur(_warp(cv2.GaussianBlur(each, (0, 0), soft), turn, rgb), (0, 0), blur) for each in flat
    )
    dark = cv2.GaussianBlur(np.roll(cover, round(0.02 * box.height), axis=0), (0, 0), 0.03 * box.height + 0.3)
    below = rgb * (1 - shadow * dark * (1 - cover))[..., None]
    laid = colour * _light(rgb, box)[..., None] + (_grain(rgb, box) * cover)[..., None]
    return np.clip(below * (1 - cover)[..., None] + laid, 0, 255).astype(np.uint8)


def _warp(plane: cv2.typing.MatLike, turn: NDArray[np.float64], rgb: Rgb) -> Plane:
    return np.asarray(cv2.warpAffine(plane, turn, rgb.shape[1::-1], flags=cv2.INTER_LINEAR), np.float32)


def _light(rgb: Rgb, box: Box) -> Plane:
    """How bright the face is, by place, against one in good light: float32 (H, W), about 0.3 to 1.2."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # blurred small, which is as good and much faster
    few = max(1, round(luma.shape[1] * 32 / box.height)), max(1, round(luma.shape[0] * 32 / box.height))
    smooth = cv2.resize(
        cv2.GaussianBlur(cv2.resize(luma, few, interpolation=cv2.INTER_AREA), (0, 0), 10), luma.shape[::-1]
    )
    inner = _inside(smooth, box)
    level = exposure(_inside(luma, box))
    return np.asarray(level * np.clip(smooth / (np.median(inner) + 1), 0.6, 1.4) ** 0.7, np.float32)


def _softness(rgb: Rgb, box: Box) -> float:
    """Width, in pixels, of the blur that takes a sharp edge to the sharpest edges of the face."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    face = _inside(luma, box)
    slopes = np.abs(np.diff(face, axis=0))
    reach = np.percentile(face, 98) - np.percentile(face, 2) + 5
    return float(np.clip(0.4 * reach * 0.6 / (np.percentile(slopes, 99.5) + 1), 0.5, 0.03 * box.height + 0.5))


def _grain(rgb: Rgb, box: Box) -> Plane:
    """Noise as strong as the finest of the face, the same for the same picture: float32 (H, W)."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = _inside(luma - cv2.GaussianBlur(luma, (0, 0), 1.0), box)
    strength = min(6.0, float(np.median(np.abs(fine))) * 1.5)
    return np.asarray(np.random.default_rng(rgb.shape[0]).normal(0, strength, rgb.shape[:2]), np.float32)


def _inside(plane: Any, box: Box) -> Any:
    """What of a plane lies in the box."""
    left, top, right, bottom = (max(0, round(side)) for side in box)
    return plane[top:bottom, left:right]


def _smooth(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """A closed curve through the points (Catmull and Rom)."""
    p = np.array(points, float)
    before, here, after, later = (np.roll(p, shift, axis=0) for shift in (1, 0, -1, -2))
    curve = []
    for t in np.arange(steps) / steps:
        curve.append(
            0.5 * (2 * here + (after - before) * t + (2 * before - 5 * here + 4 * after - later) * t**2)
            + 0.5 * (3 * here - before - 3 * after + later) * t**3
        )
    return [tuple(each) for each in np.stack(curve, axis=1).reshape(-1, 2)]
