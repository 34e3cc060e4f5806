"""What is in a .tflite file: its operators, read from the file before a runtime rewrites them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor of the graph.

    dtype: as the format names it, "INT8". constant: its values lie in the file.
    fixed: no dimension is left to run time. scales: how many scales it has; 0 = not quantised, 1 = per tensor.
    """

    name: str
    shape: Shape
    dtype: str = "INT8"
    constant: bool = False
    fixed: bool = True
    scales: int = 1


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of the graph.

    name: as the format names it, "CONV_2D". options: its settings, "fused_activation": "RELU" and so on.
    values: the numbers in its small constant inputs (axes, shapes, paddings), by the input's position.
    """

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    options: dict[str, Any] = field(default_factory=dict)
    values: dict[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """A model: its operators in the order they run."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]
    subgraphs: int = 1


def read_graph(model: bytes | Path) -> Graph:
    """The graph of a .tflite file, or of its bytes."""
    content = model.read_bytes() if isinstance(model, Path) else model
    parsed = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = parsed.subgraphs[0]
    tensors = [_tensor(tensor, parsed.buffers) for tensor in graph.tensors]
    pick = _picker(tensors)
    operators = tuple(_operator(each, parsed, graph, pick) for each in graph.operators)
    return Graph(pick(graph.inputs), pick(graph.outputs), operators, len(parsed.subgraphs))


def multiply_adds(graph: Graph) -> int:
    """Multiply-adds of one run: those of convolutions and dense layers, which are nearly all."""
    return sum(_multiply_adds(each) for each in graph.operators)


def _multiply_adds(operator: Operator) -> int:
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights, output = operator.inputs[1].shape, operator.outputs[0].shape
    # kernels: out, rows, columns, in; depthwise 1, rows, columns, out; dense out, in
    return prod(output) * prod(weights[1:3] if operator.name == "DEPTHWISE_CONV_2D" else weights[1:])


_OPERATORS = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_DTYPES = {number: name for name, number in vars(schema.TensorType).items() if not name.startswith("_")}
_ACTIVATIONS = {
    number: name for name, number in vars(schema.ActivationFunctionType).items() if not name.startswith("_")
}


def _picker(tensors: list[TensorInfo]) -> Any:
    # -1 stands for an optional input that is left out
    return lambda indices: tuple(tensors[k] for k in indices if k >= 0)


def _tensor(tensor: Any, buffers: list[Any]) -> TensorInfo:
    name = tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)
    signature = () if tensor.shapeSignature is None else tensor.shapeSignature
    scales = None if tensor.quantization is None else tensor.quantization.scale
    return TensorInfo(
        name,
        tuple(int(n) for n in tensor.shape) if tensor.shape is not None else (),
        _DTYPES[tensor.type],
        buffers[tensor.buffer].data is not None,
        all(n >= 0 for n in signature),
        0 if scales is None else len(scales),
    )


def _operator(operator: Any, parsed: Any, graph: Any, pick: Any) -> Operator:
    code = parsed.operatorCodes[operator.opcodeIndex]
    # numbers up to 127 stand in the older field
    name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
    options = dict(vars(operator.builtinOptions)) if operator.builtinOptions else {}
    if "fusedActivationFunction" in options:
        options["fusedActivationFunction"] = _ACTIVATIONS[options["fusedActivationFunction"]]
    values = {position: _integers(graph.tensors[k], parsed.buffers) for position, k in enumerate(operator.inputs)}
    known = {position: numbers for position, numbers in values.items() if numbers}
    return Operator(name, pick(operator.inputs), pick(operator.outputs), options, known)


def _integers(tensor: Any, buffers: list[Any]) -> tuple[int, ...]:
    data = buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.INT32 or data is None or len(data) > 64:
        return ()
    return tuple(int(n) for n in np.frombuffer(bytes(data), "<i4"))
