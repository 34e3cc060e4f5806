"""The large convolution that `maskgate bench` takes for the most a runtime reaches: python -m convert.limit

It writes edge/bench/limit.tflite, 150 kB: 151 million multiply-adds in one operator. Its weights are random.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np

from edge.bench.limit import LIMIT
from edge.quiet import quiet

SIDE, CHANNELS = 32, 128


def large_convolution() -> bytes:
    """The .tflite file: INT8, 3x3, as many channels out as in."""
    with quiet(), contextlib.redirect_stdout(io.StringIO()):  # TensorFlow tells what it finds and misses
        import keras
        import tensorflow as tf

        kernels = keras.initializers.GlorotUniform(seed=0)
        convolution = keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="relu", kernel_initializer=kernels)
        cells = keras.Input(batch_shape=(1, SIDE, SIDE, CHANNELS))
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(cells, convolution(cells)))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        noise = np.random.default_rng(0).normal(size=(4, 1, SIDE, SIDE, CHANNELS)).astype(np.float32)
        converter.representative_dataset = lambda: ([sample] for sample in noise)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())


if __name__ == "__main__":
    LIMIT.write_bytes(large_convolution())
