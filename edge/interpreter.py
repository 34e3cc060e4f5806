"""The TFLite runtime, in one place: `Network` runs one INT8 model on one picture at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Bundle, Tensor
from edge.errors import BundleError, ModelError
from edge.quiet import quiet
from edge.values import Rgb

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate
except ImportError:  # 32-bit boards: only the older runtime has wheels there
    from tflite_runtime.interpreter import Interpreter, OpResolverType, load_delegate


Integers = list[NDArray[np.int8]]
Options = dict[str, Any]
"""Of the runtime's Interpreter."""
PLAIN: Options = {"experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
"""Without XNNPACK: slower, and rounded otherwise."""


class Network:
    """One INT8 model whose input is a picture.

    model: a .tflite file, which may be replaced later on. input, outputs: the tensors that it must have; outputs are
    told apart by their shapes. options: PLAIN or `on_delegate`. Raises BundleError when the file cannot be loaded or
    its tensors are not those.
    """

    def __init__(
        self, model: Path, input: Tensor, outputs: Sequence[Tensor], threads: int = 1, options: Options | None = None
    ) -> None:
        try:
            with quiet():
                content = model.read_bytes()
                self._interpreter: Any = Interpreter(model_content=content, num_threads=threads, **(options or {}))
                self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleError(f"{model}: not a model that the runtime can load ({error})") from error
        self._input_index = _index(model, "input", self._interpreter.get_input_details(), input)
        details = self._interpreter.get_output_details()
        self._outputs = [(_index(model, "output", details, tensor), tensor) for tensor in outputs]
        self._name, self.shape = model.name, input.shape[1:]
        self._last: Integers = []

    def invoke(self, rgb: Rgb) -> list[NDArray[np.float32]]:
        """Run on one picture, uint8 (H, W, 3) of the input's shape; the outputs as real values, float32.

        Raises ModelError when the network answers the same whatever it sees.
        """
        return self.real(self.answer(rgb))

    def answer(self, rgb: Rgb) -> Integers:
        """`invoke`, the outputs as the integers that the network gives, int8."""
        answer = self._run(rgb)
        # twice the same is rare, and asks for a look whether the network still sees anything
        if _same(answer, self._last) and self._is_blind(answer):
            raise ModelError(f"{self._name}: gives the same answer whatever it sees; restart, or install it again")
        self._last = answer
        return answer

    def real(self, answer: Integers) -> list[NDArray[np.float32]]:
        """Real values, float32, of the outputs' integers."""
        return [real(integers, tensor) for integers, (_, tensor) in zip(answer, self._outputs, strict=True)]

    def _is_blind(self, answer: Integers) -> bool:
        return all(_same(answer, self._run(probe)) for probe in probes(self.shape))

    def _run(self, rgb: Rgb) -> Integers:
        # minus 128, without leaving eight bits, written where the runtime reads it
        np.bitwise_xor(rgb, 128, out=self._interpreter.tensor(self._input_index)()[0].view(np.uint8))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index, _ in self._outputs]


def networks(
    bundle: Bundle, threads: int = 1, options: Options | None = None, files: Sequence[Path] | None = None
) -> tuple[Network, Network]:
    """The locator, its outputs scores and boxes, and the classifier of a bundle; of other files, if given."""
    find, tell = bundle.contract.locator, bundle.contract.classifier
    locator, classifier = files or (bundle.locator_file, bundle.classifier_file)
    return (
        Network(locator, find.input, [find.scores, find.boxes], threads, options),
        Network(classifier, tell.input, [tell.logits], threads, options),
    )


def on_delegate(library: str) -> Options:
    """For networks that a delegate runs, such as that of a Coral Edge TPU.

    Raises OSError when there is no such library, ValueError when it finds no device.
    """
    return {"experimental_delegates": [load_delegate(library)]}


def real(integers: NDArray[np.int8], tensor: Tensor) -> NDArray[np.float32]:
    """Real values, float32, of a tensor's integers."""
    return np.asarray((integers.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale), np.float32)


def probes(shape: tuple[int, ...]) -> list[Rgb]:
    """Pictures, uint8 (H, W, 3), that no network takes all for the same: black, grey, white, and coarse noise."""
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, shape[-1]), np.uint8)
    rows, columns = (np.arange(side) * 8 // side for side in shape[:2])
    return [*(np.full(shape, level, np.uint8) for level in (0, 128, 255)), coarse[rows][:, columns]]


def _same(one: Integers, other: Integers) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


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
