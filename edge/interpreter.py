"""The TFLite runtime, in one place: `Network` runs one INT8 model on one picture at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Tensor
from edge.errors import BundleError
from edge.quiet import quiet
from edge.values import Rgb

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # 32-bit boards: only the older runtime has wheels there
    from tflite_runtime.interpreter import Interpreter


class Network:
    """One INT8 model whose input is a picture.

    model: a .tflite file. input, outputs: the tensors that it must have; outputs are told apart by their shapes.
    Raises BundleError when the file cannot be loaded or its tensors are not those.
    """

    def __init__(self, model: Path, input: Tensor, outputs: Sequence[Tensor], threads: int = 1) -> None:
        try:
            with quiet():
                self._interpreter: Any = Interpreter(model_path=str(model), num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{model}: not a model that the runtime can load ({error})") from error
        self._input_index = _index(model, "input", self._interpreter.get_input_details(), input)
        details = self._interpreter.get_output_details()
        self._outputs = [(_index(model, "output", details, tensor), tensor) for tensor in outputs]

    def invoke(self, rgb: Rgb) -> list[NDArray[np.float32]]:
        """Run on one picture, uint8 (H, W, 3) of the input's shape; the outputs as real values, float32."""
        # minus 128, without leaving eight bits
        self._interpreter.set_tensor(self._input_index, (rgb ^ 128).view(np.int8)[np.newaxis])
        self._interpreter.invoke()
        return [self._real(index, tensor) for index, tensor in self._outputs]

    def _real(self, index: int, tensor: Tensor) -> NDArray[np.float32]:
        integers = self._interpreter.get_tensor(index).astype(np.float32)
        return np.asarray((integers - tensor.zero_point) * np.float32(tensor.scale), np.float32)


def tensors_of(model: bytes) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of a .tflite file's bytes, as they stand in a contract."""
    with quiet():
        interpreter = Interpreter(model_content=model)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return [_tensor(each) for each in inputs], [_tensor(each) for each in outputs]


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(tuple(int(n) for n in details["shape"]), float(scale), int(zero_point))


def _index(model: Path, kind: str, all_details: list[dict[str, Any]], wanted: Tensor) -> int:
    found = []
    for details in all_details:
        tensor = _tensor(details)
        found.append(f"{np.dtype(details['dtype'])} {tensor}")
        same_numbers = tensor.zero_point == wanted.zero_point and np.isclose(tensor.scale, wanted.scale, rtol=1e-6)
        if details["dtype"] is np.int8 and tensor.shape == wanted.shape and same_numbers:
            return int(details["index"])
    raise BundleError(f"{model}: the contract wants an {kind} int8 {wanted}, the model has {', '.join(found)}")
