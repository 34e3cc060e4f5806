"""How the cost of a frame grows: with the faces in it, with its size, and over hours."""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

from edge.bench.measure import CAPTURE, Run, camera_before, measure, shipped, step
from edge.bench.process import resident_megabytes
from edge.bench.scene import RATE
from edge.contract import Bundle

FACES = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16)
SIZES = ((320, 240), (480, 360), (640, 480), (800, 600), (1024, 768), (1280, 720), (1600, 1200), (1920, 1080))
SIZE = (640, 480)
FRAMES = 150
SAMPLES = 60
"""How often memory is looked at in all."""

Row = dict[str, Any]


def with_faces(bundle: Bundle) -> list[Row]:
    """Milliseconds of a frame, medians of processor time, by the number of its faces; 640x480."""
    return [_row(measure(bundle, SIZE, faces, FRAMES, clock=time.process_time)) for faces in FACES]


def with_size(bundle: Bundle) -> list[Row]:
    """The same by the frame's size, with one face."""
    return [_row(measure(bundle, size, 1, FRAMES, clock=time.process_time)) for size in SIZES]


def _row(run: Run) -> Row:
    frame, capture = (1000 * statistics.median(each) for each in (run.frames, run.stages[CAPTURE]))
    return {
        "width": run.width,
        "height": run.height,
        "faces": run.faces,
        "frame_ms": round(frame, 3),
        "capture_ms": round(capture, 3),
    }


def over_hours(bundle: Bundle, hours: float) -> Iterator[Row]:
    """So many hours of the scene's own time, 15 frames a second with one face, as fast as they can be judged.

    megabytes: resident, of this process. blocks: of Python's memory that are in use.
    """
    with shipped(bundle, camera := camera_before(SIZE, 1)) as see:
        for sample in range(1, SAMPLES + 1):
            run = Run(*SIZE, 1)
            for _ in range(round(hours * 3600 * RATE / SAMPLES)):
                step(run, camera, see, time.process_time)
            frame = 1000 * statistics.median(run.frames)
            del run
            gc.collect()
            yield {
                "hours": round(hours * sample / SAMPLES, 4),
                "frame_ms": round(frame, 3),
                "megabytes": round(resident_megabytes(os.getpid()), 2),
                "blocks": sys.getallocatedblocks(),
            }
