"""Scores that mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edge.classify import softmax


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The temperature under which the probabilities fit the labels best (Guo et al. 2017), 0.2 to 5.

    logits: float32 (n, labels). truth: the number of each one's label, int64 (n,).
    """

    def surprise(temperature: float) -> float:
        probabilities = softmax(logits / np.float32(temperature))
        return float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-9).mean())

    return float(minimize_scalar(surprise, bounds=(0.2, 5.0), method="bounded").x)
