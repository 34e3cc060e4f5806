"""What remains of each person who was at the door, when they have left: how the verdict went, how the face looked."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2

from edge.preprocess import face_input
from edge.values import Decision, Frame, Rgb, Signal, State, Track

REMEMBERED_SECONDS = 60.0
"""Who has left so long ago can still be contested."""
REMEMBERED = 16
"""People who left and are remembered, at most."""
PASSING_SECONDS = 0.7
"""Who was there for less passed by: no verdict was to be had, and nobody asked for one."""
NEARER = 1.05
"""A face this much higher than at its best so far is a better picture of it."""
CELLS = 64
"""Pixels a side of the crop that brightness and sharpness are measured on."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How a person's face is cut out, see `preprocess.Framing`."""

    size: int = 160
    margin: float = 0.5


CUT = Cut()


@dataclass(frozen=True, slots=True)
class Person:
    """One person's stay of PASSING_SECONDS and more, from the first to the last frame in which the face counted.

    id: of the track. label: its last, one of LABELS or UNKNOWN. score: of the track since then, averaged, 0 to 1.
    height: of the face where it was highest, in fractions of the frame's. brightness, sharpness: then, see `measure`.
    crop: the face then, uint8 (CUT.size, CUT.size, 3), cut as CUT says; None where nobody keeps it.
    time: when it was seen last, seconds of the frames' clock.
    """

    id: int
    label: str
    score: float
    height: float
    brightness: float
    sharpness: float
    crop: Rgb | None
    time: float


Consumer = Callable[[Person, bool], None]
"""Gets each person once they have left, with False; and with True as soon as somebody contests the verdict on them."""


class People:
    """An observer of decisions with their frames. keep_crops: whether a consumer wants the pictures of the faces."""

    def __init__(self, consumers: Sequence[Consumer], keep_crops: bool) -> None:
        self._consumers = consumers
        self._keep_crops = keep_crops
        self._here: dict[int, _Stay] = {}
        self._gone: deque[Person] = deque(maxlen=REMEMBERED)
        self._contested = False

    def __call__(self, decision: Decision, frame: Frame | None) -> None:
        seen = {track.id: track for track in decision.tracks} if decision.state != State.FAULT else {}
        # after a fault the tracks are counted anew
        left = [person for number, stay in self._here.items() if number not in seen and (person := stay.person())]
        self._here = {number: self._here.get(number) or _Stay() for number in seen}
        if frame is not None:
            for number, track in seen.items():
                self._here[number].see(track, frame, self._keep_crops)
        self._gone.extend(left)
        self._tell(left, False)
        self._contest(Signal.CONTESTED in decision.signals, decision.time)

    def _contest(self, contested: bool, now: float) -> None:
        if contested and not self._contested:
            gone = [person for person in self._gone if now - person.time <= REMEMBERED_SECONDS]
            here = [person for stay in self._here.values() if (person := stay.person())]
            self._tell([*gone, *here], True)
        self._contested = contested

    def _tell(self, people: Sequence[Person], contested: bool) -> None:
        for person in people:
            for consumer in self._consumers:
                consumer(person, contested)


@dataclass(slots=True)
class _Stay:
    """What is known of somebody who is still here."""

    since: float = math.inf
    best: Person | None = None
    total: float = 0.0
    frames: int = 0

    def see(self, track: Track, frame: Frame, keep_crop: bool) -> None:
        if self.best and self.best.label != track.label:
            self.total = self.frames = 0
        self.since = min(self.since, track.last_seen)
        self.total += track.score
        self.frames += 1
        height = track.box.height / frame.rgb.shape[0]
        if self.best is None or height > NEARER * self.best.height:
            crop = face_input(frame.rgb, track.box, CUT)
            kept = crop if keep_crop else None
            self.best = Person(track.id, "", 0.0, height, *measure(crop), kept, track.last_seen)
        self.best = replace(self.best, label=track.label, time=track.last_seen)

    def person(self) -> Person | None:
        """None for somebody who passes by, or of whom no frame was seen."""
        if self.best is None or self.best.time - self.since < PASSING_SECONDS:
            return None
        return replace(self.best, score=self.total / self.frames)


def measure(crop: Rgb) -> tuple[float, float]:
    """Brightness and sharpness of a face, uint8 (S, S, 3), cut as CUT says.

    Brightness: the mean of its grey, 0 to 1. Sharpness: the standard deviation of the Laplacian of its grey, 0 to 255,
    with the crop at CELLS x CELLS pixels, so that its size does not count. Both of the middle alone: what is around the
    face would hide the colour of a mask.
    """
    grey = cv2.cvtColor(cv2.resize(crop, (CELLS, CELLS), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    face = slice(CELLS // 4, CELLS - CELLS // 4)
    return float(grey[face, face].mean()) / 255, float(cv2.Laplacian(grey, cv2.CV_32F)[face, face].std())
