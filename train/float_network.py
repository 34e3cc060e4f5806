"""A Keras model where the device has a Network: the same call, the same outputs, so that the same code reads both."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.values import Rgb

Floats = NDArray[np.float32]


class FloatNetwork:
    """A Keras model behind the interface of `edge.interpreter.Network`, so that the same code reads its outputs."""

    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        self._run = tf.function(lambda pixels: model(pixels, training=False), reduce_retracing=True)

    def invoke(self, rgb: Rgb) -> list[Floats]:
        """Run on one picture, uint8 (H, W, 3); the outputs, float32, the narrowest first: scores, then boxes."""
        outputs = self._run(rgb[np.newaxis].astype(np.float32))
        each = outputs.values() if isinstance(outputs, dict) else outputs
        found = list(each) if isinstance(outputs, dict | list | tuple) else [outputs]
        return [output.numpy() for output in narrowest_first(found)]


def narrowest_first(outputs: list[Any]) -> list[Any]:
    """Tensors by their last dimension: the locator's scores (1, N, 1) before its boxes (1, N, 4)."""
    return sorted(outputs, key=lambda output: int(output.shape[-1]))
