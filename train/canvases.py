"""Frames for the locator, put together by chance: scenes, faces pasted onto face-free pictures, and face-free pictures.

A canvas is uint8 (height, width, 3) with rows x_min, y_min, x_max, y_max, kind in pixels of the canvas; kind is ASKED
or SPARED (a real face that is too small or too far outside to be asked for).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from edge.picture import read_picture
from edge.preprocess import frame_input, resize
from edge.values import Box, Rgb
from train.augment import FRAME_STEPS, Chance, augment, flip
from train.crops import face_alone
from train.datasets import CROPS, FACES, NEGATIVES, SCENES, Picture
from train.pools import Pool, shares
from train.readers import FACE, IGNORE, LabelledBox

ASKED, PADDING, SPARED = 1.0, 0.0, -1.0  # a face to find; no row; neither face nor background
MOST_FACES = 24
LEAST_SIDE = 6.0  # pixels of the canvas
LEAST_VISIBLE = 0.4  # of a face's area
SHARES = {NEGATIVES: 0.20, FACES: 0.20, SCENES: 0.60}
HARD = 0.5  # of the face-free canvases
TURNED = 0.3  # of all canvases

Row = tuple[float, float, float, float, float]


class FrameSize(NamedTuple):
    """Pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Canvas:
    rgb: Rgb
    rows: tuple[Row, ...]


class Frames:
    """Makes canvases of a size from pictures.

    hard: boxes, by a face-free picture's path, of what an earlier locator took for a face there.
    """

    def __init__(self, pictures: Sequence[Picture], size: FrameSize, hard: Mapping[Path, Sequence[Box]]) -> None:
        self._size = size
        self._hard = [(path, box) for path, boxes in sorted(hard.items()) for box in boxes]
        boxed = [picture for picture in pictures if picture.boxes]
        alone = [picture for picture in pictures if picture.kind == CROPS]
        self._pools = {
            kind: Pool([*(each for each in some if each.kind == kind), *more], lambda picture: picture.source)
            for kind, some, more in ((NEGATIVES, pictures, []), (FACES, boxed, alone), (SCENES, boxed, []))
        }
        needed = {NEGATIVES: [NEGATIVES], FACES: [NEGATIVES, FACES], SCENES: [SCENES]}
        self._kinds = [kind for kind in SHARES if all(self._pools[each] for each in needed[kind])]
        self._weights = shares([SHARES[kind] for kind in self._kinds])

    def one(self, chance: Chance) -> Canvas:
        """A canvas as chance has it."""
        make = {NEGATIVES: self._free, FACES: self._pasted, SCENES: self._scene}
        canvas = make[self._kinds[chance.choice(len(self._kinds), p=self._weights)]](chance)
        if chance.random() < 0.5:
            canvas = mirrored(canvas, chance)
        if chance.random() < TURNED:
            canvas = turned(canvas, chance)
        return Canvas(augment(canvas.rgb, FRAME_STEPS, chance), canvas.rows)

    def whole(self, picture: Picture) -> Canvas:
        """The picture as the device would see it."""
        rgb, scale = frame_input(read_picture(picture.path), self._size)
        boxes = [(Box(*(side * scale for side in each.box)), each.label) for each in picture.boxes]
        return Canvas(rgb, visible_rows(boxes, *self._size))

    def _scene(self, chance: Chance) -> Canvas:
        picture = self._pools[SCENES].one(chance)
        if chance.random() < 0.25:
            return self.whole(picture)
        return self._zoomed(picture, chance)

    def _zoomed(self, picture: Picture, chance: Chance) -> Canvas:
        """A window of the picture in which a random face is 14 to 75 % of the height."""
        rgb = read_picture(picture.path)
        faces = [each.box for each in picture.boxes if each.label != IGNORE] or [picture.boxes[0].box]
        window = self._window(faces[chance.integers(len(faces))], rgb, chance)
        boxes = [(_within(each.box, window, *self._size), each.label) for each in picture.boxes]
        return Canvas(cut_window(rgb, window, *self._size), visible_rows(boxes, *self._size))

    def _window(self, box: Box, rgb: Rgb, chance: Chance) -> Box:
        """A window in which the box is 14 to 110 % of the height, anywhere, at times cut off by the border."""
        height = box.height / np.exp(chance.uniform(np.log(0.14), np.log(1.1)))
        width = height * self._size[0] / self._size[1] * chance.uniform(0.87, 1.15)
        x = box.centre[0] - width * chance.uniform(0.08, 0.92)
        y = box.centre[1] - height * chance.uniform(0.12, 0.88)
        if chance.random() < 0.7:
            x, y = _inside(x, width, rgb.shape[1]), _inside(y, height, rgb.shape[0])
        return Box(x, y, x + width, y + height)

    def _free(self, chance: Chance) -> Canvas:
        """A face-free canvas, often of what looks like a face."""
        if not self._hard or chance.random() >= HARD:
            return self._empty(chance)
        path, box = self._hard[chance.integers(len(self._hard))]
        rgb = read_picture(path)
        return Canvas(cut_window(rgb, self._window(box, rgb, chance), *self._size), ())

    def _empty(self, chance: Chance) -> Canvas:
        rgb = read_picture(self._pools[NEGATIVES].one(chance).path)
        side = chance.uniform(0.35, 1.1)
        width, height = rgb.shape[1] * side, rgb.shape[0] * side
        x, y = (
            chance.uniform(*sorted((0, full - part))) for full, part in ((rgb.shape[1], width), (rgb.shape[0], height))
        )
        return Canvas(cut_window(rgb, Box(x, y, x + width, y + height), *self._size), ())

    def _pasted(self, chance: Chance) -> Canvas:
        """One to three face pictures on a face-free one, side by side, each face 15 to 95 % of the height."""
        rgb, count, boxes = self._empty(chance).rgb.copy(), chance.integers(1, 4), []
        column = self._size[0] / count
        for k in range(count):
            picture = self._pools[FACES].one(chance)
            face = read_picture(picture.path)
            inside = picture.boxes or (LabelledBox(FACE, shown(face_alone(face), face)),)
            wanted = self._size[1] * np.exp(chance.uniform(np.log(0.15), np.log(0.95)))
            scale = wanted / inside[0].box.height
            scale = min(scale, 0.98 * column / face.shape[1], 0.98 * self._size[1] / face.shape[0])
            face = resize(face, max(2, int(face.shape[1] * scale)), max(2, int(face.shape[0] * scale)))
            left = int(k * column + chance.uniform(0, column - face.shape[1]))
            top = int(chance.uniform(0, self._size[1] - face.shape[0]))
            rgb[top : top + face.shape[0], left : left + face.shape[1]] = face
            for each in inside:
                x_min, y_min, x_max, y_max = (side * scale for side in each.box)
                boxes.append((Box(x_min + left, y_min + top, x_max + left, y_max + top), each.label))
        return Canvas(rgb, visible_rows(boxes, *self._size))


def has_scenes(pictures: Sequence[Picture]) -> bool:
    """Whether there is a scene whose faces have boxes: without any there is no locator to train."""
    return any(picture.kind == SCENES and picture.boxes for picture in pictures)


def shown(box: Box, rgb: Rgb) -> Box:
    """The part of a box that lies in the picture."""
    height, width = rgb.shape[:2]
    return Box(max(box.x_min, 0.0), max(box.y_min, 0.0), min(box.x_max, width), min(box.y_max, height))


def cut_window(rgb: Rgb, window: Box, width: int, height: int) -> Rgb:
    """The window of a picture at a size; black beyond the picture's border, as beside a frame that is letterboxed."""
    x_min, y_min, x_max, y_max = (round(side) for side in window)
    x_max, y_max = max(x_max, x_min + 2), max(y_max, y_min + 2)
    canvas = np.zeros((y_max - y_min, x_max - x_min, 3), np.uint8)
    part = rgb[max(0, y_min) : max(0, y_max), max(0, x_min) : max(0, x_max)]
    top, left = max(0, -y_min), max(0, -x_min)
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return resize(canvas, width, height)


def _inside(start: float, length: float, full: int) -> float:
    """Where a window has to start so as not to leave the picture, if it can be so."""
    return min(max(start, 0.0), full - length) if length < full else start


def _within(box: Box, window: Box, width: int, height: int) -> Box:
    """A box of the picture in pixels of the window's canvas."""
    scale_x, scale_y = width / window.width, height / window.height
    return Box(
        (box.x_min - window.x_min) * scale_x, (box.y_min - window.y_min) * scale_y,
        (box.x_max - window.x_min) * scale_x, (box.y_max - window.y_min) * scale_y,
    )  # fmt: skip


def turned(canvas: Canvas, chance: Chance) -> Canvas:
    """Turned by up to 30 degrees around the centre, as heads bend and cameras hang; black comes in at the corners.

    A box keeps its size, since a face is about as wide as high, and moves with its centre; it is cut at the border.
    """
    height, width = canvas.rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), chance.uniform(-30, 30), 1.0)
    rgb = np.asarray(cv2.warpAffine(canvas.rgb, matrix, (width, height)), np.uint8)
    rows = []
    for x_min, y_min, x_max, y_max, kind in canvas.rows:
        x, y = matrix @ ((x_min + x_max) / 2, (y_min + y_max) / 2, 1.0)
        moved = Box(x - (x_max - x_min) / 2, y - (y_max - y_min) / 2, x + (x_max - x_min) / 2, y + (y_max - y_min) / 2)
        rows += visible_rows([(moved, FACE if kind == ASKED else IGNORE)], width, height)
    return Canvas(rgb, tuple(rows))


def visible_rows(boxes: Sequence[tuple[Box, str]], width: int, height: int) -> tuple[Row, ...]:
    """Rows of the boxes that show, cut at the border; the largest first, MOST_FACES at most."""
    rows: list[Row] = []
    for box, label in boxes:
        seen = Box(max(box.x_min, 0.0), max(box.y_min, 0.0), min(box.x_max, width), min(box.y_max, height))
        if seen.width < 1 or seen.height < 1:
            continue
        share = seen.width * seen.height / (box.width * box.height)
        clear = label != IGNORE and min(seen.width, seen.height) >= LEAST_SIDE and share >= LEAST_VISIBLE
        rows.append((*seen, ASKED if clear else SPARED))
    return tuple(sorted(rows, key=lambda row: (row[0] - row[2]) * (row[3] - row[1]))[:MOST_FACES])


def mirrored(canvas: Canvas, chance: Chance) -> Canvas:
    """Left becomes right, boxes too."""
    width = canvas.rgb.shape[1]
    rows = tuple((width - x_max, y_min, width - x_min, y_max, kind) for x_min, y_min, x_max, y_max, kind in canvas.rows)
    return Canvas(flip(canvas.rgb, chance), rows)
