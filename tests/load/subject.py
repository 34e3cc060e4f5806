"""The daemon under test, in a process of its own: everything is real but the camera.

    python -m tests.load.subject SETTINGS CLIP RATE DIARY

Writes a `Record` for each frame to the file DIARY.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge import daemon
from edge.announce import Observer
from edge.bystanders import Bystanders
from edge.door import Check
from edge.settings import load_settings
from edge.values import Decision, Frame, State
from tests.load.clip import LoopedCamera

RECORD = np.dtype([("taken", "f8"), ("told", "f8"), ("good", "?")])
"""When a frame was taken, when all was done that the loop does for it, seconds; and whether it was no FAULT."""


class Diary:
    """An observer that comes last."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb", buffering=0)

    def __call__(self, decision: Decision, frame: Frame | None) -> None:
        record = decision.time, time.monotonic(), decision.state != State.FAULT
        self._file.write(np.array(record, RECORD).tobytes())


def main(settings: Path, clip: Path, rate: float, diary: Path) -> None:
    camera, last = LoopedCamera(clip, rate), Diary(diary)

    class Watched(Bystanders):
        def enter(self, stack: ExitStack) -> tuple[list[Observer], list[Check]]:
            observers, checks = super().enter(stack)
            return [*observers, last, camera], checks

    daemon.open_camera = lambda settings, **_: camera
    daemon.Bystanders = Watched
    daemon.run(load_settings(settings))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
