"""The bench's fixed input, made by code: a room, drawn people who sway a little, and a sensor's noise.

The shipped networks find the drawn faces as surely as real ones. Nothing but OpenCV and numpy is needed, so every
device measures the same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.buffers import Buffers
from edge.picture import to_rgb
from edge.values import Frame, Rgb

RATE, PICTURES = 15, 30
"""Pictures a second of the scene's own time, and how many before they begin anew."""
NOISE = 3.0
"""Standard deviation, in grey levels."""
QUALITY = 90
"""Of the JPEG files in which a USB camera hands over its pictures."""
MOST_FACES = 16

Colour = tuple[int, int, int]
WALL, FLOOR = (178, 176, 170), (120, 110, 100)
SKINS = ((224, 182, 156), (198, 152, 122), (150, 108, 84), (214, 170, 142))
HAIR, SHIRT, MASK, STRAP = (58, 42, 32), (52, 70, 110), (120, 170, 215), (230, 230, 235)
WHITE, DARK, LIPS = (245, 245, 245), (40, 30, 25), (160, 80, 75)


class Scene:
    """`faces` people, 0 to MOST_FACES, every second one masked, before a camera of `width` x `height` pixels."""

    def __init__(self, width: int, height: int, faces: int) -> None:
        self._room = _room(width, height)
        self._faces = faces
        self._noise = np.random.default_rng(0).normal(0, NOISE, (height + 64, width + 64, 3)).astype(np.int16)

    def picture(self, index: int) -> Rgb:
        """The picture of this number, uint8 (height, width, 3); PICTURES of them make a smooth round."""
        rgb = self._room.copy()
        height, width = rgb.shape[:2]
        for number, (x, y, face_height) in enumerate(_places(width, height, self._faces)):
            sway = 2 * math.pi * (index / PICTURES + number / 5)
            middle = x + 0.06 * face_height * math.sin(sway), y + 0.04 * face_height * math.cos(sway)
            _Person(rgb, middle, face_height, SKINS[number % len(SKINS)]).draw(masked=number % 2 == 1)
        top, left = np.random.default_rng(index).integers(0, 64, 2)
        noise = self._noise[top : top + height, left : left + width]
        return np.asarray(cv2.add(cv2.GaussianBlur(rgb, (0, 0), 1.0), noise, dtype=cv2.CV_8U), np.uint8)


class JpegCamera:
    """A scene as a USB camera gives it: each frame is a JPEG file, decoded when it is taken.

    Time is the scene's own, from `start` seconds on, so that the same happens on a fast and on a slow device.
    wants: whether the frame of a time is wanted; others are left out before they are decoded.
    """

    def __init__(self, scene: Scene, start: float) -> None:
        settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        pictures = (cv2.cvtColor(scene.picture(index), cv2.COLOR_RGB2BGR) for index in range(PICTURES))
        files = [np.asarray(cv2.imencode(".jpg", bgr, settings)[1], np.uint8) for bgr in pictures]
        self._files, self._buffers = cycle(files), Buffers()
        self.now = start
        self.wants: Callable[[float], bool] = lambda time: True

    def frame(self) -> Frame:
        """The next frame that is wanted."""
        file = self._next()
        while not self.wants(self.now):
            file = self._next()
        bgr = cv2.imdecode(file, cv2.IMREAD_COLOR)
        assert bgr is not None
        return Frame(to_rgb(bgr, self._buffers.free(*bgr.shape[:2])), self.now)

    def _next(self) -> NDArray[np.uint8]:
        self.now += 1 / RATE
        return next(self._files)


def _room(width: int, height: int) -> Rgb:
    """A wall with pictures and boards, and a floor."""
    room = np.empty((height, width, 3), np.uint8)
    room[:] = WALL
    room[int(0.7 * height) :] = FLOOR
    chance = np.random.default_rng(0)
    for _ in range(12):
        left, top = (chance.uniform(0, 1, 2) * (width, height)).astype(int).tolist()
        right, bottom = (chance.uniform(0.04, 0.2, 2) * (width, height)).astype(int).tolist()
        colour = chance.integers(60, 220, 3).tolist()
        cv2.rectangle(room, (left, top), (left + right, top + bottom), colour, -1)
    return room


def _places(width: int, height: int, faces: int) -> Iterator[tuple[float, float, float]]:
    """Of each face: the column and row of its middle, and its height, in pixels. All of them are near."""
    columns, rows = max(1, min(faces, 4)), max(1, -(-faces // 4))
    part = {1: 0.3, 2: 0.26}.get(rows, 0.17)
    for number in range(faces):
        x, y = number % columns + 0.5, number // columns + 0.42
        yield x * width / columns, y * height / rows, part * height


class _Person:
    """Head and shoulders in ellipses, on a picture. middle: of the face; all lengths are in half face heights."""

    def __init__(self, rgb: Rgb, middle: tuple[float, float], face_height: float, skin: Colour) -> None:
        self._rgb, self._middle, self._unit = rgb, middle, face_height / 2
        self._skin, self._shade = skin, (int(0.78 * skin[0]), int(0.78 * skin[1]), int(0.78 * skin[2]))

    def draw(self, masked: bool) -> None:
        self._ellipse(0, 2.5, 1.75, 1.25, SHIRT)
        self._ellipse(0, 1.1, 0.4, 0.55, self._shade)
        self._ellipse(0, -0.25, 0.84, 0.98, HAIR)
        self._ellipse(0, 0, 0.72, 0.98, self._skin)
        self._ellipse(0, -0.72, 0.72, 0.38, HAIR)
        for side in (-1, 1):
            self._eye(0.3 * side)
            self._ellipse(0.74 * side, 0.05, 0.1, 0.22, self._shade)
        if masked:
            self._mask()
        else:
            self._nose_and_mouth()

    def _eye(self, x: float) -> None:
        self._ellipse(x, -0.2, 0.2, 0.12, self._shade)
        self._ellipse(x, -0.18, 0.14, 0.065, WHITE)
        self._ellipse(x, -0.18, 0.065, 0.065, DARK)
        self._ellipse(x, -0.36, 0.2, 0.035, HAIR)

    def _nose_and_mouth(self) -> None:
        self._ellipse(0, 0.28, 0.15, 0.05, self._shade)
        self._ellipse(0, 0.55, 0.26, 0.075, LIPS)
        self._ellipse(0, 0.53, 0.26, 0.015, DARK)

    def _mask(self) -> None:
        self._ellipse(0, 0.5, 0.66, 0.46, MASK)
        for side in (-1, 1):
            ends = self._point(0.64 * side, 0.3), self._point(0.74 * side, 0.0)
            cv2.line(self._rgb, *ends, STRAP, max(1, round(0.04 * self._unit)))

    def _ellipse(self, x: float, y: float, half_width: float, half_height: float, colour: Colour) -> None:
        half = max(1, round(half_width * self._unit)), max(1, round(half_height * self._unit))
        cv2.ellipse(self._rgb, self._point(x, y), half, 0, 0, 360, colour, -1, cv2.LINE_AA)

    def _point(self, x: float, y: float) -> tuple[int, int]:
        return round(self._middle[0] + x * self._unit), round(self._middle[1] + y * self._unit)
