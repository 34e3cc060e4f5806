"""Tell of each face crop whether a mask is worn, not worn, or worn incorrectly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.contract import ClassifierContract
from edge.errors import ModelError
from edge.values import LABELS, OUTPUTS, UNKNOWN, Classification, Rgb


class Model(Protocol):
    """What runs the network: `edge.interpreter.Network`, or a stand-in."""

    def invoke(self, rgb: Rgb) -> list[NDArray[np.float32]]: ...


class MaskClassifier:
    """The classifier's network with its contract."""

    def __init__(self, network: Model, contract: ClassifierContract) -> None:
        self._network = network
        self._contract = contract

    def classify(self, crops: Sequence[Rgb]) -> list[Classification]:
        """One classification a crop; each crop uint8 (size, size, 3) from `edge.preprocess.face_input`.

        Raises ModelError when the network gives what is no number.
        """
        return [self._classify(crop) for crop in crops]

    def _classify(self, crop: Rgb) -> Classification:
        (logits,) = self._network.invoke(crop)
        if not np.isfinite(logits).all():
            raise ModelError("the classifier gives what is no number; restart, or install the bundle again")
        return classification(softmax(logits[0] / self._contract.temperature), self._contract.score_threshold)


def classification(outputs: NDArray[np.float32], score_threshold: float) -> Classification:
    """What the probabilities of OUTPUTS, or of the first two or more of them, float32 (n,), say of a crop."""
    known = np.zeros(len(OUTPUTS))
    known[: len(outputs)] = outputs
    face = known[: len(LABELS)].sum()
    probabilities = known[: len(LABELS)] / max(float(face), 1e-9)
    best = int(probabilities.argmax())
    score = float(probabilities[best])
    label = LABELS[best] if score >= score_threshold else UNKNOWN
    without, with_mask, incorrect = map(float, probabilities)
    return Classification(label, score, (without, with_mask, incorrect), min(1.0, float(face)))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities that add up to 1, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
