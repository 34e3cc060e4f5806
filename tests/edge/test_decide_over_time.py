"""What holds beside the state, and what no story may ever lead to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.settings import Mode, ZoneSettings
from edge.values import LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Decision, Inputs, Signal, State, Track
from tests.edge.test_decide import DOOR, NOBODY, NOW, OPEN, QUIET, SIZE, at, earned, policy, track


@dataclass(frozen=True)
class Moment:
    """What a door sees and hears in a frame that comes `seconds` after the one before."""

    seconds: float
    tracks: Sequence[Track] = NOBODY
    inputs: Inputs = QUIET
    mode: Mode | None = None


def run(moments: Sequence[Moment], mode: Mode = "must_wear", start: float = 0) -> list[Decision]:
    """What one policy decides over time; the faces' times are given with that of their frame as `NOW`."""
    door, now, decisions = policy(ZoneSettings(), mode), start, []
    for moment in moments:
        now += moment.seconds
        seen = [shifted(one, now - NOW) for one in moment.tracks]
        decisions.append(door.update(seen, SIZE, now, moment.inputs, moment.mode))
    return decisions


def shifted(one: Track, seconds: float) -> Track:
    times = "first_seen", "last_seen", "label_since"
    return replace(one, **{time: getattr(one, time) + seconds for time in times})


def during(seconds: float, *tracks: Track, inputs: Inputs = QUIET, mode: Mode | None = None) -> list[Moment]:
    """The same for some time, at 16 frames a second, whose times are exact."""
    return [Moment(1 / 16, tracks, inputs, mode)] * round(16 * seconds)


def signals(*scenes: list[Moment], mode: Mode = "must_wear") -> set[Signal]:
    """What holds after the last moment, but for the heartbeat."""
    *_, last = run([moment for scene in scenes for moment in scene], mode)
    assert Signal.HEARTBEAT in last.signals
    return set(last.signals - {Signal.HEARTBEAT})


MASKED, BARE, UNCLEAR, NEW = track(), track(WITHOUT_MASK), track(UNKNOWN), track(held=0.1)
RELEASE, REMINDER = {Signal.RELEASE}, {Signal.REMINDER}
HELD_OPEN, FORCED_OPEN, TAMPER = {Signal.HELD_OPEN}, {Signal.FORCED_OPEN}, {Signal.TAMPER}


def test_a_door_that_must_be_earned_is_released_by_an_allow_alone() -> None:
    assert signals(during(1, MASKED)) == RELEASE
    assert [signals(during(1, one)) for one in (NEW, UNCLEAR, BARE)] == [set()] * 3
    assert signals(during(1)) == set()


@pytest.mark.parametrize("after", [NOBODY, (NEW,), (UNCLEAR,)])
def test_a_granted_door_stays_released_for_release_seconds_after_the_last_allow(after: tuple[Track, ...]) -> None:
    assert signals(during(1, MASKED), during(3, *after)) == RELEASE
    assert signals(during(1, MASKED), during(3.125, *after)) == set()


def test_a_deny_ends_the_release_at_once_and_for_good() -> None:
    assert signals(during(1, MASKED), during(1 / 16, BARE)) == set()
    assert signals(during(1, MASKED), during(1 / 16, BARE), during(1)) == set()


def test_frames_that_do_not_come_end_the_release() -> None:
    assert signals(during(1, MASKED), [Moment(0.75)]) == RELEASE
    assert signals(during(1, MASKED), [Moment(0.85)]) == set()


def test_a_door_that_reminds_is_released_for_everybody_and_names_those_without_mask() -> None:
    assert signals(during(1), mode="remind") == set()
    assert [signals(during(1, one), mode="remind") for one in (MASKED, NEW)] == [RELEASE] * 2
    assert [signals(during(1, one), mode="remind") for one in (BARE, UNCLEAR)] == [RELEASE | REMINDER] * 2
    assert signals(during(1, BARE), during(3), mode="remind") == RELEASE
    assert signals(during(1, BARE), during(3.125), mode="remind") == set()


@pytest.mark.parametrize("one", [MASKED, NEW, UNCLEAR, BARE])
def test_a_door_that_only_indicates_is_never_released(one: Track) -> None:
    assert signals(during(1, one), mode="indicate") == set()


@pytest.mark.parametrize("mode", get_args(Mode))
def test_the_state_is_the_same_in_every_mode(mode: Mode) -> None:
    faces = [(MASKED,), (BARE,), (UNCLEAR,), (NEW,), NOBODY]
    states = [run(during(1, *some), mode)[-1].state for some in faces]
    assert states == [State.ALLOW, State.DENY, State.UNKNOWN, State.CHECKING, State.IDLE]


def test_a_mode_given_with_the_frame_outdoes_the_doors_own() -> None:
    assert signals(during(1, BARE, mode="remind")) == RELEASE | REMINDER
    assert signals(during(1, MASKED, mode="indicate")) == set()


def test_what_a_reminding_door_granted_ends_when_a_mask_becomes_a_must() -> None:
    assert signals(during(1, BARE, mode="remind"), during(1 / 16)) == set()
    assert signals(during(1, MASKED, mode="remind"), during(1 / 16)) == RELEASE


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_request_to_exit_releases_for_exit_seconds_after_it_was_last_asked_whoever_stands_there(mode: Mode) -> None:
    asked = during(1, BARE, inputs=Inputs(exit=True))
    assert Signal.RELEASE in signals(asked, during(4.9375, BARE), mode=mode)
    assert Signal.RELEASE in signals(during(4, *NOBODY), asked, [Moment(2.0)], mode=mode)
    assert signals(asked, during(5.0625), mode=mode) <= (RELEASE if mode == "remind" else set())
    assert signals(asked, during(8.125), mode=mode) == set()


@pytest.mark.parametrize("mode", get_args(Mode))
def test_an_override_releases_as_long_as_it_lasts(mode: Mode) -> None:
    assert Signal.RELEASE in signals(during(1, BARE, inputs=Inputs(override=True)), mode=mode)
    assert signals(during(1, inputs=Inputs(override=True)), during(1 / 16), mode=mode) == set()


def test_an_open_case_is_told_as_long_as_it_is_open() -> None:
    assert signals(during(1, inputs=Inputs(tamper=True))) == TAMPER
    assert signals(during(1, inputs=Inputs(tamper=True)), during(1 / 16)) == set()


def test_a_door_that_stands_open_for_too_long_is_told_until_it_is_closed() -> None:
    entered = [*during(1), *during(1, MASKED), *during(30.0625, inputs=OPEN)]
    assert signals(entered) == set()
    assert signals(entered, during(1 / 16, inputs=OPEN)) == HELD_OPEN
    assert signals(entered, during(1, inputs=OPEN), during(1 / 16)) == set()


def test_a_door_opened_without_release_is_forced_until_it_is_closed_and_ten_seconds_at_least() -> None:
    forced = during(1) + during(1 / 16, inputs=OPEN)
    assert signals(forced) == FORCED_OPEN
    assert signals(forced, during(10)) == FORCED_OPEN
    assert signals(forced, during(10.0625)) == set()
    assert signals(forced, during(20, inputs=OPEN)) == FORCED_OPEN
    assert signals(forced, during(20, inputs=OPEN), during(1 / 16)) == set()


@pytest.mark.parametrize("opened_after", [0, 2, 3.9375])
def test_a_door_opened_while_released_or_just_after_is_not_forced(opened_after: float) -> None:
    granted = during(1) + during(1, MASKED) + during(opened_after)
    assert Signal.FORCED_OPEN not in signals(granted, during(20, inputs=OPEN))


def test_a_door_opened_a_second_after_its_release_ended_is_forced() -> None:
    assert signals(during(1), during(1, MASKED), during(4.0625), during(1 / 16, inputs=OPEN)) == FORCED_OPEN


@pytest.mark.parametrize("key", [Inputs(exit=True), Inputs(override=True)])
def test_a_door_opened_from_within_or_with_a_key_is_not_forced(key: Inputs) -> None:
    assert signals(during(1), during(1 / 16, inputs=key), during(0.5), during(8, inputs=OPEN)) == set()


def test_a_door_that_a_new_policy_finds_open_is_not_forced_but_the_next_time_it_is() -> None:
    assert signals(during(20, inputs=OPEN)) == set()
    assert signals(during(20, inputs=OPEN), during(1), during(1 / 16, inputs=OPEN)) == FORCED_OPEN


# --- properties over time

exact = st.integers(0, 64).map(lambda sixteenths: sixteenths / 16)
"""Seconds whose sums have no rounding errors."""


@st.composite
def crowds(draw: st.DrawFn) -> list[Track]:
    """Up to four people anywhere, each with an id."""
    ids = draw(st.lists(st.integers(1, 6), unique=True, max_size=4))
    box = st.builds(at, st.integers(0, 640), st.integers(0, 480), st.integers(40, 200))
    labels = st.sampled_from((WITH_MASK, WITH_MASK, WITH_MASK, *LABELS, UNKNOWN))
    drawn = st.builds(track, labels, box, exact, exact.map(lambda seconds: seconds / 8), st.booleans())
    return [replace(draw(drawn), id=one) for one in ids]


all_inputs = st.builds(Inputs, *[st.booleans()] * 4)
moments = st.builds(Moment, exact.map(lambda seconds: seconds / 4), crowds(), all_inputs | st.just(QUIET))
stories = st.lists(moments, max_size=12)


@given(stories, st.sampled_from(get_args(Mode)))
def test_no_story_ends_in_an_allow_that_not_every_face_earned(story: list[Moment], mode: Mode) -> None:
    for decision in run(story, mode):
        assert (decision.state == State.ALLOW) == earned(decision.tracks, decision.time)


@given(stories)
def test_no_story_releases_a_door_that_nobody_earned_or_asked_for(story: list[Moment]) -> None:
    allowed = -1000.0
    for decision, asked in zip(run(story), requests(story), strict=True):
        if decision.state in (State.ALLOW, State.DENY):
            allowed = decision.time if decision.state == State.ALLOW else -1000.0
        granted = decision.time - allowed <= DOOR.release_seconds
        assert Signal.RELEASE not in decision.signals or granted or asked


@given(stories)
def test_no_story_releases_a_door_that_only_indicates_unless_asked(story: list[Moment]) -> None:
    assert [Signal.RELEASE in one.signals for one in run(story, "indicate")] == requests(story)


def requests(story: list[Moment]) -> list[bool]:
    """Whether each moment is one of an override, or soon after a request to exit."""
    now, exit_at, asked = 0.0, -1000.0, []
    for moment in story:
        now += moment.seconds
        exit_at = now if moment.inputs.exit else exit_at
        asked.append(moment.inputs.override or now - exit_at <= DOOR.exit_seconds)
    return asked


@settings(max_examples=30)
@given(stories, st.randoms(use_true_random=False))
def test_the_order_of_the_faces_never_matters(story: list[Moment], random: st.DataObject) -> None:
    mixed = [replace(one, tracks=random.sample(one.tracks, len(one.tracks))) for one in story]
    said = [[(one.state, one.signals, set(one.tracks)) for one in run(told)] for told in (story, mixed)]
    assert said[0] == said[1]


@settings(max_examples=30)
@given(stories, st.integers(1, 1000000))
def test_only_differences_of_time_matter(story: list[Moment], seconds: int) -> None:
    now, later = run(story), run(story, start=seconds)
    assert [(one.state, one.signals) for one in now] == [(one.state, one.signals) for one in later]
