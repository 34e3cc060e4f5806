"""`maskgate bench`: how fast this device is, as tables or with `json` as one object."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.bench.limit import paces
from edge.bench.measure import CAPTURE, STAGES, Run, measure
from edge.bench.process import Alive, live
from edge.bench.tables import tables
from edge.contract import Bundle, load_bundle
from edge.errors import InputError

SIZES = ((320, 240), (640, 480), (1280, 720))
FACES = (0, 1, 3, 8)
FRAMES = 200
STARTS = 3
"""Cold starts, of which the median counts."""
LIVE_SECONDS = 16.0
NAMES = "p50", "p95", "p99"

Report = dict[str, Any]


def bench(arguments: argparse.Namespace) -> int:
    """Measure, and print tables or one JSON object; the exit code, 0.

    arguments: bundle (None or a folder), frames (a scene), threads, busy (whether to tell processor time, since the
    machine does other things meanwhile), json. Raises MaskgateError.
    """
    for name in ("frames", "threads"):
        if (given := getattr(arguments, name)) < 1:
            raise InputError(f"--{name} {given}: give 1 or more")
    found = measured(load_bundle(arguments.bundle), arguments.frames, arguments.threads, arguments.busy)
    print(json.dumps(found, indent=2) if arguments.json else tables(found))
    return 0


def measured(bundle: Bundle, frames: int = FRAMES, threads: int = 1, busy: bool = False) -> Report:
    """All figures of this device; their names tell the units."""
    clock = time.process_time if busy else time.perf_counter
    scenes = [(size, faces) for size in SIZES for faces in FACES]
    runs = []
    for number, (size, faces) in enumerate(scenes, 1):
        tell(f"scene {number} of {len(scenes)}")
        runs.append(of_run(measure(bundle, size, faces, frames, threads, clock)))
    tell("the runtime's limit")
    limit = of_limit(bundle, threads)
    tell("the daemon as a process")
    process = of_process(bundle, threads)
    tell("")
    return {"device": device(bundle, frames, threads, busy), "runs": runs, **process, "limit": limit}


def tell(what: str) -> None:
    """What is being measured, for whoever waits at a terminal."""
    if sys.stderr.isatty():
        print(f"\r{what:<30}", end="" if what else "\r", file=sys.stderr, flush=True)


def device(bundle: Bundle, frames: int, threads: int, busy: bool) -> Report:
    """What was measured where."""
    name = f"{bundle.contract.name}-{bundle.contract.version}"
    return {
        "processor": processor() or platform.machine(),
        "cores": os.cpu_count(),
        "bundle": name,
        "threads": threads,
        "frames": frames,
        "clock": "processor" if busy else "wall",
    }


def processor() -> str:
    """The board's or the processor's name as Linux tells it; "" when it does not."""
    board = Path("/proc/device-tree/model")
    if board.is_file():
        return board.read_text(errors="replace").strip("\0\n")
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def of_run(run: Run) -> Report:
    """The figures of a scene."""
    whole = sum(run.frames) + sum(run.stages[CAPTURE])
    return {
        "width": run.width,
        "height": run.height,
        "faces": run.faces,
        "found": run.found,
        "frame_ms": percentiles(run.frames),
        "stages_ms": {stage: percentiles(run.stages[stage]) for stage in STAGES},
        "frames_per_second": round(len(run.frames) / whole, 1),
        "cpu_s_per_frame": round(statistics.fmean(run.cpu), 6),
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99, in milliseconds."""
    each = np.percentile(1000 * np.asarray(seconds), (50, 95, 99)).round(3)
    return dict(zip(NAMES, each.tolist(), strict=True))


def of_limit(bundle: Bundle, threads: int) -> Report:
    """Of the large convolution and of both networks: multiply-adds of a run, its time, and the share of the limit."""
    names = "convolution", "locator", "classifier"
    found = paces([bundle.locator_file, bundle.classifier_file], threads)
    return {
        name: {"multiply_adds": each.multiply_adds, "ms": round(each.milliseconds, 3), "share": round(each.share, 3)}
        for name, each in zip(names, found, strict=True)
    }


def of_process(bundle: Bundle, threads: int) -> Report:
    """Of the daemon before a person and before an empty room."""
    starts = [live(bundle.folder, 1, 0.0, threads).cold_start for _ in range(STARTS)]
    idle, active = (live(bundle.folder, faces, LIVE_SECONDS, threads) for faces in (0, 1))
    return _shares(idle, active) | {"cold_start_s": round(statistics.median(starts), 3)}


def _shares(idle: Alive, active: Alive) -> Report:
    return {
        "rss_mb": round(active.resident, 1),
        "active_cpu_share": round(active.share, 4),
        "idle_cpu_share": round(idle.share, 4),
    }
