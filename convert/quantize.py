"""Full INT8 post-training quantisation: weights, activations, input and outputs, batch 1.

The nested network alone is converted. Its INT8 input, scale and zero point, does what the layer "normalise" did, so
that the device feeds pixel minus 128 and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from convert.float_model import network_input, static_network
from convert.graph import Graph, read_graph
from edge.errors import InputError
from edge.interpreter import tensors_of
from edge.quiet import quiet
from edge.values import Rgb


def quantize(model: Any, pictures: Iterable[Rgb]) -> bytes:
    """The INT8 .tflite of a Keras model (see `float_model`), its ranges taken from the calibration pictures.

    pictures: uint8 (H, W, 3) of the model's input size. Raises InputError, naming the operators, where the model holds
    any that has no INT8 form, and where its input would need more than minus 128.
    """
    samples = [network_input(model, rgb) for rgb in (*pictures, both_ends(*model.input_shape[1:3]))]
    content = _convert(static_network(model), samples)
    graph = read_graph(content)
    if left := float_operators(graph):
        raise InputError(f"the INT8 model would still compute in float: {', '.join(left)}; use other layers")
    _check_input(model, content)
    return content


def both_ends(height: int, width: int) -> Rgb:
    """A picture half black, half white: it makes the input's range exactly that of its pixels."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[height // 2 :] = 255
    return rgb


def float_operators(graph: Graph) -> list[str]:
    """Names of the operators that take or give anything but integers."""
    found = [
        operator.name
        for operator in graph.operators
        if any("FLOAT" in tensor.dtype for tensor in operator.inputs + operator.outputs)
    ]
    return list(dict.fromkeys(found))


def _convert(network: Any, samples: list[Any]) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    # the Edge TPU wants one scale for a dense layer's weights
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    try:
        with _quietly():
            return bytes(converter.convert())
    except Exception as error:  # the converter raises its own, RuntimeError and ValueError alike
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(f"the model cannot be made INT8: {reason.strip()}") from error


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the converter's page about every variable, and its warning about ranges that the samples give."""
    nothing = io.StringIO()
    with quiet(), contextlib.redirect_stdout(nothing), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_input(model: Any, content: bytes) -> None:
    """InputError unless integer q, as the INT8 input takes it, means what the network sees of pixel q + 128."""
    (tensor,), _ = tensors_of(content)
    seen = network_input(model, both_ends(*model.input_shape[1:3]))
    means = [(q - tensor.zero_point) * tensor.scale for q in (-128, 127)]
    if not np.allclose([seen.min(), seen.max()], means, rtol=1e-5, atol=tensor.scale / 100):
        raise InputError(
            f"the INT8 input has scale {tensor.scale:g}, zero point {tensor.zero_point}, that is {means[0]:g} to "
            f"{means[1]:g}, but the network sees pixels 0 to 255 as {seen.min():g} to {seen.max():g}; "
            f"normalise by x / 128 - 1"
        )
