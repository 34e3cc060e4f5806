"""The values that pass from step to step: frame, box, face, classification, track, decision. All are immutable."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:  # what only serves the page, the broker or metrics does without numpy's memory
    import numpy as np
    from numpy.typing import NDArray

Rgb: TypeAlias = "NDArray[np.uint8]"
"""A picture: uint8, shape (height, width, 3), colour order red, green, blue."""

WITHOUT_MASK, WITH_MASK, INCORRECT, UNKNOWN = "without_mask", "with_mask", "incorrect", "unknown"
LABELS = (WITHOUT_MASK, WITH_MASK, INCORRECT)
"""The labels of a face by their number: 0 without, 1 with mask, 2 worn incorrectly (nose or chin bare)."""
NO_FACE = "no_face"
OUTPUTS = (*LABELS, NO_FACE)
"""What the classifier's network may tell apart: the labels, and what the locator took for a face but is none."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a camera.

    rgb: uint8, (height, width, 3), red, green, blue.
    time: when it was taken, in seconds of the source's own monotonic clock.
    """

    rgb: Rgb
    time: float


class Box(NamedTuple):
    """A rectangle in pixels of the frame; it may reach beyond the frame's border."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    @property
    def width(self) -> float:
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        return self.y_max - self.y_min

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x_min + self.x_max) / 2, (self.y_min + self.y_max) / 2

    def iou(self, other: Box) -> float:
        """Area shared with `other` over the area covered by both, 0 to 1."""
        width = min(self.x_max, other.x_max) - max(self.x_min, other.x_min)
        height = min(self.y_max, other.y_max) - max(self.y_min, other.y_min)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width * self.height + other.width * other.height - shared)


@dataclass(frozen=True, slots=True)
class Face:
    """A face that the locator found, masked or not; `score` 0 to 1."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """What the classifier says of one face.

    label: one of LABELS, or UNKNOWN when no label is sure enough.
    score: calibrated probability, 0 to 1, of the likeliest label.
    probabilities: of each of LABELS, in that order, if it is a face.
    face: probability that it is a face at all.
    """

    label: str
    score: float
    probabilities: tuple[float, float, float]
    face: float = 1.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A face with its classification.

    face_score: that it is a face, 0 to 1, as `edge.judge.face_score` joins what both networks say.
    """

    box: Box
    face_score: float
    classification: Classification


@dataclass(frozen=True, slots=True)
class Track:
    """One person's face over time.

    id: counts up from 1.
    box: where it was seen last, in pixels of the frame.
    label: the verdict of its votes; one of LABELS or UNKNOWN.
    score: the weight of that label among the votes, 0 to 1.
    first_seen, last_seen: seconds.
    label_since: since when `label` has held, seconds.
    moved: whether it has ever moved since it was first seen, as people do and pictures on a wall do not.
    """

    id: int
    box: Box
    label: str
    score: float
    first_seen: float
    last_seen: float
    label_since: float
    moved: bool = True


class State(StrEnum):
    """What the lamp says."""

    IDLE = "IDLE"
    CHECKING = "CHECKING"
    ALLOW = "ALLOW"
    DENY = "DENY"
    UNKNOWN = "UNKNOWN"
    FAULT = "FAULT"


class Signal(StrEnum):
    """What a line can show beside the state."""

    RELEASE = "RELEASE"  # the door may open
    REMINDER = "REMINDER"  # somebody passes without a proper mask, where that is only signalled
    HELD_OPEN = "HELD_OPEN"  # the door has stood open for too long
    FORCED_OPEN = "FORCED_OPEN"  # the door was opened though nothing released it
    TAMPER = "TAMPER"  # the case was opened
    HEARTBEAT = "HEARTBEAT"  # a fresh decision stands; with the pattern "square" for an external watchdog
    CONTESTED = "CONTESTED"  # somebody says that the last verdict was wrong


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the door's input lines say.

    door_open: its contact. exit: somebody asks to leave. override: a person with a key releases the door.
    tamper: the case is open. wrong: somebody says that the last verdict was wrong.
    """

    door_open: bool = False
    exit: bool = False
    override: bool = False
    tamper: bool = False
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the door is told, and why.

    time: of the frame it rests on, seconds.
    tracks: the faces that counted.
    signals: what holds beside the state.
    size: of the frame, (width, height) in pixels.
    stages: what the frame's time was spent on, (name, seconds) in their order; see `edge.laps`.
    """

    time: float
    state: State
    reason: str
    tracks: tuple[Track, ...] = ()
    signals: frozenset[Signal] = frozenset()
    size: tuple[int, int] = (1, 1)
    stages: tuple[tuple[str, float], ...] = field(default=(), compare=False)

    @property
    def kind(self) -> tuple[object, ...]:
        """Decisions of one kind tell people the same: state, signals, and a fault's reason but for its numbers."""
        reason = re.sub(r"[0-9.]+", "#", self.reason) if self.state == State.FAULT else ""
        return self.state, self.signals, reason
