"""Follow each face from frame to frame and vote on its label, so that no single verdict decides.

The votes are an exponential moving average in time, so the same scene gives the same labels at any frame rate. A new
face starts with all its votes on unknown. With the default settings and a sure classifier, a masked face that turns
bare loses its label after 0.37 s (at 25 frames a second: ten frames), and a new face gets its first label as fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edge.settings import DecisionSettings
from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged, Track

REACH = 0.5
"""How far a face may have moved in no time at all (the box jitters), in heights of the face."""
SPEED = 5.0
"""How fast a face may move, in heights of the face a second: somebody who walks past, 0.2 m high at 1 m/s."""
GROWTH = 2.0
"""How many times as high, or as low, a face may have become."""
LONGEST_STEP = 0.5
"""Two frames further apart than this, in seconds, tell nothing of which face is which."""

Votes = dict[str, float]
"""The weight of each of LABELS and of UNKNOWN; together 1."""


@dataclass(frozen=True, slots=True)
class _Followed:
    """A track with its votes."""

    track: Track
    votes: Votes


class Tracker:
    """The faces seen of late."""

    def __init__(self, settings: DecisionSettings) -> None:
        self._settings = settings
        self._followed: list[_Followed] = []
        self._last_id = 0
        self._last_time: float | None = None

    def update(self, faces: Sequence[Judged], now: float) -> tuple[Track, ...]:
        """The tracks, by id, after a frame with these faces; `now`: when it was taken, seconds, never decreasing.

        A track that this frame does not show stays for `hold_seconds` as it was. None is said to have moved.
        """
        partners = self._match(faces, now)
        seen = [
            self._vote(partners.get(number) or self._begin(face, now), face, now) for number, face in enumerate(faces)
        ]
        matched = {one.track.id for one in partners.values()}
        held = [one for one in self._followed if one.track.id not in matched and self._holds(one.track, now)]
        self._followed = sorted(held + seen, key=lambda one: one.track.id)
        self._last_time = now
        return tuple(one.track for one in self._followed)

    def _match(self, faces: Sequence[Judged], now: float) -> dict[int, _Followed]:
        """What each face continues, by the face's number in `faces`: the closest pair first, each at most once."""
        partners: dict[int, _Followed] = {}
        matched: set[int] = set()
        for _, number, one in sorted(self._pairs(faces, now), key=lambda pair: -pair[0]):
            if number not in partners and one.track.id not in matched:
                partners[number] = one
                matched.add(one.track.id)
        return partners

    def _pairs(self, faces: Sequence[Judged], now: float) -> Iterator[tuple[float, int, _Followed]]:
        """Closeness, face's number and what it could continue."""
        longest = max(self._settings.hold_seconds, LONGEST_STEP)
        for one in self._followed:
            age = now - one.track.last_seen
            for number, face in enumerate(faces):
                near = closeness(one.track.box, face.box, age)
                if near is not None and age <= longest:
                    yield near, number, one

    def _begin(self, face: Judged, now: float) -> _Followed:
        """A new face: unknown since the last frame, so that its first verdict speaks for the time since then."""
        self._last_id += 1
        before = now if self._last_time is None else max(self._last_time, now - LONGEST_STEP)
        track = Track(self._last_id, face.box, UNKNOWN, 1.0, now, last_seen=before, label_since=before, moved=False)
        return _Followed(track, votes_of(None))

    def _vote(self, one: _Followed, face: Judged, now: float) -> _Followed:
        """Add a verdict; it speaks for the time since the one before."""
        weight = self._weight(min(now - one.track.last_seen, LONGEST_STEP))
        new = votes_of(face.classification)
        votes = {label: old + weight * (new[label] - old) for label, old in one.votes.items()}
        label = elect(votes, one.track.label, self._settings)
        since = one.track.label_since if label == one.track.label else now
        track = replace(one.track, box=face.box, label=label, score=votes[label], last_seen=now, label_since=since)
        return _Followed(track, votes)

    def _weight(self, seconds: float) -> float:
        if self._settings.vote_seconds == 0:
            return 1.0
        return 1 - math.exp(-max(0.0, seconds) / self._settings.vote_seconds)

    def _holds(self, track: Track, now: float) -> bool:
        return now - track.last_seen <= self._settings.hold_seconds


def closeness(old: Box, new: Box, seconds: float) -> float | None:
    """How well two boxes `seconds` apart fit one face: overlap (IoU) less distance in heights; None: they cannot."""
    low, high = sorted((old.height, new.height))
    distance = math.dist(old.centre, new.centre) / max(high, 1.0)
    if high > GROWTH * low or distance > REACH + SPEED * min(seconds, LONGEST_STEP):
        return None
    return old.iou(new) - distance


def votes_of(verdict: Classification | None) -> Votes:
    """One verdict as votes; all on unknown when there is none, or it is not sure."""
    if verdict is None or verdict.label == UNKNOWN:
        return dict.fromkeys(LABELS, 0.0) | {UNKNOWN: 1.0}
    return dict(zip(LABELS, verdict.probabilities, strict=True)) | {UNKNOWN: 0.0}


def elect(votes: Votes, held: str, settings: DecisionSettings) -> str:
    """The label of these votes, where `held` is the label so far.

    Masked from `allow_above` on, and then until below `allow_below`; else the heaviest of the rest, where a rival must
    outweigh the label so far by the difference of the two.
    """
    if votes[WITH_MASK] >= (settings.allow_below if held == WITH_MASK else settings.allow_above):
        return WITH_MASK
    lead = settings.allow_above - settings.allow_below
    return max((WITHOUT_MASK, INCORRECT, UNKNOWN), key=lambda label: votes[label] + lead * (label == held))
