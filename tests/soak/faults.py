"""What goes wrong, when, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from edge.values import Rgb

SAFE, PERHAPS, HELD, NONE = "safe", "perhaps", "held", "none"
"""What a fault does to the lines: they must be safe within a second; the door may close (once there is something to
log); they stay as they are, since their guard is stopped or cannot drive them; nothing at all."""

Change = Callable[[Rgb], Rgb]
FIRST_SECONDS = 8.0
"""Before the first fault, until the daemon knows its view."""
QUIET_SECONDS = 7.0, 14.0
"""Between two faults."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    change: what it makes of each picture. longest: seconds. delivered: whether frames come. spoils: whether they prove
    nothing, though the picture is unchanged.
    """

    name: str
    effect: str = SAFE
    change: Change | None = None
    longest: float = 6.0
    delivered: bool = True
    spoils: bool = False

    @property
    def healthy(self) -> bool:
        """Whether its frames may support a grant."""
        return self.change is None and self.delivered and not self.spoils


@dataclass(frozen=True)
class Fault:
    """A fault with its time, in seconds since the start."""

    kind: Kind
    begin: float
    end: float


def _dark(rgb: Rgb) -> Rgb:
    return (rgb // 50).astype(np.uint8)


def _bright(rgb: Rgb) -> Rgb:
    return rgb | np.uint8(0xFC)


def _covered(rgb: Rgb) -> Rgb:
    return np.full_like(rgb, 90)


def _blurred(rgb: Rgb) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 4), np.uint8)


def _turned(rgb: Rgb) -> Rgb:
    """The camera turned aside and down: faces may still be in view."""
    moved = np.array([[1, 0, -110], [0, 1, -70]], np.float32)
    return np.asarray(cv2.warpAffine(rgb, moved, rgb.shape[1::-1], borderMode=cv2.BORDER_REFLECT), np.uint8)


def _small(rgb: Rgb) -> Rgb:
    return np.ascontiguousarray(rgb[::2, ::2])


KINDS = (
    Kind("camera unplugged", spoils=True),
    Kind("read hangs", delivered=False),
    Kind("frozen", spoils=True),
    Kind("old frames", spoils=True),
    Kind("black", change=_dark),
    Kind("white", change=_bright),
    Kind("covered", change=_covered),
    Kind("blurred", change=_blurred),
    Kind("another view", change=_turned),
    Kind("another size", change=_small),
    Kind("interpreter raises"),
    Kind("slow inference"),
    Kind("daemon stopped"),
    Kind("guard stopped", HELD, longest=1.5),
    Kind("lines not writable", HELD, longest=3.0),
    Kind("log disk full", PERHAPS),
    Kind("log folder gone", PERHAPS),
    Kind("observer hangs", NONE),
    Kind("observer throws", NONE),
)


def plan(seconds: float, chance: np.random.Generator) -> Iterator[Fault]:
    """Faults within so many seconds; every kind once in random order, and so on again. After the last all is well."""
    begin = FIRST_SECONDS
    while True:
        for number in chance.permutation(len(KINDS)):
            kind = KINDS[number]
            end = begin + chance.uniform(0.3, kind.longest)
            if end + QUIET_SECONDS[0] > seconds:
                return
            yield Fault(kind, begin, end)
            begin = end + chance.uniform(*QUIET_SECONDS)
