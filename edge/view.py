"""Pictures for whoever aims the camera: small, a few a second, only while somebody asked for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import cv2

from edge.draw import LABEL_COLOURS
from edge.preprocess import resize
from edge.values import Decision, Frame, Rgb, Track

WIDTH = 640
EVERY = 0.2
"""Seconds between two pictures."""
QUALITY = 75
THICKNESS = 2
"""Pixels of a box's edge."""


class View:
    """An observer of decisions with their frames. wanted: whether anybody looks. send: takes a JPEG file's bytes.

    brightness: of the last picture, 0 to 1.
    """

    def __init__(
        self,
        wanted: Callable[[], bool],
        send: Callable[[bytes], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = wanted
        self._send = send
        self._clock = clock
        self._sent = 0.0
        self.brightness = 0.0

    def __call__(self, decision: Decision, frame: Frame | None) -> None:
        if frame is None or not self._wanted() or self._clock() - self._sent < EVERY:
            return
        self._sent = self._clock()
        height, width = frame.rgb.shape[:2]
        scale = min(1.0, WIDTH / width)
        small = resize(frame.rgb, round(width * scale), round(height * scale))
        self.brightness = round(float(small.mean()) / 255, 2)
        done, jpeg = cv2.imencode(
            ".jpg", with_boxes(small, decision.tracks, scale), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
        if done:
            self._send(jpeg.tobytes())


def with_boxes(rgb: Rgb, tracks: Iterable[Track], scale: float) -> cv2.typing.MatLike:
    """A copy, blue, green, red, with a box in its label's colour around each face; without words, since the font that
    OpenCV 5 draws them with takes 8 MB. scale: the size of the picture over that of the tracks'."""
    picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    for track in tracks:
        x_min, y_min, x_max, y_max = (round(edge * scale) for edge in track.box)
        cv2.rectangle(picture, (x_min, y_min), (x_max, y_max), LABEL_COLOURS[track.label][::-1], THICKNESS)
    return picture
