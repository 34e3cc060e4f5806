"""From a frame to what a network is fed: the only crop and resize that feed one, in training too."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from edge.values import Box, Rgb


class Size(Protocol):
    """What the whole frame is made to fit; a LocatorContract says it, in pixels."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class Framing(Protocol):
    """How a face is cut out; a ClassifierContract says it."""

    @property
    def size(self) -> int: ...
    @property
    def margin(self) -> float: ...


def frame_input(rgb: Rgb, size: Size, canvas: Rgb | None = None) -> tuple[Rgb, float]:
    """The whole frame for the locator: scaled to fit with its shape kept, at the top left, the rest black.

    rgb: uint8 (H, W, 3). Returns uint8 (size.height, size.width, 3), and the scale that turns pixels of the
    frame into pixels of the input. canvas: such an array to write it into; None for a new one.
    """
    height, width = rgb.shape[:2]
    scale = min(size.width / width, size.height / height)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.empty((size.height, size.width, 3), np.uint8) if canvas is None else canvas
    canvas[rows:] = canvas[:, columns:] = 0
    resize(rgb, columns, rows, canvas[:rows, :columns])
    return canvas, scale


def face_input(rgb: Rgb, box: Box, framing: Framing) -> Rgb:
    """A square crop around a face for the classifier.

    rgb: uint8 (H, W, 3). The square is centred on the box; its side is the box's longer side and `framing.margin` of
    that more on each side; beyond the frame's border the border's pixels repeat.
    Returns uint8 (framing.size, framing.size, 3).
    """
    height, width = rgb.shape[:2]
    size, side = framing.size, max(2, round(max(box.width, box.height) * (1 + 2 * framing.margin)))
    left, top = (round(middle - side / 2) for middle in box.centre)
    x_min, x_max = np.clip((left, left + side), 0, width)
    y_min, y_max = np.clip((top, top + side), 0, height)
    if x_min == x_max or y_min == y_max:
        return np.zeros((size, size, 3), np.uint8)
    square: cv2.typing.MatLike = rgb[y_min:y_max, x_min:x_max]
    if square.shape[:2] != (side, side):
        beyond = y_min - top, top + side - y_max, x_min - left, left + side - x_max
        above, below, before, after = map(int, beyond)
        square = cv2.copyMakeBorder(square, above, below, before, after, cv2.BORDER_REPLICATE)
    return resize(square, size, size)


def resize(rgb: cv2.typing.MatLike, width: int, height: int, into: Rgb | None = None) -> Rgb:
    """Halved for as long as it is at least twice too large, then bilinear: so no pixel is skipped.

    At 800x600 and more that takes a third to an eighth of the time of one step by area, which is fast only for whole
    numbers. into: uint8 (height, width, 3), is written; None for a new array.
    """
    while (across := 1 + (rgb.shape[1] >= 2 * width)) * (down := 1 + (rgb.shape[0] >= 2 * height)) > 1:
        rows, columns = rgb.shape[0] // down, rgb.shape[1] // across
        rgb = cv2.resize(rgb[: rows * down, : columns * across], (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(rgb, (width, height), into, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
