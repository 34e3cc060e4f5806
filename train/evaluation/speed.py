"""How long a network takes beside another one, on one core."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.interpreter import Interpreter  # type: ignore[attr-defined]
from edge.quiet import quiet
from train.measure import Figure

PAIRS = 60
WARM_UP = 5


def compare(ours: Path, peer: Path, pairs: int = PAIRS) -> Figure:
    """Time our .tflite file and a peer's in turn, one run of each a pair, so that a busy machine slows both.

    Random input, one thread; only the network's run is timed. ratio: the median of peer time / our time over the
    pairs, with the interval of the median from 2,000 draws of the pairs (bootstrap); ours_ms, peer_ms: medians.
    Raises InputError for a file that is no network.
    """
    run_ours, run_peer = _runner(ours), _runner(peer)
    for _ in range(WARM_UP):
        run_ours(), run_peer()
    times = np.array([(_seconds(run_ours), _seconds(run_peer)) for _ in range(pairs)])
    return {**compared(times), "pairs": pairs, "peer": peer.name}


def compared(times: NDArray[np.float64]) -> Figure:
    """Ratio, ours_ms and peer_ms, as in `compare`, of pairs of seconds, (N, 2): ours first."""
    ratios = times[:, 1] / times[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    first, second = (float(1000 * each) for each in np.median(times, axis=0))
    ratio = {"value": float(np.median(ratios)), "low": float(low), "high": float(high), "n": len(ratios)}
    return {"ratio": ratio, "ours_ms": first, "peer_ms": second}


def _runner(file: Path) -> Callable[[], object]:
    if not file.is_file():
        raise InputError(f"{file}: no such file; give a .tflite network")
    try:
        with quiet():
            network = Interpreter(model_path=str(file), num_threads=1)
            network.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{file}: not a network that the runtime can load ({error})") from error
    chance = np.random.default_rng(0)
    for each in network.get_input_details():
        kind = each["dtype"]
        span = (0, 1) if kind == np.float32 else (np.iinfo(kind).min, np.iinfo(kind).max)
        network.set_tensor(each["index"], chance.uniform(*span, each["shape"]).astype(kind))
    return lambda: network.invoke()


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
