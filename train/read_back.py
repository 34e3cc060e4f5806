"""A bundle's classifier as a Keras model that can go on learning: its INT8 weights, turned into real numbers again.

What convert put into one (a convolution and the batch normalisation after it) is taken apart so that each kernel has
the size of a fresh one and the normalisation holds the rest; otherwise a step of training would be nothing to one
channel and too much to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from keras import layers
from numpy.typing import NDArray

from edge.contract import Bundle
from edge.errors import InputError
from edge.interpreter import Network
from edge.values import Rgb
from train import backbones

Floats = NDArray[np.float32]

KINDS = schema.BuiltinOperator
WITH_KERNEL = (KINDS.CONV_2D, KINDS.DEPTHWISE_CONV_2D, KINDS.FULLY_CONNECTED)
FRESH = np.float32(2**0.5)
"""Length of one channel's kernel in a network that was not trained yet (He et al. 2015)."""


def read_back(bundle: Bundle, dropout: float = 0.0) -> keras.Model:
    """Raises InputError for an architecture whose weights cannot be told apart; see also `check_same`."""
    contract = bundle.contract.classifier
    arch = str(bundle.contract.training.get("classifier", {}).get("arch", "of unknown architecture"))
    if arch not in (*backbones.BODIES, "seed"):
        raise _unknown(bundle, arch)
    model = backbones.classifier(arch, contract.size, "none", len(contract.labels), dropout)
    network = model.get_layer("network")
    known = list(_weights(bundle.classifier_file))
    steps = _steps(network.layers)
    if [kernel.shape for kernel, _ in known] != [layer.get_weights()[0].shape for layer, _ in steps]:
        raise _unknown(bundle, arch)
    for (layer, normalisation), (kernel, bias) in zip(steps, known, strict=True):
        _set(layer, normalisation, kernel, bias)
    backbones.freeze_statistics(network)
    return model


def check_same(model: keras.Model, bundle: Bundle, pictures: Sequence[Rgb]) -> None:
    """InputError unless the model's logits for crops, uint8 (size, size, 3), are those of the bundle's classifier.

    They may differ by one step of its INT8 logits on average; rounding explains half of that.
    """
    contract = bundle.contract.classifier
    network = Network(bundle.classifier_file, contract.input, [contract.logits])
    theirs = np.array([network.invoke(rgb)[0][0] for rgb in pictures])
    ours = np.asarray(model.predict(np.stack(pictures).astype(np.float32), batch_size=64, verbose=0))
    if not (apart := float(np.abs(ours - theirs).mean())) < contract.logits.scale:
        raise InputError(
            f"{bundle.folder}: its classifier cannot be read back, the logits come out {apart:.2f} apart; "
            "give the Keras model that it was made from with --weights"
        )


def _unknown(bundle: Bundle, arch: str) -> InputError:
    return InputError(
        f"{bundle.folder}: the weights of a classifier {arch} cannot be read back; give the Keras model that it was "
        "made from with --weights"
    )


def _steps(all_layers: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each layer with a kernel, and the batch normalisation right after it or None, in the order they run."""
    found: list[tuple[Any, Any]] = []
    for layer in all_layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            found.append((layer, None))
        elif isinstance(layer, layers.BatchNormalization) and found:
            found[-1] = found[-1][0], layer
    return found


def _set(layer: Any, normalisation: Any, kernel: Floats, bias: Floats) -> None:
    if normalisation is None:
        layer.set_weights([kernel, bias])
        return
    axes = (0, 1, 3) if isinstance(layer, layers.DepthwiseConv2D) else (0, 1, 2)
    size = np.maximum(np.sqrt((kernel**2).sum(axis=axes, keepdims=True)) / FRESH, np.float32(1e-9))
    own = [np.zeros_like(bias)] if layer.use_bias else []
    layer.set_weights([kernel / size, *own])
    # nothing is left to normalise: mean 0 and variance 1, less what Keras adds to it
    normalisation.set_weights([size.ravel(), bias, np.zeros_like(bias), np.full_like(bias, 1 - normalisation.epsilon)])


def _weights(file: Path) -> Iterator[tuple[Floats, Floats]]:
    """Kernel, as Keras lays it out, and bias of each convolution and dense layer of a .tflite file, in its order."""
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    for operator in graph.operators:
        if codes[operator.opcodeIndex] in WITH_KERNEL:
            kernel, bias = (_real(graph.tensors[k], model.buffers) for k in operator.inputs[1:3])
            # out first, whatever follows; in Keras out comes last, and of a depthwise kernel the lone one
            yield kernel.transpose(*range(1, kernel.ndim), 0), bias


def _real(tensor: Any, buffers: Sequence[Any]) -> Floats:
    """The real values of a constant, by its scales: one, or one for each index of its quantised dimension."""
    kind = {schema.TensorType.INT8: "<i1", schema.TensorType.INT32: "<i4"}[tensor.type]
    integers = np.frombuffer(bytes(buffers[tensor.buffer].data), kind).reshape(tensor.shape)
    scales = np.asarray(tensor.quantization.scale, np.float32)
    shape = [1] * integers.ndim
    shape[tensor.quantization.quantizedDimension] = -1
    return np.asarray(integers * scales.reshape(shape), np.float32)
