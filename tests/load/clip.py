"""The camera of the daemon under test: the demo's scene over and over, read from a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from edge.demo.scene import SceneCamera
from edge.preprocess import resize
from edge.values import Decision, Frame

WIDTH, HEIGHT = 1280, 720
"""As a camera is asked for by default."""
CUT = slice(40, 400)
"""The rows of the scene that are left of it in this shape."""
PATIENCE = 0.1
"""Seconds after which the next frame comes though nobody has decided on the last."""


def write_clip(file: Path, frames_per_second: float) -> None:
    """Render the scene once: frames of uint8 (HEIGHT, WIDTH, 3), one after the other."""
    with file.open("wb") as out:
        for frame in SceneCamera(frames_per_second).frames():
            out.write(resize(frame.rgb[CUT], WIDTH, HEIGHT).tobytes())


class LoopedCamera:
    """Gives a frame as soon as the one before is decided, so that the daemon runs as fast as it can; or at a rate.

    It reads each frame into memory of its own, so that the clip is nobody's memory. rate: frames a second at most; 0
    for no limit.
    """

    def __init__(self, clip: Path, rate: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clip = clip
        self._period = 1 / rate if rate else 0.0
        self._clock = clock
        self._wanted = threading.Event()

    def __enter__(self) -> LoopedCamera:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, decision: Decision, frame: Frame | None) -> None:
        """As an observer of decisions, it learns when the next frame is wanted."""
        self._wanted.set()

    def frames(self) -> Iterator[Frame]:
        due = self._clock()
        with self._clip.open("rb") as clip:
            while True:
                rgb = np.fromfile(clip, np.uint8, WIDTH * HEIGHT * 3)
                if rgb.size == 0:
                    clip.seek(0)
                    continue
                due = max(due + self._period, self._clock())
                time.sleep(max(0.0, due - self._clock()))
                yield Frame(rgb.reshape(HEIGHT, WIDTH, 3), self._clock())
                self._wanted.wait(PATIENCE)
                self._wanted.clear()
