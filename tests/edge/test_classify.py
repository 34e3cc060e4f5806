import numpy as np
import pytest

from edge.classify import MaskClassifier, softmax
from edge.contract import ClassifierContract, Tensor
from edge.values import LABELS, OUTPUTS

ANY = Tensor((), 1.0, 0)
CROP = np.zeros((32, 32, 3), np.uint8)


class Network:
    def __init__(self, *logits):
        self.logits = np.array([logits], np.float32)

    def invoke(self, rgb):
        return [self.logits]


def classify(logits, temperature=1.0, score_threshold=0.6):
    labels = OUTPUTS[: len(logits)]
    contract = ClassifierContract("", "", 32, "RGB", ANY, ANY, labels, 0.1, temperature, score_threshold)
    return MaskClassifier(Network(*logits), contract).classify([CROP])[0]


@pytest.mark.parametrize(
    ("logits", "label"), [((9, 0, 0), "without_mask"), ((0, 9, 0), "with_mask"), ((0, 0, 9), "incorrect")]
)
def test_the_label_is_the_likeliest(logits, label):
    verdict = classify(logits)
    assert verdict.label == label and verdict.score > 0.99
    assert sum(verdict.probabilities) == pytest.approx(1)


def test_a_label_that_is_not_sure_enough_is_unknown():
    assert classify((0.2, 0.1, 0)).label == "unknown"


def test_what_is_no_face_takes_nothing_from_the_labels():
    sure, doubtful = classify((0, 3, 0, -9)), classify((0, 3, 0, 9))
    assert sure.face > 0.99 and doubtful.face < 0.01
    assert doubtful.probabilities == pytest.approx(sure.probabilities, abs=1e-3)


def test_a_network_of_two_labels_never_tells_of_the_third():
    verdict = classify((3, 0))
    assert (verdict.label, verdict.probabilities[2], verdict.face) == ("without_mask", 0.0, pytest.approx(1.0))


def test_temperature_makes_a_network_less_sure_of_the_same_label():
    hot, cold = classify((0, 2, 0), temperature=2), classify((0, 2, 0))
    assert hot.score == pytest.approx(softmax(np.array([0, 1, 0], np.float32))[1])
    assert hot.score < cold.score


def test_no_crop_gives_no_classification():
    contract = ClassifierContract("", "", 32, "RGB", ANY, ANY, LABELS, 0.1, 1.0, 0.5)
    assert MaskClassifier(Network(0, 0, 0), contract).classify([]) == []


def test_softmax_bears_large_numbers():
    assert softmax(np.array([1000, 0, -1000], np.float32)).tolist() == [1, 0, 0]
