from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from convert.operate import Seen, choose_score, lowest, seen
from edge.values import LABELS, WITH_MASK, WITHOUT_MASK, Box, Face, Rgb
from train.datasets import read_pictures
from train.measure import Matched

NOWHERE = Box(0, 0, 10, 10)


def picture(*false: float, found_from: Sequence[float] = (), empty: bool = False) -> Seen:
    """False detections of these scores, and faces found from these thresholds on."""
    boxes = (NOWHERE,) * len(found_from)
    return Seen(Matched(boxes, np.array(found_from, float), tuple(Face(NOWHERE, score) for score in false)), empty)


def test_the_lowest_threshold_within_the_false_detections_is_taken():
    pictures = [picture(0.3), picture(0.2, 0.4), *[picture()] * 98]
    assert lowest(pictures, 1.0) == pytest.approx(0.301)
    assert lowest(pictures, 2.0) == pytest.approx(0.201)
    assert lowest(pictures, 3.0) == 0.05


def test_the_stricter_of_two_limits_decides():
    pictures = [*[picture(0.6, empty=True)] * 2, *[picture(empty=True)] * 48, *[picture()] * 150]
    assert lowest(pictures, 5.0) == 0.05
    assert lowest(pictures, 5.0, 0.04) == 0.05
    assert lowest(pictures, 5.0, 0.03) == pytest.approx(0.601)


def test_without_face_free_pictures_only_false_detections_count():
    assert lowest([picture(0.5), picture()], 10.0, 0.0) == pytest.approx(0.501)


def test_where_no_threshold_is_good_enough_the_highest_is_taken():
    assert lowest([picture(1.0)], 5.0) == 1.0


def masked(scores: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of properly masked faces, and their labels."""
    rows = [[(1 - score) / 2, score, (1 - score) / 2] for score in scores]
    return np.array(rows, np.float32), np.full(len(rows), LABELS.index(WITH_MASK))


def test_one_in_a_hundred_masked_faces_may_be_unknown():
    scores = np.r_[0.6, 0.7005, np.full(98, 0.95)]
    assert choose_score(*masked(scores)) == pytest.approx(0.700)
    assert choose_score(*masked(scores[1:])) == pytest.approx(0.700)


def test_a_verdict_needs_a_score_of_a_half_at_least():
    assert choose_score(*masked([0.4] * 100)) == 0.5
    bare = np.array([[0.99, 0.01, 0.0]], np.float32), np.array([LABELS.index(WITHOUT_MASK)])
    assert choose_score(*bare) == 0.5


def test_a_sure_classifier_still_may_be_a_little_less_so():
    assert choose_score(*masked([1.0] * 100)) == 0.9


class Corner:
    """Finds a face in the same corner of every picture."""

    def locate(self, rgb: Rgb) -> list[Face]:
        return [Face(Box(500, 500, 540, 540), 0.4)]


def test_face_free_pictures_are_known_by_their_having_no_box(photos: Path):
    found = seen(read_pictures(photos), Corner())
    assert sum(each.empty for each in found) == 9
    assert all(len(each.matched.false) == 1 for each in found)
