from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decide import DoorPolicy
from edge.settings import DecisionSettings, ZoneSettings
from edge.track import Tracker
from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged, State, Track

SIZE = 640, 480
NOW = 100.0
LEFT_HALF = ZoneSettings(polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
SECONDS = DecisionSettings()


def at(x: float, y: float, side: float = 100) -> Box:
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


MIDDLE = at(160, 240)


def track(label: str = WITH_MASK, box: Box = MIDDLE, held: float = 5, unseen: float = 0) -> Track:
    """A face that has had its label for `held` seconds and was seen `unseen` seconds ago."""
    return Track(1, box, label, 0.9, NOW - held, NOW - unseen, NOW - held)


def state(*tracks: Track, zone: ZoneSettings = LEFT_HALF) -> State:
    return DoorPolicy(zone, SECONDS).update(tracks, SIZE, NOW).state


inside = st.builds(at, st.floats(0, 320), st.floats(0, 480), st.floats(60, 300))
outside = st.builds(at, st.floats(325, 640), st.floats(0, 480), st.floats(10, 300))
too_far = st.builds(at, st.floats(0, 320), st.floats(0, 480), st.floats(1, 57))


def tracks(box: st.SearchStrategy[Box], labels: tuple[str, ...] = (*LABELS, UNKNOWN)) -> st.SearchStrategy[Track]:
    return st.builds(track, st.sampled_from(labels), box, st.floats(0, 2), st.floats(0, 1))


groups = st.lists(tracks(inside), max_size=5)


def test_nobody_is_idle() -> None:
    assert state() == State.IDLE


def test_a_settled_mask_is_allowed_with_its_reason() -> None:
    decision = DoorPolicy(LEFT_HALF, SECONDS).update([track(), track()], SIZE, NOW)
    assert (decision.time, decision.state, decision.reason) == (NOW, State.ALLOW, "2 faces with_mask")


def test_a_mask_that_is_not_settled_is_being_checked() -> None:
    assert state(track(held=0.65)) == State.CHECKING
    assert state(track(held=0.75)) == State.ALLOW


@pytest.mark.parametrize("held", [0, 5])
@pytest.mark.parametrize("label", [WITHOUT_MASK, INCORRECT])
def test_a_wrong_face_denies_at_once(label: str, held: float) -> None:
    assert state(track(label, held=held)) == State.DENY


def test_a_bare_face_among_five_denies_and_the_reason_names_it() -> None:
    five = [track(), track(), track(WITHOUT_MASK), track(), track()]
    decision = DoorPolicy(LEFT_HALF, SECONDS).update(five, SIZE, NOW)
    assert (decision.state, decision.reason) == (State.DENY, "1 face without_mask")
    assert decision.tracks == tuple(five)


def test_the_reason_counts_each_wrong_label() -> None:
    three = [track(INCORRECT), track(WITHOUT_MASK), track(INCORRECT), track()]
    decision = DoorPolicy(LEFT_HALF, SECONDS).update(three, SIZE, NOW)
    assert decision.reason == "2 faces incorrect, 1 face without_mask"


def test_a_face_that_cannot_be_judged_is_unknown_once_it_was_tried_long_enough() -> None:
    assert state(track(UNKNOWN, held=0.5)) == State.CHECKING
    assert state(track(UNKNOWN)) == State.UNKNOWN
    assert state(track(UNKNOWN), track()) == State.UNKNOWN


def test_somebody_new_costs_the_others_their_allow() -> None:
    assert state(track(), track(UNKNOWN, held=0)) == State.CHECKING


def test_a_masked_face_is_carried_for_hold_seconds_and_no_longer() -> None:
    assert state(track(unseen=0.45)) == State.ALLOW
    assert state(track(unseen=0.55)) == State.CHECKING
    assert state(track(), track(unseen=0.55)) == State.CHECKING


def test_a_face_on_the_zones_edge_counts() -> None:
    assert state(track(WITHOUT_MASK, at(320, 240))) == State.DENY


def test_a_face_whose_centre_lies_beyond_the_frame_counts_for_the_zone_at_that_border() -> None:
    assert state(track(WITHOUT_MASK, at(-20, -20))) == State.DENY


def test_without_a_polygon_the_whole_frame_is_the_zone() -> None:
    assert state(track(WITHOUT_MASK, at(600, 470)), zone=ZoneSettings()) == State.DENY


def test_a_face_in_the_notch_of_a_zone_does_not_count() -> None:
    notched = ZoneSettings(polygon=((0, 0), (0.5, 0.5), (1, 0), (1, 1), (0, 1)))
    assert state(track(WITHOUT_MASK, at(320, 100)), zone=notched) == State.IDLE
    assert state(track(WITHOUT_MASK, at(320, 300)), zone=notched) == State.DENY


@given(groups)
def test_allow_means_that_there_are_faces_and_all_are_masked_settled_and_fresh(group: list[Track]) -> None:
    good = [
        one.label == WITH_MASK
        and NOW - one.label_since >= SECONDS.settle_seconds
        and NOW - one.last_seen <= SECONDS.hold_seconds
        for one in group
    ]
    assert (state(*group) == State.ALLOW) == (bool(good) and all(good))


@given(groups, tracks(inside, (WITHOUT_MASK, INCORRECT)))
def test_a_wrong_face_added_to_any_group_denies(group: list[Track], wrong: Track) -> None:
    assert state(*group, wrong) == State.DENY


@given(groups.filter(bool), tracks(inside))
def test_one_more_face_never_wins_an_allow_for_those_who_had_none(group: list[Track], other: Track) -> None:
    assert state(*group) == State.ALLOW or state(*group, other) != State.ALLOW


@given(groups, st.lists(tracks(outside | too_far), max_size=3))
def test_faces_outside_the_zone_or_too_far_never_matter(group: list[Track], others: list[Track]) -> None:
    policy = DoorPolicy(LEFT_HALF, SECONDS)
    assert policy.update([*others, *group], SIZE, NOW) == policy.update(group, SIZE, NOW)


@given(st.permutations([track(), track(WITHOUT_MASK), track(UNKNOWN), track(held=0)]))
def test_the_order_of_the_faces_never_matters(group: list[Track]) -> None:
    assert state(*group) == State.DENY


# --- in time: tracker and policy together, on a scene given as what is seen when


Scene = Callable[[float], list[str]]
"""The labels of those in view at a time; each stands in a place of its own."""


def changes(scene: Scene, rate: float, until: float) -> list[tuple[float, State]]:
    """Each change of state with its time."""
    tracker, policy = Tracker(SECONDS), DoorPolicy(ZoneSettings(), SECONDS)
    found: list[tuple[float, State]] = []
    for n in range(int(until * rate)):
        seen = [face(label, place) for place, label in enumerate(scene(n / rate)) if label]
        decision = policy.update(tracker.update(seen, n / rate), SIZE, n / rate)
        if not found or found[-1][1] != decision.state:
            found.append((n / rate, decision.state))
    return found


def face(label: str, place: int) -> Judged:
    without, with_mask, incorrect = (0.96 if one == label else 0.02 for one in LABELS)
    return Judged(at(80 + 160 * place, 240), 0.9, Classification(label, 0.96, (without, with_mask, incorrect)))


def test_a_masked_visitor_is_checked_allowed_and_forgotten() -> None:
    seen = changes(lambda time: [WITH_MASK] if 1 <= time < 4 else [], 25, 6)
    assert [one for _, one in seen] == [State.IDLE, State.CHECKING, State.ALLOW, State.IDLE]
    assert [time for time, _ in seen] == pytest.approx([0, 1, 2.1, 4.5], abs=0.05)


def test_a_mask_that_comes_down_costs_the_allow_within_half_a_second() -> None:
    seen = changes(lambda time: [WITH_MASK] if time < 3 else [WITHOUT_MASK], 25, 5)
    assert seen[-1][1] == State.DENY
    assert 3 < seen[-1][0] < 3.5


@pytest.mark.parametrize("rate", [5, 25])
def test_a_bare_face_for_one_frame_neither_denies_nor_costs_an_allow(rate: float) -> None:
    seen = changes(lambda time: [WITHOUT_MASK] if 3 <= time < 3 + 0.99 / rate else [WITH_MASK], rate, 6)
    assert [one for _, one in seen] == [State.CHECKING, State.ALLOW]


def test_nobody_slips_in_on_the_allow_of_another() -> None:
    seen = changes(lambda time: [WITH_MASK, WITH_MASK if time >= 3 else ""], 25, 6)
    assert [one for _, one in seen] == [State.CHECKING, State.ALLOW, State.CHECKING, State.ALLOW]
    assert [time for time, _ in seen][2:] == pytest.approx([3, 4.1], abs=0.05)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Scene, float]:
    """One visitor whose look changes every few seconds, and how long that takes."""
    looks = draw(st.lists(st.sampled_from(["", *LABELS, UNKNOWN]), min_size=1, max_size=5))
    seconds = [draw(st.floats(2, 3)) for _ in looks]
    ends = [sum(seconds[: n + 1]) for n in range(len(looks))]

    def scene(time: float) -> list[str]:
        return next(([look] for look, end in zip(looks, ends, strict=True) if time < end), [""])

    return scene, ends[-1] + 2


@settings(max_examples=30)
@given(scenes())
def test_the_same_scene_gives_the_same_states_at_any_frame_rate(scene_and_end: tuple[Scene, float]) -> None:
    scene, end = scene_and_end
    slow, medium, fast = (changes(scene, rate, end) for rate in (5, 15, 50))
    for one, other in combinations([slow, medium, fast], 2):
        assert [state for _, state in one] == [state for _, state in other]
        assert [time for time, _ in one] == pytest.approx([time for time, _ in other], abs=1 / 5)
