"""Turn the tracks of a frame into the door's decision: no input, output or clock of its own, and no memory.

The first that holds, over the faces that count:

IDLE      there are none
DENY      one is bare or wears the mask incorrectly; at once, since its votes already outlast a single frame
UNKNOWN   one could not be judged for `settle_seconds`
CHECKING  one has not kept its label for `settle_seconds`, or a masked one was not seen for `hold_seconds`
ALLOW     every face is masked, settled, and seen within `hold_seconds`

With the default settings a masked newcomer is allowed 1.1 s after the face is first seen (0.37 s of votes, then 0.7 s
to settle) and a bare one denied after 0.37 s; until a newcomer is settled, nobody else's ALLOW stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np

from edge.settings import DecisionSettings, ZoneSettings
from edge.values import INCORRECT, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Decision, State, Track


class DoorPolicy:
    """The rules of one door."""

    def __init__(self, zone: ZoneSettings, settings: DecisionSettings) -> None:
        self._polygon = np.array(zone.polygon, np.float32)
        self._min_face_height = zone.min_face_height
        self._settings = settings

    def update(self, tracks: Sequence[Track], size: tuple[int, int], now: float) -> Decision:
        """The decision for a frame of `size` (width, height) pixels, taken at `now`, seconds, with these tracks."""
        counted = tuple(track for track in tracks if self._counts(track.box, size))
        state, reason = self._judge(counted, now)
        return Decision(now, state, reason, counted)

    def _counts(self, box: Box, size: tuple[int, int]) -> bool:
        """Whether the face is in the zone and near."""
        width, height = size
        x, y = box.centre
        # a face cut off by the frame's border belongs to the zone at that border
        centre = min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)
        inside = not self._polygon.size or cv2.pointPolygonTest(self._polygon, centre, False) >= 0
        return inside and box.height >= self._min_face_height * height

    def _judge(self, tracks: Sequence[Track], now: float) -> tuple[State, str]:
        if not tracks:
            return State.IDLE, "nobody in the zone"
        if wrong := [track for track in tracks if track.label in (WITHOUT_MASK, INCORRECT)]:
            return State.DENY, tell(wrong)
        settled = [track for track in tracks if now - track.label_since >= self._settings.settle_seconds]
        if unclear := [track for track in settled if track.label == UNKNOWN]:
            return State.UNKNOWN, tell(unclear)
        masked = [track for track in settled if track.label == WITH_MASK and self._fresh(track, now)]
        if len(masked) == len(tracks):
            return State.ALLOW, tell(masked)
        return State.CHECKING, f"{count(len(tracks) - len(masked))} not settled"

    def _fresh(self, track: Track, now: float) -> bool:
        return now - track.last_seen <= self._settings.hold_seconds


def tell(tracks: Sequence[Track]) -> str:
    """How many faces have which label: "2 faces without_mask, 1 face incorrect"."""
    labels = Counter(track.label for track in tracks)
    return ", ".join(f"{count(number)} {label}" for label, number in labels.most_common())


def count(number: int) -> str:
    return f"{number} face" if number == 1 else f"{number} faces"
