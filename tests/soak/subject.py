"""The daemon under test, in a process of its own: everything is real but the camera, which is a channel.

    python -m tests.soak.subject FOLDER MEMORY PIPE

It breaks from within when the channel says so, and prints one JSON object for each frame: when it was taken, when its
decision was told to the guard, state and reason.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge import daemon
from edge.announce import Announcer
from edge.contract import load_bundle
from edge.door import Unchanged
from edge.errors import CameraError
from edge.judge import Judge
from edge.settings import DoorSettings, EventSettings, LineSettings, OutputSettings, Settings
from edge.values import Decision, Frame
from tests.soak.channel import Channel

LINES = (
    LineSettings("green", 17, ("ALLOW",)),
    LineSettings("yellow", 27, ("CHECKING",)),
    LineSettings("red", 22, ("DENY", "UNKNOWN", "FAULT")),
    LineSettings("relay", 23, ("RELEASE",)),
)
SLOW_SECONDS = 0.7


class ChannelCamera:
    """The channel as a camera; raises CameraError while it is said to be unplugged."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._check()

    def __enter__(self) -> ChannelCamera:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def frames(self) -> Iterator[Frame]:
        while (frame := self._channel.receive()) is not None:
            self._check()
            yield frame

    def _check(self) -> None:
        if self._channel.fault == "camera unplugged":
            raise CameraError("the channel: no such camera")


class Interpreter:
    """Stands before a network's runtime, and breaks it."""

    def __init__(self, real: Any, channel: Channel) -> None:
        self._real, self._channel = real, channel

    def invoke(self) -> None:
        fault = self._channel.fault
        if fault == "interpreter raises":
            raise RuntimeError("interpreter: out of order")
        if fault == "slow inference":
            time.sleep(SLOW_SECONDS)
        self._real.invoke()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def observers(channel: Channel) -> tuple[type, type]:
    """What takes the places of the terminal and of the announcer."""

    class Hangs:
        def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
            while channel.fault == "observer hangs":
                time.sleep(0.01)

    class Throws:
        def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
            raise ConnectionError("no broker")

    class Diary(Announcer):
        def show(self, decision: Decision, frame: Frame | None = None) -> None:
            if channel.fault == "observer throws":
                self._observers.append(Throws())
            super().show(decision, frame)
            taken = None if frame is None else round(frame.time, 4)
            told = {"taken": taken, "told": round(time.monotonic(), 4), "state": decision.state}
            # in one piece, as other threads write there too
            os.write(1, json.dumps(told | {"reason": decision.reason}).encode() + b"\n")

    return Hangs, Diary


def main(folder: Path, memory: int, pipe: int) -> None:
    channel = Channel(memory, pipe)
    daemon.open_camera = lambda settings, **_: ChannelCamera(channel)
    daemon.Terminal, daemon.Announcer = observers(channel)
    # a copy, so that whoever works on the models meanwhile does not end the run
    bundle = load_bundle(Path(shutil.copytree(load_bundle().locator_file.parent, folder / "bundle")))
    judge = Judge.from_bundle(bundle, 1)
    network = judge._locator._network
    network._interpreter = Interpreter(network._interpreter, channel)
    settings = Settings(
        door=DoorSettings(release_seconds=0.0),
        output=OutputSettings(file=str(folder / "outputs.jsonl"), lines=LINES),
        events=EventSettings(file=str(folder / "events.jsonl"), max_megabytes=1024.0),
    )
    daemon.run_with(judge, settings, [Unchanged([bundle.locator_file, bundle.classifier_file])])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
