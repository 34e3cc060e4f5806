import numpy as np
import pytest

from edge.classify import softmax
from train.calibration import fit_temperature


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_the_scores_is_found_again(true: float):
    chance = np.random.default_rng(3)
    logits = chance.normal(0, 2, (5000, 3)).astype(np.float32)
    truth = np.array([chance.choice(3, p=each / each.sum()) for each in softmax(logits).astype(float)])
    assert fit_temperature(np.float32(true) * logits, truth) == pytest.approx(true, rel=0.1)


def test_scores_that_are_always_right_are_not_sharpened_for_ever():
    assert fit_temperature(np.eye(3, dtype=np.float32), np.arange(3)) >= 0.2
