"""Write a run as a video, and read single frames of it back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from edge.draw import draw_decision
from edge.errors import InputError
from edge.values import Decision, Frame, Rgb


class Film:
    """Writes every frame with its decision drawn in, as MPEG-4; an observer of the daemon. Raises InputError."""

    def __init__(self, file: Path, fps: float, size: tuple[int, int]) -> None:
        self._writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise InputError(f"{file}: the video cannot be written there; is the folder writable?")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.release()

    def __call__(self, decision: Decision, frame: Frame | None) -> None:
        """Add a frame; a decision without one, such as a fault, adds none."""
        if frame is not None:
            self._writer.write(cv2.cvtColor(draw_decision(frame.rgb, decision), cv2.COLOR_RGB2BGR))


def read_frames(file: Path, numbers: Iterable[int]) -> list[Rgb]:
    """Single frames of a video by their number from 0, in rising order, each uint8 (H, W, 3) red, green, blue."""
    video = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    frames = []
    try:
        for number in numbers:
            video.set(cv2.CAP_PROP_POS_FRAMES, number)
            good, bgr = video.read()
            if not good:
                raise InputError(f"{file}: frame {number} cannot be read back; is the disk full?")
            frames.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
    finally:
        video.release()
    return frames
