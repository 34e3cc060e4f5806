import json

import numpy as np
import pytest

from edge.contract import load_bundle
from edge.values import WITH_MASK, WITHOUT_MASK, Box, Classification, Judged
from train.evaluation.agreement import agreement, float_models, paired_drop
from train.evaluation.verdicts import JudgedPicture, count
from train.readers import LabelledBox

PLACE = Box(10, 10, 30, 35)
MASKED, BARE = Classification(WITH_MASK, 0.9, (0.05, 0.9, 0.05)), Classification(WITHOUT_MASK, 0.9, (0.9, 0.05, 0.05))


def counted(*said):
    found = tuple(Judged(PLACE, 0.9, each) for each in said)
    return count(JudgedPicture("one.jpg", "door", 100, (LabelledBox(WITH_MASK, PLACE),), (), found))


def test_a_face_that_only_one_of_both_finds_lowers_the_recall():
    found = agreement([counted(MASKED), counted(MASKED)], [counted(MASKED), counted()], [])
    assert (found["recall_drop"]["value"], found["recall_drop"]["worse"]) == (50, 1)
    assert found["pipeline"]["n"] == 1


def test_crops_on_which_both_differ_are_counted():
    found = agreement([], [], [(WITH_MASK, MASKED, BARE), (WITH_MASK, MASKED, MASKED)])
    assert found["likeliest"]["count"] == found["labels"]["count"] == 1
    assert found["accuracy_drop"]["value"] == 50


def test_equal_hits_drop_by_nothing_within_an_interval_that_shrinks():
    few, many = (paired_drop(np.ones(n, bool), np.ones(n, bool)) for n in (10, 1000))
    assert few["value"] == many["value"] == 0
    assert few["high"] > 10 * many["high"] > 0


def test_a_clear_drop_has_an_interval_above_nothing():
    after = np.arange(200) >= 20
    drop = paired_drop(np.ones(200, bool), after)
    assert 0 < drop["low"] < drop["value"] < drop["high"]
    # Agresti and Min 2005: (20 - 0) / 202, plus and minus 1.96 sqrt(21 / 202 - (20 / 202)^2) / sqrt(202)
    assert (drop["low"], drop["high"]) == pytest.approx((5.669, 14.133), abs=0.01)


def test_no_pair_has_no_drop():
    assert paired_drop(np.zeros(0, bool), np.zeros(0, bool))["value"] is None


def test_models_of_another_training_are_not_compared(tmp_path):
    assert float_models(tmp_path, load_bundle()) is None
    for part in ("locator", "classifier"):
        (tmp_path / f"{part}.keras").touch()
        (tmp_path / f"{part}.json").write_text(json.dumps({"training": {"seed": 4711}}))
    assert float_models(tmp_path, load_bundle()) is None
