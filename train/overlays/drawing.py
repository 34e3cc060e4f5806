"""What every drawing over a face needs: where the face is, its light and its sharpness, shapes, cloth, and the pasting.

Face coordinates: x is -1 at the left edge of the box, 0 on the nose, 1 at the right edge; y is 0 at the brow, 1 at
the chin. The eyes lie at 0.39, the tip of the nose at 0.60 (5 to 95 %: 0.51 to 0.68), the mouth at 0.74 (0.67 to
0.81): a landmark detector's on 780 bare faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.values import Box, Rgb
from train.augment import Chance

T = TypeVar("T")

Plane = NDArray[np.float32]
"""float32 (S, S): a value for every pixel of the crop."""

Colours = NDArray[np.float32]
"""float32 (3, S, S) or (3, 1, 1), red, green, blue: share of white light that a surface gives back, 0 to 1."""

Points = Sequence[tuple[float, float]]
"""(x, y), face coordinates."""


def pose_of(rgb: Rgb, face: Box) -> tuple[float, float]:
    """How a face is held: where its nose lies between the cheeks, -0.6 to 0.6, and its tilt, radians.

    Eyes, nostrils and mouth are dark, narrow and level: their middle moves towards the side that the face is turned
    to, and the eyes' slope is the tilt. Correlation with a landmark detector's on 780 faces: 0.81 and 0.54; what is
    left scatters by 0.23 half-widths and 8 degrees.
    """
    grey = _small(rgb, face, side=32)
    narrow = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((7, 7), np.uint8)).astype(np.float32)
    level = np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    where = (np.arange(32, dtype=np.float32) + 0.5) / 16 - 1
    below_brow, eyes, inside = slice(9, 27), slice(5, 17), slice(2, 30)
    x = where[inside]
    middles = [float(_share(part[below_brow, inside]).sum(0) @ x) for part in (narrow, level)]
    weight = _share(narrow[eyes, inside])
    aside = x - float(weight.sum(0) @ x)
    slope = float(where[eyes] @ weight @ aside) / max(float(weight.sum(0) @ aside**2), 0.01)
    turn = np.clip(1.66 * middles[0] + 0.81 * middles[1], -0.6, 0.6)
    return float(turn), float(np.arctan(np.clip(0.84 * slope * face.height / face.width, -0.4, 0.4)))


def _small(rgb: Rgb, face: Box, side: int) -> cv2.typing.MatLike:
    """The face's box alone, grey, `side` pixels high and wide."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.6, 0.35 * face.width / side))
    x, y = side / face.width, side / face.height
    move = np.array([[x, 0, (0.5 - face.x_min) * x - 0.5], [0, y, (0.5 - face.y_min) * y - 0.5]])
    return cv2.warpAffine(grey, move, (side, side), borderMode=cv2.BORDER_REPLICATE)


def _share(weights: Plane) -> Plane:
    return weights / max(float(weights.sum()), 1.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """A face to draw on.

    rgb: uint8 (S, S, 3). face: its box in pixels. turn, roll: see `pose_of`.
    x, y: face coordinates of every pixel. light: what white cloth would show there, 0 to about 1.2.
    tint: the lamps' colour. colour: 0 in a grey picture, 1 in a colourful one.
    blur: how far the picture's edges are smeared, standard deviation in pixels.
    """

    rgb: Rgb
    face: Box
    turn: float
    roll: float
    x: Plane
    y: Plane
    light: Plane
    tint: Colours
    colour: float
    blur: float

    @property
    def size(self) -> int:
        return int(self.rgb.shape[0])

    def place(self, points: Points | NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 2) in face coordinates: as if on a cylinder turned to the side, then tilted."""
        given = np.asarray(points, np.float64)
        bulge = self.turn * np.maximum(0, 1 - given[:, 0] ** 2)
        flat = np.stack([(given[:, 0] + bulge) * self.face.width / 2, (given[:, 1] - 0.5) * self.face.height], axis=1)
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        placed: NDArray[np.float64] = flat @ np.array([[cos, sin], [-sin, cos]]) + self.face.centre
        return placed


def look_at(rgb: Rgb, face: Box, chance: Chance) -> Scene:
    """Estimate what a drawing must fit, a little shaken."""
    turn, roll = pose_of(rgb, face)
    turn = float(np.clip(turn + chance.normal(0, 0.04), -0.45, 0.45))
    roll += chance.normal(0, 0.05)
    x, y = _face_coordinates(rgb.shape[0], face, turn, roll)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    mean = cv2.mean(rgb)[:3]
    tint = ((np.array(mean, np.float32) + 20) / (sum(mean) / 3 + 20)).reshape(3, 1, 1)
    return Scene(
        rgb=rgb, face=face, turn=turn, roll=roll, x=x, y=y,
        light=_light(grey, face, chance),
        tint=np.clip(tint, 0.7, 1.3) ** np.float32(0.4),
        colour=float(np.clip((_spread(rgb) - 3) / 8, 0, 1)),
        blur=_smear(grey) * chance.uniform(0.85, 1.15),
    )  # fmt: skip


def _face_coordinates(size: int, face: Box, turn: float, roll: float) -> tuple[Plane, Plane]:
    column, row = np.arange(size, dtype=np.float32) - face.centre[0], np.arange(size, dtype=np.float32) - face.centre[1]
    cos, sin = np.float32(np.cos(roll)), np.float32(np.sin(roll))
    across = (column[None] * cos + row[:, None] * sin) * np.float32(2 / face.width)
    down = (row[:, None] * cos - column[None] * sin) / np.float32(face.height) + np.float32(0.5)
    bulge = np.float32(turn if abs(turn) > 0.01 else 0.01)
    on_face = (1 - np.sqrt(np.maximum(0, 1 - 4 * bulge * (across - bulge)))) / (2 * bulge)
    return np.where(np.abs(across) < 1, on_face, across).astype(np.float32), down.astype(np.float32)


def _spread(rgb: Rgb) -> float:
    small = cv2.resize(rgb, (16, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    return float((small.max(axis=2) - small.min(axis=2)).mean())


def _light(grey: cv2.typing.MatLike, face: Box, chance: Chance) -> Plane:
    """The exposure from the brightest parts of crop and face, the shading from the face without its features."""
    size = grey.shape[0]
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    ends = np.clip(np.array(face) * 32 / size, 0, 32).astype(int)
    inside = small[ends[1] : max(ends[3], ends[1] + 2), ends[0] : max(ends[2], ends[0] + 2)]
    inside = inside if inside.size else small
    bright, brightest = (np.sort(part, axis=None)[int(part.size * 0.94)] for part in (inside, small))
    exposure = (0.65 * bright + 0.35 * brightest) / 0.75 * chance.uniform(0.85, 1.25)
    shading = cv2.GaussianBlur(small, (0, 0), max(2.0, face.width / size * 32 * 0.2)) / max(float(inside.mean()), 0.02)
    shading = np.clip(exposure, 0.12, 1.05) * (0.45 + 0.55 * np.clip(shading, 0.4, 1.3))
    return np.asarray(cv2.resize(shading, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _smear(grey: cv2.typing.MatLike) -> float:
    """How blurred, pixels: 1.5 more divide the curvature of an edge smeared by s by sqrt(1 + 1.5 ** 2 / s ** 2)."""
    plain = grey.astype(np.float32)
    both = plain, cv2.GaussianBlur(plain, (0, 0), 1.5)
    once, twice = (np.abs(cv2.Laplacian(each, cv2.CV_32F)).mean() for each in both)
    ratio = max(float(once) / max(float(twice), 0.01), 1.02)
    return float(np.clip(1.5 / np.sqrt(ratio**2 - 1), 0.5, 4.0))


class Drawing:
    """Surfaces laid over one another before they are lit, blurred and pasted together.

    cover: Plane, how much of the picture they hide. colours: float32 (3, S, S), of what hides it, times `cover`.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.cover = np.zeros((scene.size, scene.size), np.float32)
        self.colours = np.zeros((3, scene.size, scene.size), np.float32)

    def lay(self, shape: Plane, colours: Colours) -> None:
        """Lay a surface on top. shape: 0 to 1."""
        x, y, width, height = cv2.boundingRect((shape > 0).astype(np.uint8))
        window = slice(y, y + height), slice(x, x + width)
        part, below = shape[window], self.colours[:, *window]
        self.cover[window] += (1 - self.cover[window]) * part
        below += ((colours[:, *window] if colours.shape[1] > 1 else colours) - below) * part

    def shade(self, factor: Plane) -> None:
        """Brighten or darken everything so far."""
        self.colours *= factor

    def paste(self, chance: Chance, shadow: float = 0.3) -> Rgb:
        """The picture with the drawing in it: lit and tinted alike, as blurred and as grainy, with a soft shadow."""
        scene, size = self.scene, (self.scene.size, self.scene.size)
        lit = self.colours * (scene.light * np.float32(255))
        lit *= scene.tint
        if scene.colour < 1:
            grey = lit.mean(axis=0)
            lit = grey + (lit - grey) * np.float32(scene.colour)
        grain = chance.standard_normal((scene.size // 2, scene.size // 2), np.float32)
        lit += (
            np.float32(chance.uniform(0.5, 3.0)) * cv2.resize(grain, size, interpolation=cv2.INTER_LINEAR) * self.cover
        )
        layers = cv2.GaussianBlur(cv2.merge([*lit, self.cover]), (0, 0), scene.blur)
        hidden = layers[..., 3]
        reach = scene.face.height * 0.03
        move = np.array([[1, 0, chance.uniform(-1, 1) * reach], [0, 1, reach]])
        shade = cv2.GaussianBlur(cv2.warpAffine(hidden, move, size), (0, 0), max(1.0, reach))
        kept = cv2.merge([(1 - hidden) * (1 - np.float32(shadow) * shade)] * 3)
        return (scene.rgb * kept + layers[..., :3]).clip(0, 255).astype(np.uint8)


def smooth(points: Points | NDArray[np.float64], rounds: int = 2, closed: bool = True) -> NDArray[np.float64]:
    """Corners cut off `rounds` times (Chaikin's algorithm): points (N, 2) in, more points out."""
    line: NDArray[np.float64] = np.asarray(points, np.float64)
    for _ in range(rounds):
        after = np.roll(line, -1, axis=0) if closed else line[1:]
        before = line if closed else line[:-1]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1)
        line = cut.reshape(len(cut) * 2, 2)
    return line


def fill(size: int, pixels: NDArray[np.float64]) -> Plane:
    """A polygon, (N, 2) pixels, with soft edges: Plane of 0 to 1."""
    shape = np.zeros((size, size), np.uint8)
    cv2.fillPoly(shape, [np.round(pixels.clip(-2000, 2000) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return (shape / 255).astype(np.float32)


def stroke(size: int, lines: Sequence[NDArray[np.float64]], width: float) -> Plane:
    """Open lines through (N, 2) pixels each, `width` pixels wide; thinner than one is fainter."""
    shape = np.zeros((size, size), np.uint8)
    points = [np.round(line.clip(-2000, 2000) * 16).astype(np.int32) for line in lines]
    cv2.polylines(shape, points, False, 255, max(1, round(width)), cv2.LINE_AA, 4)
    return (shape * (min(1.0, width) / 255)).astype(np.float32)


def capsule(size: int, start: NDArray[np.float64], end: NDArray[np.float64], radius: float) -> tuple[Plane, Plane]:
    """A bar with round ends between two pixels: its shape, 0 to 1, and how much it faces the viewer, 0 to 1."""
    along = np.asarray(end - start, np.float32)
    pixels = np.arange(size, dtype=np.float32)
    x, y = pixels[None] - np.float32(start[0]), pixels[:, None] - np.float32(start[1])
    part = ((x * along[0] + y * along[1]) / max(float(along @ along), 1e-6)).clip(0, 1)
    distance = np.sqrt((x - part * along[0]) ** 2 + (y - part * along[1]) ** 2) / np.float32(radius)
    shape = ((1 - distance) * np.float32(radius) + np.float32(0.5)).clip(0, 1)
    return shape.astype(np.float32, copy=False), np.sqrt((1 - distance**2).clip(0, 1))


def ellipse(x: Plane, y: Plane, soft: float = 0.08) -> Plane:
    """1 within the unit circle of the coordinates, 0 outside."""
    return ((1 - np.sqrt(x * x + y * y)) / np.float32(soft) + 0.5).clip(0, 1).astype(np.float32)


def cloudy(size: int, across: int, down: int, chance: Chance) -> Plane:
    """Smooth noise around 0, most within -1 to 1, with so many cells across and down."""
    cells = chance.standard_normal((down + 1, across + 1), np.float32) * np.float32(0.6)
    return np.asarray(cv2.resize(cells, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def one_of(choices: Sequence[tuple[T, float]], chance: Chance) -> T:
    """One of (thing, weight)."""
    weights = np.array([weight for _, weight in choices])
    return choices[chance.choice(len(choices), p=weights / weights.sum())][0]


def step(values: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, smooth between; the other way round where low is above high."""
    part = ((values - np.float32(low)) / np.float32(high - low)).clip(0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)
