import cv2
import pytest

from edge.values import LABELS, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged
from train.evaluation.risk import plot_risk, risk
from train.evaluation.verdicts import Verdict
from train.readers import COVERED, FACE, LabelledBox

PLACE = Box(10, 10, 30, 35)


def verdict(truth, called, score):
    rest = (1 - score) / 2
    probabilities = tuple(score if label == called else rest for label in LABELS)
    return Verdict(LabelledBox(truth, PLACE), Judged(PLACE, 0.9, Classification(called, score, probabilities)))


VERDICTS = [
    verdict(WITH_MASK, WITH_MASK, 0.9),
    verdict(WITHOUT_MASK, WITHOUT_MASK, 0.8),
    verdict(WITH_MASK, WITHOUT_MASK, 0.7),
    verdict(COVERED, WITH_MASK, 0.6),
    verdict(FACE, WITH_MASK, 0.95),
    Verdict(LabelledBox(WITH_MASK, PLACE), None),
]


def test_what_is_refused_and_what_is_left_wrong_at_the_bundle_s_threshold():
    found = risk(VERDICTS, 0.65)
    assert (found["refused"]["count"], found["refused"]["n"]) == (1, 4)
    assert (found["wrong"]["count"], found["wrong"]["n"]) == (1, 3)
    assert found["false_accepts"]["count"] == 0


def test_the_curve_refuses_more_as_the_threshold_rises():
    curve = risk(VERDICTS, 0.65)["curve"]
    assert curve[0] == pytest.approx([0.6, 0, 0.5, 0.25])
    assert curve[-1] == pytest.approx([0.9, 0.75, 0, 0])


def test_no_face_gives_an_empty_curve():
    assert risk([], 0.5)["curve"] == []


def test_the_plot_has_a_panel_for_each_set(tmp_path):
    plot_risk(tmp_path / "risk.png", {"test": risk(VERDICTS, 0.65), "none": risk([], 0.5)})
    assert cv2.imread(str(tmp_path / "risk.png")).std() > 10
