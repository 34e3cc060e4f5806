import pytest

from edge.settings import DecisionSettings
from edge.track import Tracker
from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged, Track

SIDE = 100


def judged(label: str = WITH_MASK, x: float = 300, y: float = 200, sure: float = 0.96) -> Judged:
    """A face of 100 x 100 pixels around x, y."""
    rest = (1 - sure) / 2
    without, with_mask, incorrect = (sure if one == label else rest for one in LABELS)
    box = Box(x - SIDE / 2, y - SIDE / 2, x + SIDE / 2, y + SIDE / 2)
    return Judged(box, 0.9, Classification(label, sure, (without, with_mask, incorrect)))


def show(tracker: Tracker, label: str, start: float, seconds: float, rate: float = 25) -> list[Track]:
    """The one track after each frame, while a still face gets the same verdict."""
    return [tracker.update([judged(label)], start + n / rate)[0] for n in range(round(seconds * rate))]


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(DecisionSettings())


def test_a_still_face_keeps_its_id(tracker: Tracker) -> None:
    assert {track.id for track in show(tracker, WITH_MASK, 0, 2)} == {1}


def test_a_new_face_is_unknown_at_first(tracker: Tracker) -> None:
    (track,) = tracker.update([judged(WITH_MASK)], 5.0)
    assert (track.label, track.first_seen, track.label_since) == (UNKNOWN, 5.0, 5.0)


@pytest.mark.parametrize("label", LABELS)
def test_a_sure_verdict_becomes_the_label_within_four_tenths_of_a_second(tracker: Tracker, label: str) -> None:
    tracks = show(tracker, label, 0, 1)
    first = next(track for track in tracks if track.label == label)
    assert 0.3 < first.last_seen <= 0.44
    assert tracks[-1].label_since == first.last_seen


@pytest.mark.parametrize("rate", [5, 25])
def test_one_bare_verdict_does_not_outvote_a_mask(tracker: Tracker, rate: float) -> None:
    show(tracker, WITH_MASK, 0, 3, rate)
    (bare,) = show(tracker, WITHOUT_MASK, 3, 1 / rate, rate)
    assert bare.label == WITH_MASK
    assert bare.label_since < 1


@pytest.mark.parametrize("label", [WITHOUT_MASK, INCORRECT])
def test_a_mask_that_comes_down_costs_the_label_within_half_a_second(tracker: Tracker, label: str) -> None:
    show(tracker, WITH_MASK, 0, 3)
    changed = next(track for track in show(tracker, label, 3, 1) if track.label != WITH_MASK)
    assert changed.label == label
    assert changed.last_seen - 3 < 0.5


def test_a_masked_face_keeps_its_label_while_its_weight_is_between_the_two_thresholds(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 3)
    doubtful = [tracker.update([judged(WITH_MASK, sure=0.5)], 3 + n / 25)[0] for n in range(100)]
    assert {track.label for track in doubtful} == {WITH_MASK}
    assert doubtful[-1].score == pytest.approx(0.5, abs=0.01)


def test_a_doubtful_mask_never_becomes_the_label(tracker: Tracker) -> None:
    tracks = [tracker.update([judged(WITH_MASK, sure=0.55)], n / 25)[0] for n in range(100)]
    assert WITH_MASK not in {track.label for track in tracks}


def test_verdicts_that_waver_between_bare_and_incorrect_do_not_make_the_label_waver(tracker: Tracker) -> None:
    show(tracker, WITHOUT_MASK, 0, 2)
    tracks = [tracker.update([judged((WITHOUT_MASK, INCORRECT)[n % 2])], 2 + n / 25)[0] for n in range(100)]
    assert {track.label for track in tracks} == {WITHOUT_MASK}


def test_unsure_verdicts_take_the_label_away(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 3)
    assert show(tracker, UNKNOWN, 3, 1)[-1].label == UNKNOWN


@pytest.mark.parametrize("rate", [5, 15, 50])
def test_the_same_change_of_verdict_changes_the_label_at_the_same_time_at_any_frame_rate(rate: float) -> None:
    tracker = Tracker(DecisionSettings())
    show(tracker, WITH_MASK, 0, 3, rate)
    changed = next(track for track in show(tracker, WITHOUT_MASK, 3, 1, rate) if track.label != WITH_MASK)
    assert changed.last_seen - 3.37 == pytest.approx(0, abs=1 / rate)


def test_without_time_to_vote_over_the_last_verdict_is_the_label() -> None:
    tracker = Tracker(DecisionSettings(vote_seconds=0))
    labels = [tracker.update([judged(label)], n / 5)[0].label for n, label in enumerate(LABELS)]
    assert labels == list(LABELS)


def test_a_face_that_is_not_found_stays_for_hold_seconds(tracker: Tracker) -> None:
    seen = show(tracker, WITH_MASK, 0, 2)[-1]
    assert tracker.update([], seen.last_seen + 0.25) == (seen,)
    assert tracker.update([], seen.last_seen + 0.5) == (seen,)
    assert tracker.update([], seen.last_seen + 0.55) == ()


def test_without_hold_seconds_a_face_that_is_not_found_is_gone_but_one_that_is_found_goes_on() -> None:
    tracker = Tracker(DecisionSettings(hold_seconds=0))
    assert show(tracker, WITH_MASK, 0, 2)[-1].id == 1
    assert tracker.update([], 2.0) == ()


def test_a_face_found_again_within_hold_seconds_goes_on(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 2)
    tracker.update([], 2.2)
    (again,) = tracker.update([judged(WITH_MASK)], 2.4)
    assert (again.id, again.label) == (1, WITH_MASK)


def test_a_face_found_after_a_long_gap_between_frames_is_a_new_one(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 2)
    (late,) = tracker.update([judged(WITH_MASK)], 8.0)
    assert late.id == 2


def test_a_face_elsewhere_is_a_new_one(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 2)
    held, new = tracker.update([judged(WITH_MASK, x=900)], 2.0)
    assert (held.id, new.id, new.label) == (1, 2, UNKNOWN)


def test_a_face_of_quite_another_size_in_the_same_place_is_a_new_one(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 2)
    far = Judged(Box(285, 185, 315, 215), 0.9, judged().classification)
    assert {track.id for track in tracker.update([far], 2.0)} == {1, 2}


@pytest.mark.parametrize("rate", [5, 15, 50])
def test_a_walk_past_the_camera_is_one_face_at_any_frame_rate(tracker: Tracker, rate: float) -> None:
    walk = [tracker.update([judged(x=100 + 500 * n / rate)], n / rate) for n in range(round(2 * rate))]
    assert {track.id for tracks in walk for track in tracks} == {1}


@pytest.mark.parametrize("rate", [5, 25])
def test_neighbours_keep_their_ids_in_whatever_order_they_are_found(tracker: Tracker, rate: float) -> None:
    for n in range(20):
        both = [judged(WITH_MASK, x=300 + n), judged(WITHOUT_MASK, x=450 + n)]
        left, right = tracker.update(both[:: (-1) ** n], n / rate)
        assert (left.id, right.id) == (1, 2)
        assert left.box.x_min < right.box.x_min
    assert (left.label, right.label) == (WITH_MASK, WITHOUT_MASK)


def test_two_faces_in_the_place_of_one_are_two(tracker: Tracker) -> None:
    show(tracker, WITH_MASK, 0, 2)
    assert len(tracker.update([judged(x=290), judged(x=330)], 2.0)) == 2
