"""The demo's camera: somebody walks up bare-faced, another comes masked, the first puts a drawn mask on; both leave.

The scene knows nothing of decisions, and the daemon nothing of the scene.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import cv2
import numpy as np

from edge.demo.mask import Layer, draw_mask, put_on
from edge.demo.portraits import ASTRONAUT, OFFICER, Portrait, astronaut, officer
from edge.demo.room import HEIGHT, WIDTH, Floats, empty_room
from edge.values import Frame, Rgb

SECONDS = 14.0
EYE_LEVEL = 196.0
"""Row of a visitor's eyes, near or far: the camera hangs at that height."""
LIFT_SECONDS, LIFT_PIXELS = 0.7, 330.0
"""How long a mask takes from the hands to the face, and how far that is in pixels of the portrait."""
NOISE = 2.5
"""Standard deviation of the camera's noise, in grey levels."""


@dataclass(frozen=True)
class Step:
    """Where a visitor is at a time: column of the eyes in pixels of the frame, and pixels of the frame per pixel of
    the portrait."""

    time: float
    x: float
    scale: float


@dataclass(frozen=True)
class Visit:
    """One visitor: the way taken, and when the mask reaches the face (seconds of the scene)."""

    portrait: Portrait
    person: Layer
    mask: Layer
    masked_from: float
    steps: tuple[Step, ...]

    def place(self, time: float) -> Step | None:
        """Where the visitor is; None before they come and after they left."""
        for here, there in zip(self.steps, self.steps[1:], strict=False):
            if here.time <= time < there.time:
                part = (time - here.time) / (there.time - here.time)
                part = part * part * (3 - 2 * part)
                return Step(time, here.x + part * (there.x - here.x), here.scale + part * (there.scale - here.scale))
        return None

    def layer(self, time: float) -> Layer:
        """The visitor at this time with or without mask, in pixels of the portrait."""
        still = (self.masked_from - time) / LIFT_SECONDS
        if still >= 1:
            return self.person
        return put_on(self.person, self.mask, LIFT_PIXELS * still**2) if still > 0 else self._masked

    @cached_property
    def _masked(self) -> Layer:
        return put_on(self.person, self.mask, 0.0)


class SceneCamera:
    """The scene as a camera, in its own time: as fast as its frames are taken.

    fps: frames a second; the same seed gives the same frames.
    """

    size = (WIDTH, HEIGHT)

    def __init__(self, fps: float = 25.0, seed: int = 0) -> None:
        self.fps = fps
        self._seed = seed
        self._room = empty_room()
        self.visits = _visits()
        self._now = 0.0
        self._noise = np.random.default_rng(seed).normal(0, NOISE, (HEIGHT + 64, WIDTH + 64, 3)).astype(np.float32)

    def __len__(self) -> int:
        return round(SECONDS * self.fps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def clock(self) -> float:
        """The scene's own time: that of the frame given last, seconds."""
        return self._now

    def frames(self) -> Iterator[Frame]:
        """Every frame, 640x480; time = index / fps."""
        for index in range(len(self)):
            frame = self.frame(index)
            self._now = frame.time
            yield frame

    def frame(self, index: int) -> Frame:
        """One frame by its number."""
        time = index / self.fps
        picture = self._room
        for visit in self.visits:
            if (place := visit.place(time)) is not None:
                picture = _over(picture, _placed(visit, place))
        return Frame(self._taken(picture, index), time)

    def _taken(self, picture: Floats, index: int) -> Rgb:
        """The picture as a camera gives it: brightness drifts slowly, every frame has its noise."""
        top, left = np.random.default_rng((self._seed, index)).integers(0, 64, 2)
        noise = self._noise[top : top + HEIGHT, left : left + WIDTH]
        gain = 1 + 0.025 * math.sin(2 * math.pi * index / self.fps / 7)
        return np.asarray(np.clip(picture * np.float32(gain) + noise, 0, 255), np.uint8)


def _placed(visit: Visit, place: Step) -> Layer:
    """The visitor as a layer of the frame, swaying a little as people do."""
    eyes_x, eyes_y = visit.portrait.eyes
    turn = cv2.getRotationMatrix2D((eyes_x, eyes_y), 1.3 * math.sin(2 * math.pi * place.time / 3.1), place.scale)
    turn[0, 2] += place.x + 4 * math.sin(2 * math.pi * place.time / 4.3) - eyes_x
    turn[1, 2] += EYE_LEVEL + 3 * math.sin(2 * math.pi * place.time / 1.1) - eyes_y
    return np.asarray(cv2.warpAffine(visit.layer(place.time), turn, (WIDTH, HEIGHT)), np.float32)


def _over(picture: Floats, layer: Layer) -> Floats:
    return layer[..., :3] + picture * (1 - layer[..., 3:])


def _visits() -> tuple[Visit, Visit]:
    first, second = astronaut(), officer()
    return (
        Visit(
            ASTRONAUT,
            first,
            draw_mask(ASTRONAUT.mask, (first.shape[0], first.shape[1])),
            masked_from=7.4,
            steps=(Step(1.0, 800, 0.72), Step(3.4, 440, 0.95), Step(10.4, 440, 0.95), Step(12.4, 860, 0.75)),
        ),
        Visit(
            OFFICER,
            second,
            draw_mask(OFFICER.mask, (second.shape[0], second.shape[1])),
            masked_from=0.0,
            steps=(Step(3.8, -230, 0.72), Step(6.0, 150, 0.76), Step(10.0, 150, 0.76), Step(12.0, -240, 0.72)),
        ),
    )
