from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decide import DoorPolicy
from edge.settings import DecisionSettings, DoorSettings, Mode, ZoneSettings
from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Decision, Inputs, State, Track

SIZE = 640, 480
NOW = 100.0
LEFT_HALF = ZoneSettings(polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
SECONDS = DecisionSettings()
DOOR = DoorSettings()
NOBODY: tuple[Track, ...] = ()
QUIET, OPEN = Inputs(), Inputs(door_open=True)


def at(x: float, y: float, side: float = 100) -> Box:
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


MIDDLE = at(160, 240)


def track(label: str = WITH_MASK, box: Box = MIDDLE, held: float = 5, unseen: float = 0, moved: bool = True) -> Track:
    """A face that has had its label for `held` seconds, as long as it is known, and was seen `unseen` seconds ago."""
    return Track(1, box, label, 0.9, NOW - held, NOW - unseen, NOW - held, moved)


def policy(zone: ZoneSettings = LEFT_HALF, mode: Mode = "must_wear") -> DoorPolicy:
    return DoorPolicy(zone, SECONDS, DoorSettings(mode=mode))


def decide(*tracks: Track, zone: ZoneSettings = LEFT_HALF) -> Decision:
    """What a new policy decides on these faces, whatever their ids."""
    return policy(zone).update([replace(one, id=n) for n, one in enumerate(tracks)], SIZE, NOW)


def state(*tracks: Track, zone: ZoneSettings = LEFT_HALF) -> State:
    return decide(*tracks, zone=zone).state


inside = st.builds(at, st.floats(0, 320), st.floats(0, 480), st.floats(60, 300))
outside = st.builds(at, st.floats(325, 640), st.floats(0, 480), st.floats(10, 300))
too_far = st.builds(at, st.floats(0, 320), st.floats(0, 480), st.floats(1, 57))


def tracks(box: st.SearchStrategy[Box], labels: tuple[str, ...] = (*LABELS, UNKNOWN)) -> st.SearchStrategy[Track]:
    return st.builds(track, st.sampled_from(labels), box, st.floats(0, 2), st.floats(0, 1), st.booleans())


groups = st.lists(tracks(inside), max_size=5)


# --- the faces of one frame


def test_nobody_is_idle() -> None:
    assert state() == State.IDLE


def test_a_settled_mask_is_allowed_with_its_reason() -> None:
    decision = decide(track(), track())
    assert (decision.time, decision.state, decision.reason) == (NOW, State.ALLOW, "2 faces with_mask")


def test_a_mask_that_is_not_settled_is_being_checked() -> None:
    assert state(track(held=0.65)) == State.CHECKING
    assert state(track(held=0.75)) == State.ALLOW


@pytest.mark.parametrize("held", [0, 5])
@pytest.mark.parametrize("label", [WITHOUT_MASK, INCORRECT])
def test_a_wrong_face_denies_at_once(label: str, held: float) -> None:
    assert state(track(label, held=held)) == State.DENY


def test_a_bare_face_among_five_denies_and_the_reason_names_it() -> None:
    decision = decide(track(), track(), track(WITHOUT_MASK), track(), track())
    assert (decision.state, decision.reason) == (State.DENY, "1 face without_mask")
    assert len(decision.tracks) == 5


def test_the_reason_counts_each_wrong_label() -> None:
    decision = decide(track(INCORRECT), track(WITHOUT_MASK), track(INCORRECT), track())
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


# --- the zone


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


def counts(zone: ZoneSettings, *boxes: Box) -> list[bool]:
    """Whether one face counts, as it goes from box to box."""
    door = policy(zone)
    return [bool(door.update([track(box=box)], SIZE, NOW).tracks) for box in boxes]


def test_a_face_goes_on_counting_until_it_is_beyond_the_border_by_the_slack() -> None:
    places = (334, 319, 334, 336, 334)
    assert counts(LEFT_HALF, *(at(x, 240) for x in places)) == [False, True, True, False, False]


def test_a_face_goes_on_counting_until_it_is_too_low_by_the_slack() -> None:
    sides = (55, 58, 55, 48, 55)  # 57.6 pixels are 12 % of the frame, 49 with the slack
    assert counts(ZoneSettings(), *(at(160, 240, side) for side in sides)) == [False, True, True, False, False]


def test_the_slack_is_for_the_face_that_counted_and_for_nobody_else() -> None:
    door = policy()
    one, other = track(box=at(319, 240)), replace(track(), id=2, box=at(334, 240))
    assert door.update([one, other], SIZE, NOW).tracks == (one,)
    assert door.update([one, other], SIZE, NOW).tracks == (one,)


# --- pictures


def test_a_face_that_never_moved_is_not_allowed_and_the_reason_says_so() -> None:
    decision = decide(track(moved=False), track())
    assert (decision.state, decision.reason) == (State.CHECKING, "1 face yet to move, perhaps a picture")


@pytest.mark.parametrize(("label", "expected"), [(WITHOUT_MASK, State.DENY), (UNKNOWN, State.UNKNOWN)])
def test_a_face_that_never_moved_may_deny(label: str, expected: State) -> None:
    assert state(track(label, moved=False), track()) == expected


@pytest.mark.parametrize("label", [*LABELS, UNKNOWN])
def test_a_face_that_never_moved_for_still_seconds_is_a_picture_and_counts_no_longer(label: str) -> None:
    assert state(track(label, held=9.9, moved=False)) != State.IDLE
    assert state(track(label, held=10, moved=False)) == State.IDLE
    assert state(track(label, held=10, moved=False), track()) == State.ALLOW
    assert state(track(label, held=1000)) != State.IDLE


# --- properties of one frame


def earned(faces: Sequence[Track], now: float) -> bool:
    """Whether there are faces, and all are masked, settled, have moved and were seen of late."""
    return bool(faces) and all(
        one.label == WITH_MASK
        and one.moved
        and now - one.label_since >= SECONDS.settle_seconds
        and now - one.last_seen <= SECONDS.hold_seconds
        for one in faces
    )


@given(groups)
def test_allow_means_faces_that_are_all_masked_settled_moved_and_fresh(group: list[Track]) -> None:
    assert (state(*group) == State.ALLOW) == earned(group, NOW)


@given(groups, tracks(inside, (WITHOUT_MASK, INCORRECT)))
def test_a_wrong_face_added_to_any_group_denies(group: list[Track], wrong: Track) -> None:
    assert state(*group, wrong) == State.DENY


@given(groups.filter(bool), tracks(inside))
def test_one_more_face_never_wins_an_allow_for_those_who_had_none(group: list[Track], other: Track) -> None:
    assert state(*group) == State.ALLOW or state(*group, other) != State.ALLOW


@given(groups, st.lists(tracks(outside | too_far), max_size=3))
def test_faces_outside_the_zone_or_too_far_never_matter(group: list[Track], others: list[Track]) -> None:
    assert decide(*group, *others) == decide(*group)
