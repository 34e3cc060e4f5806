import pytest

from edge.values import Box


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
