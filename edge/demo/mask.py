"""A drawn surgical mask, fitted to a known face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Layer = Floats
"""A picture with its coverage: float32 (height, width, 4); red, green, blue (0 to 255) times coverage (0 to 1)."""
Curve = tuple[tuple[float, float], ...]

CLOTH = np.array((150, 196, 214), np.float32)
PLEATS = (0.3, 0.5, 0.7)
"""How far down the mask its folds lie, 0 at the upper edge to 1 at the lower."""


@dataclass(frozen=True)
class MaskShape:
    """How a mask sits on one face; all coordinates in pixels of the portrait, x and y.

    top, bottom: points along the upper and lower edge, both from the left cheek to the right.
    ears: where the loops go round the left and the right ear.
    """

    top: Curve
    bottom: Curve
    ears: tuple[tuple[float, float], tuple[float, float]]


def draw_mask(shape: MaskShape, size: tuple[int, int]) -> Layer:
    """The mask with its loops, as a layer for a portrait of size (height, width)."""
    across, down, cloth = _cloth(shape, size)
    loops = (1 - cloth) * _loops(shape, size)
    colour = CLOTH * (_light(across, down) * cloth)[..., np.newaxis] + 235.0 * loops[..., np.newaxis]
    return np.dstack([colour, cloth + loops]).astype(np.float32)


def put_on(person: Layer, mask: Layer, lower: float) -> Layer:
    """The person with the mask over them, `lower` pixels below its place; its soft shadow falls on the person alone."""
    worn, shadow = _shifted(mask, lower), _shifted(_shadow(mask), lower)
    shaded = person.copy()
    shaded[..., :3] *= (1 - shadow)[..., np.newaxis]
    return worn + shaded * (1 - worn[..., 3:])


def _cloth(shape: MaskShape, size: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """Of each pixel: how far across (-1 to 1) and down (0 to 1) the cloth it lies, and how far the cloth covers it."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    left, right = shape.top[0][0], shape.top[-1][0]
    upper, lower = _smooth(shape.top, x), _smooth(shape.bottom, x)
    across = np.clip(2 * (x - left) / (right - left) - 1, -1, 1)
    down = np.clip((y - upper) / np.maximum(lower - upper, 1), 0, 1)
    sides = np.clip(x - left + 0.5, 0, 1) * np.clip(right - x + 0.5, 0, 1)
    return across, down, sides * np.clip(y - upper + 0.5, 0, 1) * np.clip(lower - y + 0.5, 0, 1)


def _smooth(curve: Curve, x: Floats) -> Floats:
    """The height of a smooth line through the points of a curve, at each x."""
    places, heights = np.array(curve, np.float64).T
    line = np.polynomial.Polynomial.fit(places, heights, len(curve) - 1)
    return np.asarray(line(np.clip(x, places[0], places[-1])), np.float32)


def _light(across: Floats, down: Floats) -> Floats:
    """Brightness, about 0.5 to 1.2: round like a face, a bright nose ridge, folds, a stitched upper edge, weave."""
    light = 1.06 - 0.3 * np.abs(across) ** 2.2 - 0.22 * np.clip(down - 0.62, 0, 1) ** 1.2
    light += 0.12 * np.exp(-((across / 0.22) ** 2) - ((down - 0.25) / 0.25) ** 2)
    for pleat in PLEATS:
        light -= 0.2 * np.exp(-(((down - pleat) / 0.022) ** 2))
        light += 0.08 * np.exp(-(((down - pleat - 0.06) / 0.035) ** 2))
    light += np.where(down < 0.07, 0.1, 0.0) - 0.12 * np.exp(-(((down - 0.085) / 0.014) ** 2))
    weave = np.random.default_rng(7).normal(0, 0.012, across.shape)
    return np.asarray(light + weave, np.float32)


def _loops(shape: MaskShape, size: tuple[int, int]) -> Floats:
    """Coverage of the two elastic loops, from the corners of the cloth round the ears."""
    drawn = np.zeros((size[0] * 4, size[1] * 4), np.uint8)
    for corner, ear in ((0, shape.ears[0]), (-1, shape.ears[1])):
        upper, lower = np.array(shape.top[corner]), np.array(shape.bottom[corner])
        for start in (upper, lower):
            middle = (start + ear) / 2 + (0, 0.12 * abs(lower[1] - ear[1]))
            points = np.array([start, middle, ear]).round(2) * 4 + 2
            cv2.polylines(drawn, [_bend(points)], False, 255, 6, cv2.LINE_AA)
    coverage = cv2.resize(drawn, size[::-1], interpolation=cv2.INTER_AREA) / 255
    return np.asarray(coverage, np.float32)


def _bend(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """A quadratic Bezier curve with these three control points, as pixels."""
    t = np.linspace(0, 1, 16)[:, np.newaxis]
    curve = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
    return np.asarray(curve.round(), np.int32)


def _shadow(mask: Layer) -> Floats:
    """How much the mask darkens what lies under and just below it, 0 to 1."""
    return np.asarray(0.38 * cv2.GaussianBlur(_shifted(mask[..., 3], 2.5), (0, 0), 3.0), np.float32)


def _shifted(picture: Floats, lower: float) -> Floats:
    down = np.array([[1, 0, 0], [0, 1, lower]], np.float32)
    return np.asarray(cv2.warpAffine(picture, down, picture.shape[1::-1]), np.float32)
