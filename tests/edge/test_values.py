import pytest

from edge.values import Box, Decision, Signal, State


@pytest.mark.parametrize(
    ("other", "overlap"),
    [(Box(0, 0, 10, 10), 1), (Box(5, 0, 15, 10), 1 / 3), (Box(10, 0, 20, 10), 0), (Box(2, 2, 4, 4), 0.04)],
)
def test_overlap_is_what_is_shared_over_what_is_covered(other, overlap):
    box = Box(0, 0, 10, 10)
    assert box.iou(other) == other.iou(box) == pytest.approx(overlap)


def test_a_box_knows_its_size_and_centre():
    box = Box(2, 4, 8, 14)
    assert (box.width, box.height, box.centre) == (6, 10, (5, 9))


def test_decisions_are_of_one_kind_when_they_tell_people_the_same():
    def kind(state, reason, *signals):
        return Decision(1.0, state, reason, (), frozenset(signals)).kind

    assert kind(State.ALLOW, "1 face") == kind(State.ALLOW, "2 faces") != kind(State.ALLOW, "1 face", Signal.RELEASE)
    old = kind(State.FAULT, "the frame is 0.61 s old")
    assert old == kind(State.FAULT, "the frame is 0.73 s old") != kind(State.FAULT, "the picture is black")
