"""How near each network comes to the most that the runtime reaches on this core: one large INT8 convolution."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError
from edge.interpreter import PLAIN, Interpreter  # type: ignore[attr-defined]
from edge.quiet import quiet

LIMIT = Path(__file__).with_name("limit.tflite")
"""3x3, 128 to 128 channels, 32x32 cells; `python -m convert.limit` makes it."""
ROUNDS = 100
CONVOLUTIONS = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a network runs when nothing disturbs it: the fastest of many runs.

    multiply_adds: of one run. milliseconds: of one run. share: of the limit's multiply-adds a second, 0 to 1.
    """

    multiply_adds: int
    milliseconds: float
    share: float

    @property
    def rate(self) -> float:
        """Multiply-adds a second."""
        return 1000 * self.multiply_adds / self.milliseconds


def paces(models: Sequence[Path], threads: int = 1, rounds: int = ROUNDS) -> list[Pace]:
    """Of the limit and then of each .tflite file; all run in turn. Raises BundleError."""
    files = [LIMIT, *models]
    runs = [runner(file, threads) for file in files]
    seconds = np.array([[_timed(run) for run in runs] for _ in range(rounds)]).min(axis=0)
    counts = np.array([multiply_adds(file) for file in files])
    rates = counts / seconds
    columns = counts, 1000 * seconds, rates / rates[0]
    return [Pace(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def runner(file: Path, threads: int = 1) -> Callable[[], object]:
    """What runs a .tflite file once, on noise. Raises BundleError."""
    network = _open(file, num_threads=threads)
    chance = np.random.default_rng(0)
    for each in network.get_input_details():
        noise = chance.uniform(0, 1, each["shape"])
        kind = each["dtype"]
        network.set_tensor(each["index"], (noise if kind is np.float32 else 255 * noise - 128).astype(kind))
    return lambda: network.invoke()


def multiply_adds(file: Path) -> int:
    """Multiply-adds of one run: those of convolutions and dense layers, which are nearly all. Raises BundleError."""
    network = _open(file, **PLAIN)
    shapes = {each["index"]: each["shape"].tolist() for each in network.get_tensor_details()}
    steps = [each for each in network._get_ops_details() if each["op_name"] in CONVOLUTIONS]
    return sum(_of_step(each, shapes) for each in steps)


def _of_step(step: dict[str, Any], shapes: dict[int, list[int]]) -> int:
    weights, output = shapes[step["inputs"][1]], shapes[step["outputs"][0]]
    # kernels: out, rows, columns, in; depthwise 1, rows, columns, out; dense out, in
    return prod(output) * prod(weights[1:3] if step["op_name"] == "DEPTHWISE_CONV_2D" else weights[1:])


def _open(file: Path, **options: Any) -> Any:
    try:
        with quiet():
            network = Interpreter(model_path=str(file), **options)
            network.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{file}: not a model that the runtime can load ({error})") from error
    return network


def _timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
