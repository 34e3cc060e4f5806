"""From a frame to what a network is fed: the only crop and resize in the repository, for training too."""

from __future__ import annotations

import cv2
import numpy as np

from edge.contract import ClassifierContract, LocatorContract
from edge.values import Box, Rgb


def frame_input(rgb: Rgb, contract: LocatorContract) -> tuple[Rgb, float]:
    """The whole frame for the locator: scaled to fit with its shape kept, at the top left, the rest black.

    rgb: uint8 (H, W, 3). Returns uint8 (contract.height, contract.width, 3), and the scale that turns pixels of the
    frame into pixels of the input.
    """
    height, width = rgb.shape[:2]
    scale = min(contract.width / width, contract.height / height)
    fitted = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.zeros((contract.height, contract.width, 3), np.uint8)
    canvas[: fitted[1], : fitted[0]] = resize(rgb, *fitted)
    return canvas, scale


def face_input(rgb: Rgb, box: Box, contract: ClassifierContract) -> Rgb:
    """A square crop around a face for the classifier.

    rgb: uint8 (H, W, 3). The square is centred on the box; its side is the box's longer side and `contract.margin` of
    that more on each side; beyond the frame's border the border's pixels repeat.
    Returns uint8 (contract.size, contract.size, 3).
    """
    side = max(2, round(max(box.width, box.height) * (1 + 2 * contract.margin)))
    return square_input(rgb, *box.centre, side, contract.size)


def square_input(rgb: Rgb, centre_x: float, centre_y: float, side: int, size: int) -> Rgb:
    """The square of `side` pixels around a centre, as uint8 (size, size, 3); beyond the border the border repeats."""
    height, width = rgb.shape[:2]
    left, top = round(centre_x - side / 2), round(centre_y - side / 2)
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


def resize(rgb: cv2.typing.MatLike, width: int, height: int) -> Rgb:
    """Bilinear; by area where it shrinks to less than half, since bilinear skips pixels there."""
    shrinks = width * 2 < rgb.shape[1] or height * 2 < rgb.shape[0]
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR).astype(
        np.uint8, copy=False
    )
