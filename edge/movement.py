"""Tell people from pictures of people: whether a face has ever moved since it was first seen.

Either is enough, and once moved, a face stays so:

box     Averaged over `MOVE_SECONDS` it has left where it was first seen by more than `MOVED`: somebody walks up.
pixels  What shows at the very place where the face was first seen has shifted by more than `STIRRED`: somebody stands
        and waits. Told in the first `WATCH_SECONDS` only, so that no mount that sags in the heat of the day brings a
        picture on a wall to life.

The shift is that of a small grey patch against its average over the first `FIRST_SECONDS`: least squares explain the
difference by a shift, a contrast and a brightness, so that light explains none of it, and what none of the three
explains (noise, somebody's shoulder) tells how far the shift can be trusted. Its median over `MOVE_SECONDS` counts, so
that a camera that shakes for less than half of that, as a door slams, moves nobody.

Measured on still pictures of faces 40 to 200 pixels high, each watched anew every ten seconds for two minutes, at 5, 15
and 30 frames a second, with a sensor's noise (sigma 2 to 8), JPEG of quality 50 to 90, hum, rolling bands, steps of
exposure by half, auto-gain, a lamp from one side and clouds: the worst reached 0.7 times what counts as a shift.
Shadows and passers-by moved none. A man who sat before a fixed camera without stirring reached 1.7 to 1.8 times that
after 1.3 s, when it can first be told. With the shipped models a picture's averaged box goes up to 0.5 of what counts.

What a picture does not stand: a camera that is nudged by half a pixel for good or shakes for longer than half a second
in the picture's first ten seconds, or at all in its first 0.3 s; a lens that focuses anew then, as that zooms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.values import Box, Frame, Rgb, Track

MOVE_SECONDS = 1.0
"""A box is averaged, and a shift must last, about this long, since both jitter."""
LONGEST_STEP = 0.5
"""A box speaks for at most so many seconds since the one before."""
MOVED = 0.1
"""How far a box must shift its centre, or change its height, in heights as first seen: 2 cm."""
STIRRED = 0.003
"""How far the patch must shift, in parts of its side: less than 1 mm."""
SURE = 6.0
"""How many standard errors that shift must be, at least."""
FIRST_SECONDS, WATCH_SECONDS = 0.3, 10.0
"""After a face was first seen: how long the patch is averaged, and until when it is compared."""
CELLS = 24
"""The patch has so many rows and columns."""
SURROUNDINGS = 9
"""Cells across; brightness counts against the mean of these, so that the gradient of a lamp's light is none."""
PLAIN = 0.05
"""Power of the patch's gradients, summed over its cells, below which it is too plain to show a shift; a face has 5."""

Floats = NDArray[np.float32]


class Movement:
    """Watches the faces of one camera; needs every frame, in the order of their times."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}

    def update(self, tracks: Sequence[Track], frame: Frame) -> tuple[Track, ...]:
        """The same tracks with `moved` set; they are those of this frame, of which some may only be held."""
        self._watched = {track.id: self._watched.get(track.id) or _Watched(track) for track in tracks}
        return tuple(replace(track, moved=self._watched[track.id].moves(track, frame)) for track in tracks)


class _Watched:
    """A face, the average of its box, and the patch of the frame where it was first seen."""

    def __init__(self, track: Track) -> None:
        self._moved = False
        self._first = self._average = track.box
        self._begin = self._time = track.last_seen
        self._patches: list[Floats] = []
        self._shifts: list[tuple[float, Floats]] = []  # with their times
        self._reference: _Reference | None = None

    def moves(self, track: Track, frame: Frame) -> bool:
        if not self._moved and track.last_seen == frame.time:
            self._moved = self._box_moves(track) or self._pixels_move(frame)
        return self._moved

    def _box_moves(self, track: Track) -> bool:
        seconds = min(track.last_seen - self._time, LONGEST_STEP)
        self._time = track.last_seen
        self._average = between(self._average, track.box, 1 - math.exp(-seconds / MOVE_SECONDS))
        return has_moved(self._first, self._average)

    def _pixels_move(self, frame: Frame) -> bool:
        age = frame.time - self._begin
        if age > WATCH_SECONDS:
            return False
        patch = patch_of(frame.rgb, self._first)
        if age <= FIRST_SECONDS:
            self._patches.append(patch)
            return False
        self._reference = self._reference or _Reference(np.mean(self._patches, axis=0, dtype=np.float32))
        since = frame.time - MOVE_SECONDS
        self._shifts = [one for one in self._shifts if one[0] >= since]
        self._shifts.append((frame.time, self._reference.shift(patch)))
        return age > FIRST_SECONDS + MOVE_SECONDS and has_stirred([shift for _, shift in self._shifts])


class _Reference:
    """What a patch is compared with; the part of least squares that does not depend on the other patch."""

    def __init__(self, patch: Floats) -> None:
        down, right = np.gradient(patch)
        self._patch = patch
        self._causes = np.stack([-right, -down, patch, np.ones_like(patch)], axis=-1).reshape(-1, 4)
        squares = self._causes.T @ self._causes + PLAIN * np.eye(4, dtype=np.float32)
        self._inverse = np.linalg.inv(squares)

    def shift(self, patch: Floats) -> Floats:
        """How far the patch lies to the right and below, and the standard error of that: float32 (3,), in sides."""
        change = (patch - self._patch).ravel()
        amounts = self._inverse @ (self._causes.T @ change)
        variance = np.mean((change - self._causes @ amounts) ** 2)
        error = np.sqrt(variance * np.trace(self._inverse[:2, :2]))
        return np.asarray([*amounts[:2] / CELLS, error / CELLS], np.float32)


def has_moved(first: Box, average: Box) -> bool:
    """Whether these are further apart than any jitter."""
    return max(math.dist(first.centre, average.centre), abs(first.height - average.height)) > MOVED * first.height


def has_stirred(shifts: Sequence[Floats]) -> bool:
    """Whether the median of these shifts is further than noise and light explain; see `_Reference.shift`."""
    right, down, error = np.median(shifts, axis=0)
    return bool(np.hypot(right, down) > max(STIRRED, SURE * error))


def between(old: Box, new: Box, weight: float) -> Box:
    """The box that lies `weight`, 0 to 1, of the way from `old` to `new`."""
    return Box(*(start + weight * (end - start) for start, end in zip(old, new, strict=True)))


def patch_of(rgb: Rgb, box: Box) -> Floats:
    """What a picture, uint8 (H, W, 3), shows within a box: float32 (24, 24), log brightness less its surroundings'."""
    height, width = rgb.shape[:2]
    left, top = min(max(round(box.x_min), 0), width - 1), min(max(round(box.y_min), 0), height - 1)
    right, bottom = max(round(box.x_max), left + 1), max(round(box.y_max), top + 1)
    grey = cv2.cvtColor(rgb[top:bottom, left:right], cv2.COLOR_RGB2GRAY).astype(np.float32)
    # the 8 keeps the noise of dark pictures small
    light = np.log(cv2.resize(grey, (CELLS, CELLS), interpolation=cv2.INTER_AREA) + 8)
    return np.asarray(light - cv2.blur(light, (SURROUNDINGS, SURROUNDINGS)), np.float32)
