"""Turn the tracks of a frame, and what the door's inputs say, into its decision: no input, output or clock of its own.

The state tells the truth about masks, whatever the mode. The first that holds, over the faces that count:

IDLE      there are none
DENY      one is bare or wears the mask incorrectly; at once, since its votes already outlast a single frame
UNKNOWN   one could not be judged for `settle_seconds`
CHECKING  one has not kept its label for `settle_seconds`, or a masked one was not seen for `hold_seconds`, or has not
          moved yet
ALLOW     every face is masked, settled, has moved, and was seen within `hold_seconds`

With the default settings a masked newcomer is allowed 1.1 s after the face is first seen (0.37 s of votes, then 0.7 s
to settle), 1.3 s when standing still from the first frame on, and a bare one denied after 0.37 s; until a newcomer is
settled, nobody else's ALLOW stands.

A face that has not moved (`edge.movement`) may be a picture on a wall: it may deny, but never supports an ALLOW, and
after `still_seconds` it counts no longer. The limits of this: a face on a telephone's screen, in a video or on a print
that a hand holds moves as people do and counts as one; a picture that was bumped, or first seen just before the camera
was bumped, shook or focused anew, or of which somebody's passing covered so much that its box shifted, seems to have
moved and counts until it is lost from view. Draw the zone so that pictures of faces lie outside it.

What holds beside the state is told by `edge.values.Signal`; what releases the door depends on the mode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np

from edge.settings import DecisionSettings, DoorSettings, Mode, ZoneSettings
from edge.values import (
    INCORRECT,
    UNKNOWN,
    WITH_MASK,
    WITHOUT_MASK,
    Box,
    Decision,
    Inputs,
    Signal,
    State,
    Track,
)

GRACE_SECONDS = 1.0
"""A door that opens so shortly after its release has ended was not forced: a contact tells later than a hand pulls."""
FORCED_SECONDS = 10.0
"""A forced door is told at least this long, though it be closed again."""
QUIET = Inputs()
"""Inputs of which none is active."""


class DoorPolicy:
    """The rules of one door, and what they must remember of it: nothing, when it is new. zone: may be changed."""

    def __init__(self, zone: ZoneSettings, settings: DecisionSettings, door: DoorSettings) -> None:
        self.zone = zone
        self._settings = settings
        self._mode: Mode = door.mode
        self._counted: frozenset[int] = frozenset()
        self._last_time: float | None = None
        self._lock = _Lock(door)
        self._leaf = _Leaf(door)

    def update(
        self,
        tracks: Sequence[Track],
        size: tuple[int, int],
        now: float,
        inputs: Inputs = QUIET,
        mode: Mode | None = None,
    ) -> Decision:
        """The decision for a frame of `size` (width, height) pixels with these tracks.

        now: when it was taken, seconds, never decreasing. mode: None for the door's own.
        """
        mode = mode or self._mode
        counted = tuple(track for track in tracks if self._counts(track, size, now))
        self._counted = frozenset(track.id for track in counted)
        state, reason = self._judge(counted, now)
        if not lasts(self._last_time, self._settings.valid_seconds, now):
            self._lock.forget()
        self._last_time = now
        released = self._lock.update(state, mode, inputs, now)
        signals = self._leaf.update(inputs.door_open, released, now) | said(state, mode, inputs, released)
        return Decision(now, state, reason, counted, signals, size)

    def _counts(self, track: Track, size: tuple[int, int], now: float) -> bool:
        """Whether the face is in the zone and near, or was and is nearly so, and may be a person's."""
        picture = not track.moved and now - track.first_seen >= self.zone.still_seconds
        slack = self.zone.slack if track.id in self._counted else 0.0
        least = self.zone.min_face_height * size[1] * (1 - slack)
        return not picture and track.box.height >= least and self._inside(track.box, size, slack * track.box.height)

    def _inside(self, box: Box, size: tuple[int, int], slack: float) -> bool:
        """Whether the face is in the zone, or at most `slack` pixels beyond its border."""
        if not self.zone.polygon:
            return True
        width, height = size
        x, y = box.centre
        # a face cut off by the frame's border belongs to the zone at that border
        centre = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
        polygon = np.array(self.zone.polygon, np.float32) * np.array(size, np.float32)
        return cv2.pointPolygonTest(polygon, centre, True) >= -slack

    def _judge(self, tracks: Sequence[Track], now: float) -> tuple[State, str]:
        if not tracks:
            return State.IDLE, "nobody in the zone"
        if wrong := [track for track in tracks if track.label in (WITHOUT_MASK, INCORRECT)]:
            return State.DENY, tell(wrong)
        settled = [track for track in tracks if now - track.label_since >= self._settings.settle_seconds]
        if unclear := [track for track in settled if track.label == UNKNOWN]:
            return State.UNKNOWN, tell(unclear)
        masked = [track for track in settled if track.label == WITH_MASK and self._fresh(track, now)]
        if len(masked) < len(tracks):
            return State.CHECKING, f"{count(len(tracks) - len(masked))} not settled"
        if still := [track for track in masked if not track.moved]:
            return State.CHECKING, f"{count(len(still))} yet to move, perhaps a picture"
        return State.ALLOW, tell(masked)

    def _fresh(self, track: Track, now: float) -> bool:
        return lasts(track.last_seen, self._settings.hold_seconds, now)


class _Lock:
    """Whether the door is released: by its mode, by a request to exit, or by a person with a key."""

    def __init__(self, door: DoorSettings) -> None:
        self._door = door
        self._allowed: float | None = None  # the last ALLOW, unless a DENY came after it
        self._somebody: float | None = None  # when somebody counted last
        self._asked: float | None = None  # the last request to exit

    def forget(self) -> None:
        """End what only frames keep up, since they did not come; a request to exit goes on."""
        self._allowed = self._somebody = None

    def update(self, state: State, mode: Mode, inputs: Inputs, now: float) -> bool:
        if state == State.ALLOW:
            self._allowed = now
        elif state == State.DENY:
            self._allowed = None
        if state != State.IDLE:
            self._somebody = now
        if inputs.exit:
            self._asked = now
        granted = {"must_wear": self._allowed, "remind": self._somebody, "indicate": None}[mode]
        return (
            inputs.override
            or lasts(self._asked, self._door.exit_seconds, now)
            or lasts(granted, self._door.release_seconds, now)
        )


class _Leaf:
    """The door's leaf: whether it stands open for too long, or was opened though nothing released it."""

    def __init__(self, door: DoorSettings) -> None:
        self._door = door
        self._closed = False  # whether it was, when last heard of: a leaf first found open was not seen to be forced
        self._opened: float | None = None
        self._forced: float | None = None
        self._released: float | None = None

    def update(self, is_open: bool, released: bool, now: float) -> frozenset[Signal]:
        if released:
            self._released = now
        if is_open:
            self._open(now)
        else:
            self._close(now)
        held_open = self._opened is not None and now - self._opened > self._door.held_open_seconds
        return chosen({Signal.HELD_OPEN: held_open, Signal.FORCED_OPEN: self._forced is not None})

    def _open(self, now: float) -> None:
        if self._closed and not lasts(self._released, GRACE_SECONDS, now):
            self._forced = now
        if self._opened is None:
            self._opened = now
        self._closed = False

    def _close(self, now: float) -> None:
        if not lasts(self._forced, FORCED_SECONDS, now):
            self._forced = None
        self._opened = None
        self._closed = True


def said(state: State, mode: Mode, inputs: Inputs, released: bool) -> frozenset[Signal]:
    """The signals that need no memory."""
    reminder = mode == "remind" and state in (State.DENY, State.UNKNOWN)
    return chosen(
        {
            Signal.HEARTBEAT: True,
            Signal.RELEASE: released,
            Signal.REMINDER: reminder,
            Signal.TAMPER: inputs.tamper,
            Signal.CONTESTED: inputs.wrong,
        }
    )


def chosen(signals: dict[Signal, bool]) -> frozenset[Signal]:
    return frozenset(signal for signal, holds in signals.items() if holds)


def lasts(since: float | None, seconds: float, now: float) -> bool:
    """Whether `since` is at most `seconds` ago; None: never was."""
    return since is not None and now - since <= seconds


def tell(tracks: Sequence[Track]) -> str:
    """How many faces have which label: "2 faces without_mask, 1 face incorrect"."""
    labels = Counter(track.label for track in tracks)
    return ", ".join(f"{count(number)} {label}" for label, number in labels.most_common())


def count(number: int) -> str:
    return f"{number} face" if number == 1 else f"{number} faces"
