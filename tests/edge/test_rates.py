"""The same scene gives the same decisions at the same times, whether it is seen 5, 15 or 50 times a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decide import DoorPolicy
from edge.movement import Movement
from edge.settings import DoorSettings, Mode, Settings, ZoneSettings
from edge.track import Tracker
from edge.values import (
    LABELS,
    UNKNOWN,
    WITH_MASK,
    WITHOUT_MASK,
    Box,
    Classification,
    Decision,
    Frame,
    Inputs,
    Judged,
    Signal,
    State,
)

SIZE = 640, 480
NOTHING = np.zeros((480, 640, 3), np.uint8)
"""A picture that tells nothing of movement."""
RATES = 5, 15, 50
TOLERANCE = 1 / 5 + 0.05
"""One frame of the slowest, and what the times of votes differ by, in seconds."""
DOOR = DoorSettings(held_open_seconds=2.5)
ZONE = ZoneSettings(polygon=((0, 0), (0.8, 0), (0.8, 1), (0, 1)))

Said = frozenset[str]
"""The state and the signals of a decision."""


@dataclass(frozen=True)
class Person:
    """Somebody's way and what the judge says of the face; None: it finds none.

    way: times with the column of the face's centre then, pixels.
    looks: times from which on a label holds.
    y, height: of the face, pixels.
    sway: how far the face goes around its place, as people's do who stand and wait, pixels.
    """

    way: tuple[tuple[float, float], ...]
    looks: tuple[tuple[float, str | None], ...]
    y: float = 240
    height: float = 100
    sway: float = 30

    def judged(self, time: float) -> list[Judged]:
        label = next((label for since, label in reversed(self.looks) if time >= since), None)
        if label is None or not self.way[0][0] <= time < self.way[-1][0]:
            return []
        x, y = self._x(time) + self.sway * math.cos(time), self.y + self.sway * math.sin(time)
        box = Box(x - 40, y - self.height / 2, x + 40, y + self.height / 2)
        without, with_mask, incorrect = (0.96 if one == label else 0.02 for one in LABELS)
        return [Judged(box, 0.9, Classification(label, 0.96, (without, with_mask, incorrect)))]

    def _x(self, time: float) -> float:
        for (start, here), (end, there) in zip(self.way, self.way[1:], strict=False):
            if time < end:
                return here + (there - here) * (time - start) / (end - start)
        return self.way[-1][1]


Hears = Callable[[float], Inputs]
"""What the door's inputs say at a time."""


def watch(people: Sequence[Person], hears: Hears, until: float, rate: float, mode: Mode) -> list[Decision]:
    """The decision of every frame."""
    tracker, movement = Tracker(Settings().decision), Movement()
    policy = DoorPolicy(ZONE, Settings().decision, DOOR)
    decisions = []
    for time in (n / rate for n in range(round(until * rate))):
        faces = [face for person in people for face in person.judged(time)]
        tracks = movement.update(tracker.update(faces, time), Frame(NOTHING, time))
        decisions.append(policy.update(tracks, SIZE, time, hears(time), mode))
    return decisions


def changes(decisions: Sequence[Decision], of: Callable[[Decision], Said]) -> tuple[list[float], list[Said]]:
    """When something of the decisions changed, and to what."""
    firsts = [next(run) for _, run in groupby(decisions, of)]
    return [one.time for one in firsts], [of(one) for one in firsts]


def everything(decision: Decision) -> Said:
    return frozenset({str(decision.state), *map(str, decision.signals - {Signal.HEARTBEAT})})


def assert_alike(seen: Sequence[Sequence[Decision]], of: Callable[[Decision], Said]) -> None:
    (slow_times, slow), *others = [changes(decisions, of) for decisions in seen]
    for times, said in others:
        assert said == slow
        assert times == pytest.approx(slow_times, abs=TOLERANCE)


def quiet(time: float) -> Inputs:
    return Inputs()


VISIT = (
    # walks in with a mask, is missed for a fifth of a second, pulls it down, puts it on and leaves
    Person(
        way=((1, 60), (3, 260), (21, 260), (23, 60)),
        looks=((1, WITH_MASK), (5.05, None), (5.25, WITH_MASK), (13, WITHOUT_MASK), (17, WITH_MASK)),
    ),
    # comes second, is taken for bare for an eighth of a second, turns away, turns back and leaves
    Person(
        way=((7, 60), (9, 400), (12, 400), (12.4, 400), (27, 440)),
        looks=((7, WITH_MASK), (10, WITHOUT_MASK), (10.12, WITH_MASK), (19, UNKNOWN), (23.5, WITH_MASK)),
        y=120,
    ),
    # stands in the zone too far away to count, and beside it, bare-faced both
    Person(way=((0, 200), (30, 200)), looks=((0, WITHOUT_MASK),), y=400, height=40),
    Person(way=((0, 600), (30, 600)), looks=((0, WITHOUT_MASK),), y=400),
)
"""Several people, who come and go for 27 s."""


def contact(time: float) -> Inputs:
    """Opened on the first ALLOW and held too long; later opened by force; and at the end somebody wants to leave, and
    contests."""
    is_open = 4 <= time < 8.5 or 15 <= time < 16
    return Inputs(door_open=is_open, exit=29.5 <= time < 30, tamper=34 <= time, wrong=32 <= time < 33)


@pytest.mark.parametrize("mode", ["must_wear", "remind", "indicate"])
def test_a_scene_of_several_people_is_told_alike_at_any_frame_rate(mode: Mode) -> None:
    assert_alike([watch(VISIT, contact, 36, rate, mode) for rate in RATES], everything)


def test_the_scene_shows_every_state_and_signal() -> None:
    seen = [decision for mode in ("must_wear", "remind") for decision in watch(VISIT, contact, 36, 5, mode)]
    assert {one for decision in seen for one in everything(decision)} == {*State, *Signal} - {
        State.FAULT,
        Signal.HEARTBEAT,
    }


@pytest.mark.parametrize("rate", RATES)
def test_a_picture_of_a_bare_face_denies_until_it_is_known_for_one(rate: float) -> None:
    picture = Person(way=((1, 200), (15, 200)), looks=((1, WITHOUT_MASK),), sway=0)
    times, said = changes(watch([picture], quiet, 15, rate, "must_wear"), everything)
    assert said == [{State.IDLE}, {State.CHECKING}, {State.DENY}, {State.IDLE}]
    assert times == pytest.approx([0, 1, 1.37, 11], abs=TOLERANCE)


@st.composite
def visits(draw: st.DrawFn) -> tuple[Person, float]:
    """One visitor whose look changes every few seconds, and how long that takes."""
    looks = draw(st.lists(st.sampled_from([None, *LABELS, UNKNOWN]), min_size=1, max_size=5))
    seconds = [draw(st.floats(2, 3)) for _ in looks]
    since = [sum(seconds[:n]) for n in range(len(looks))]
    end = sum(seconds)
    return Person(((0, 60), (end, 400)), tuple(zip(since, looks, strict=True))), end


@settings(max_examples=20)
@given(visits())
def test_any_visit_is_told_alike_at_any_frame_rate(visit: tuple[Person, float]) -> None:
    person, end = visit
    seen = [watch([person], quiet, end + 5, rate, "must_wear") for rate in RATES]
    assert_alike(seen, lambda decision: frozenset({str(decision.state)}))
    assert_alike(seen, lambda decision: frozenset(map(str, decision.signals)))
