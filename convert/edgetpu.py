"""Would a Coral Edge TPU run the whole of an INT8 model? By the published rules, and by its compiler if there is one.

`RULES` is the published table; what it says only in words ("might not be mapped for large tensor sizes") can be told by
the compiler alone.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convert.graph import Graph, Operator, TensorInfo

SOURCE = "coral.ai/docs/edgetpu/models-intro, sections Model requirements and Supported operations"
COMPILER = "edgetpu_compiler"
COMPILER_SECONDS = 600
MAPPED = "Mapped to Edge TPU"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table.

    runtime: the first Edge TPU runtime version that has the operator. limit: the published words.
    kept: whether an operator keeps to them, as far as they can be checked.
    """

    runtime: int = 10
    limit: str = ""
    kept: Callable[[Operator], bool] | None = None


def _unfused(operator: Operator) -> bool:
    return bool(operator.options.get("fusedActivationFunction", "NONE") == "NONE")


def _even_dilation(operator: Operator) -> bool:
    return bool(operator.options.get("dilationWFactor", 1) == operator.options.get("dilationHFactor", 1))


def _concatenated(operator: Operator) -> bool:
    constants = sum(tensor.constant for tensor in operator.inputs)
    return _unfused(operator) and (not constants or len(operator.inputs) == 2)


def _dense(operator: Operator) -> bool:
    return operator.options.get("weightsFormat", 0) == 0 and all(n == 1 for n in operator.outputs[0].shape[:-1])


def _axes(operator: Operator) -> set[int]:
    rank = len(operator.inputs[0].shape)
    return {axis % rank for axis in operator.values.get(1, ())}


def _batch_kept(operator: Operator) -> bool:
    return len(operator.inputs[0].shape) < 2 or 0 not in _axes(operator)


def _mean(operator: Operator) -> bool:
    shape = operator.inputs[0].shape
    return _batch_kept(operator) and (len(shape) - 1 not in _axes(operator) or shape[-1] % 4 == 0)


def _batch_unpadded(operator: Operator) -> bool:
    return operator.values.get(1, (0, 0))[:2] == (0, 0)


def _axis_not_batch(operator: Operator) -> bool:
    return bool(operator.options.get("axis", 1) != 0)


def _split(operator: Operator) -> bool:
    return operator.values.get(0, (1,))[0] != 0


def _thin_alpha(operator: Operator) -> bool:
    return all(n == 1 for n in operator.inputs[1].shape[:-1])


def _three_dimensional(operator: Operator) -> bool:
    return all(len(tensor.shape) <= 4 for tensor in (operator.inputs[0], operator.outputs[0]))


def _short_vector(operator: Operator) -> bool:
    shape = operator.inputs[0].shape
    return all(n == 1 for n in shape[:-1]) and shape[-1] <= 16_000


def _plain_slice(operator: Operator) -> bool:
    masked = operator.options.get("ellipsisMask", 0) or operator.options.get("newAxisMask", 0)
    return not masked and all(step == 1 for step in operator.values.get(3, ()))


_DILATION = Rule(limit="must use the same dilation in x and y dimensions", kept=_even_dilation)
_POOL = Rule(limit="no fused activation function", kept=_unfused)
_REDUCE = "cannot operate on the batch dimension"
_RESIZE = Rule(
    limit="input and output are 3-dimensional; depending on size it might not be mapped, to avoid loss in precision",
    kept=_three_dimensional,
)

RULES: dict[str, Rule] = {
    "ADD": Rule(),
    "AVERAGE_POOL_2D": _POOL,
    "CONCATENATION": Rule(
        limit="no fused activation function; with a constant input only two inputs, the constant all zeros",
        kept=_concatenated,
    ),
    "CONV_2D": _DILATION,
    "DEPTHWISE_CONV_2D": _DILATION,
    "EXPAND_DIMS": Rule(13),
    "FULLY_CONNECTED": Rule(limit="only the default format of weights; output is one-dimensional", kept=_dense),
    "L2_NORMALIZATION": Rule(),
    "LOGISTIC": Rule(),
    "MAXIMUM": Rule(),
    "MAX_POOL_2D": _POOL,
    "MEAN": Rule(13, "no reduction in batch dimension; reducing z, z must be a multiple of 4", _mean),
    "MINIMUM": Rule(),
    "MUL": Rule(),
    "PACK": Rule(13, "no packing in batch dimension", _axis_not_batch),
    "PAD": Rule(limit="no padding in batch dimension", kept=_batch_unpadded),
    "PRELU": Rule(13, "alpha must be 1-dimensional", _thin_alpha),
    "QUANTIZE": Rule(13),
    "REDUCE_MAX": Rule(14, _REDUCE, _batch_kept),
    "REDUCE_MIN": Rule(14, _REDUCE, _batch_kept),
    "RELU": Rule(),
    "RELU6": Rule(),
    "RELU_N1_TO_1": Rule(),
    "RESHAPE": Rule(limit="certain reshapes might not be mapped for large tensor sizes"),
    "RESIZE_BILINEAR": _RESIZE,
    "RESIZE_NEAREST_NEIGHBOR": _RESIZE,
    "RSQRT": Rule(14),
    "SLICE": Rule(),
    "SOFTMAX": Rule(limit="only a 1-D input of at most 16,000 elements", kept=_short_vector),
    "SPACE_TO_DEPTH": Rule(),
    "SPLIT": Rule(limit="no splitting in batch dimension", kept=_split),
    "SQUARED_DIFFERENCE": Rule(14),
    "SQUEEZE": Rule(13),
    "STRIDED_SLICE": Rule(limit="all strides equal to 1, no ellipsis, no new axis", kept=_plain_slice),
    "SUB": Rule(),
    "SUM": Rule(13, _REDUCE, _batch_kept),
    "TANH": Rule(),
    "TRANSPOSE": Rule(14),
    "TRANSPOSE_CONV": Rule(13),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Rule(14, "unidirectional LSTM only"),
}
"""Operators that the Edge TPU has, with their limits; SOURCE says where this was published."""


def findings(graph: Graph) -> list[str]:
    """Whatever keeps the Edge TPU from running the whole model, one line each; empty if nothing does."""
    found = [] if graph.subgraphs == 1 else [f"{graph.subgraphs} subgraphs: only one is supported"]
    for kind, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        found += [f"{kind} {_says(tensor)}: batch must be 1" for tensor in tensors if tensor.shape[:1] != (1,)]
    for number, operator in enumerate(graph.operators):
        found += [f"operator {number} {operator.name}: {problem}" for problem in _problems(operator)]
    return found


def _problems(operator: Operator) -> list[str]:
    rule = RULES.get(operator.name)
    if rule is None:
        return ["not among the supported operators"]
    problems = [] if rule.kept is None or rule.kept(operator) else [rule.limit]
    for tensor in operator.inputs + operator.outputs:
        problems += _tensor_problems(tensor)
    if operator.name == "FULLY_CONNECTED" and operator.inputs[1].scales > 1:
        # TFLite knew dense weights with one scale only when the compiler was written
        problems.append(f"weights {_says(operator.inputs[1])} have {operator.inputs[1].scales} scales, wanted is one")
    if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"):
        problems += [f"{_says(tensor)} is not constant" for tensor in operator.inputs[1:] if not _fed(operator, tensor)]
    return problems


def _fed(operator: Operator, tensor: TensorInfo) -> bool:
    # a transposed convolution has its picture last
    return tensor.constant or (operator.name == "TRANSPOSE_CONV" and tensor is operator.inputs[2])


def _tensor_problems(tensor: TensorInfo) -> list[str]:
    problems = []
    if tensor.dtype not in ("INT8", "UINT8") and not (tensor.dtype == "INT32" and tensor.constant):
        problems.append(f"{_says(tensor)} is not 8-bit")
    if not tensor.fixed:
        problems.append(f"{_says(tensor)}: its size is not known before it runs")
    if not tensor.constant and any(n != 1 for n in tensor.shape[:-3]):
        problems.append(f"{_says(tensor)}: only the innermost three dimensions may be larger than 1")
    return problems


def _says(tensor: TensorInfo) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def find_compiler() -> Path | None:
    """`edgetpu_compiler`, where it is on PATH."""
    found = shutil.which(COMPILER)
    return Path(found) if found else None


def compiled_file(model: Path) -> Path:
    """Where the compiled form of a model lies, beside it, under the compiler's own name for it."""
    return model.with_name(f"{model.stem}_edgetpu.tflite")


def compiler_findings(compiler: Path, model: Path) -> list[str]:
    """What the compiler does not map to the Edge TPU, one line each; empty if its log says that it maps everything.

    Then the compiled model is kept as `compiled_file`.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [str(compiler), "--show_operations", "--out_dir", folder, str(model)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILER_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return [f"{COMPILER} did not finish: {error}"]
        logs = [file.read_text() for file in sorted(Path(folder).glob("*.log"))]
        log = "\n".join([done.stdout, done.stderr, *logs])
        if done.returncode:
            last = log.strip().splitlines()[-1:] or ["no message"]
            return [f"{COMPILER} failed with exit code {done.returncode}: {last[0]}"]
        made = Path(folder) / compiled_file(model).name
        if not (lost := unmapped(log)) and made.exists():
            shutil.copyfile(made, compiled_file(model))
        return lost


def unmapped(log: str) -> list[str]:
    """The operators that a compiler's log does not say to be mapped; a log without a table of operators is one too.

    The table's rows: name, count, status ("Mapped to Edge TPU", or why not).
    """
    rows = [line.split(None, 2) for line in log.splitlines()]
    table = [row for row in rows if len(row) == 3 and row[0].isupper() and row[1].isdigit()]
    if not table:
        return [f"{COMPILER}: its log lists no operators"]
    lost = [f"{COMPILER}: {count} x {name}: {status}" for name, count, status in table if status.strip() != MAPPED]
    return list(dict.fromkeys(lost))
