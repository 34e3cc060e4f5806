"""A whole daemon for the tests: a camera that can be broken, a judge of colours, a real guard, a real event log."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge.announce import Announcer, Apart
from edge.capture import Capture
from edge.daemon import serve
from edge.door import Door, LiveDoor
from edge.events import open_events
from edge.output import open_outputs
from edge.settings import DecisionSettings, DoorSettings, LineSettings, OutputSettings, Settings, ZoneSettings
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK, Box, Classification, Frame, Judged, Rgb

GREEN, RED, BLUE, EMPTY = (60, 160, 60), (160, 60, 60), (60, 60, 160), (110, 110, 110)
VERDICTS = {
    GREEN: Classification(WITH_MASK, 0.96, (0.02, 0.96, 0.02)),
    RED: Classification(WITHOUT_MASK, 0.96, (0.96, 0.02, 0.02)),
    BLUE: Classification(INCORRECT, 0.96, (0.02, 0.02, 0.96)),
}
SIZE = (96, 128)
LINES = (
    LineSettings("green", 17, ("ALLOW",)),
    LineSettings("red", 22, ("DENY", "UNKNOWN", "FAULT")),
    LineSettings("relay", 23, ("RELEASE",)),
)
SAFE = {"green": False, "relay": False}
LIMIT = 1.0
"""Seconds from a fault to the safe level."""
GRACE = 0.15
"""Seconds that this machine may be late in telling us."""
QUICK = DecisionSettings(settle_seconds=0.1, vote_seconds=0.05)


class Pictures:
    """A room with some structure and a sensor's noise, of a colour that tells who is in it."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self._chance = np.random.default_rng(0)
        height, width = size
        coarse = self._chance.uniform(-40, 40, (height // 8, width // 8, 1))
        self._room = np.kron(coarse, np.ones((8, 8, 1)))

    def __call__(self, colour: tuple[int, int, int]) -> Rgb:
        picture = self._room + np.array(colour) + self._chance.normal(0, 4, self._room.shape)
        return picture.clip(0, 255).astype(np.uint8)


class ColourJudge:
    """Takes a green picture for a masked face that walks about, a red one for a bare face, a grey one for nobody."""

    def __init__(self) -> None:
        self._seen = 0

    def judge(self, rgb: Rgb) -> Sequence[Judged]:
        mean = rgb.reshape(-1, 3).mean(axis=0)
        if np.ptp(mean) < 30:
            return []
        verdict = VERDICTS[(RED, GREEN, BLUE)[int(mean.argmax())]]
        self._seen += 1
        x = 40 + 30 * np.sin(0.2 * self._seen)
        return [Judged(Box(x, 10, x + 30, 40), 0.9, verdict)]


class Camera:
    """A camera at `rate` frames a second. `change` is applied to every frame; `hanging` stops it; `error` breaks it."""

    def __init__(self, rate: float) -> None:
        self.rate, self.colour = rate, GREEN
        self.pictures = Pictures()
        self.change: Callable[[Frame], Frame | None] = lambda frame: frame
        self.hanging, self.error = False, None
        self.opened = 0

    def __enter__(self) -> Camera:
        self.opened += 1
        if self.error is not None:
            raise self.error
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def frames(self) -> Iterator[Frame]:
        while True:
            time.sleep(1 / self.rate)
            while self.hanging:
                time.sleep(0.01)
            if self.error is not None:
                raise self.error
            frame = self.change(Frame(self.pictures(self.colour), time.monotonic()))
            if frame is not None:
                yield frame


class Rig:
    """The daemon's loop in a thread, in its `with` block; `folder` gets its files."""

    def __init__(
        self,
        folder: Path,
        judge: object | None = None,
        rate: float = 30.0,
        settings: Settings | None = None,
        checks: Sequence[Callable[[], str | None]] = (),
        observers: Sequence[Callable[..., None]] = (),
    ) -> None:
        self.camera, self.judge = Camera(rate), judge or ColourJudge()
        self.events_file, self.outputs_file = folder / "events.jsonl", folder / "outputs.jsonl"
        self.input_file = folder / "inputs.txt"
        self.settings = settings or Settings(
            decision=QUICK,
            zone=ZoneSettings(still_seconds=600.0),
            door=DoorSettings(release_seconds=0.0),
            output=OutputSettings(file=str(self.outputs_file), input_file=str(self.input_file), lines=LINES),
        )
        self.decisions: list[tuple[float, object]] = []
        self.failure: Exception | None = None
        self._checks, self._observers = checks, observers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._stack = ExitStack()

    def __enter__(self) -> Rig:
        with ExitStack() as stack:
            self.events = stack.enter_context(open_events(self.events_file, True, 8.0))
            self.outputs = stack.enter_context(open_outputs(self.settings.output, self.settings.door.exit_seconds))
            self.started = time.monotonic()
            self._thread.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self.camera.hanging = False
        self._thread.join(10)
        self._stack.close()

    def _run(self) -> None:
        settings, patience = self.settings, self.settings.decision.frame_age_limit
        checks = [*self._checks, lambda: self.events.fault, self.outputs.fault]
        door = LiveDoor(lambda: Door(self.judge, settings, lambda: self.outputs.inputs), settings, checks)
        try:
            with ExitStack() as stack:
                apart = [stack.enter_context(Apart(observer)) for observer in (self.events, *self._observers)]
                announcer = Announcer(self.outputs, [*apart, self._note], settings.decision.valid_seconds)
                serve(lambda: Capture(lambda: self.camera, patience), door, announcer, self._stop.is_set, patience)
        except Exception as error:
            self.failure = error

    def _note(self, decision: object, frame: object) -> None:
        self.decisions.append((time.monotonic(), decision))

    @property
    def state(self) -> str:
        return str(self.decisions[-1][1].state) if self.decisions else ""

    @property
    def reason(self) -> str:
        return self.decisions[-1][1].reason

    def levels(self) -> dict[str, bool]:
        changes = map(json.loads, self.outputs_file.read_text().splitlines())
        return {change["line"]: change["active"] for change in changes}

    def logged(self) -> list[tuple[str, str]]:
        """State and reason of each event."""
        return [
            (event["state"], event["reason"]) for event in map(json.loads, self.events_file.read_text().splitlines())
        ]

    def allowed(self) -> Rig:
        """Waits until the door is released."""
        self.wait(lambda: self.state == "ALLOW" and self.levels().get("relay"), 3.0)
        return self

    def is_safe(self) -> bool:
        return {name: self.levels()[name] for name in SAFE} == SAFE

    def wait(self, true: Callable[[], object], seconds: float) -> float:
        """How long it took until that was so."""
        start = time.monotonic()
        while not true():
            assert time.monotonic() < start + seconds, (self.state, self.reason if self.decisions else "", self.failure)
            time.sleep(0.005)
        return time.monotonic() - start


DAEMON = """
import sys
from pathlib import Path
from tests.edge.rig import LINES, QUICK, ColourJudge
from edge.daemon import run_with
from edge.settings import (
    CameraSettings, DoorSettings, DriftSettings, EventSettings, OutputSettings, Settings, ShareSettings, ZoneSettings
)
folder = Path(sys.argv[1])
settings = Settings(
    camera=CameraSettings(source=str(folder / "door.avi")), decision=QUICK, zone=ZoneSettings(still_seconds=600.0),
    door=DoorSettings(release_seconds=0.0), events=EventSettings(file=str(folder / "events.jsonl")),
    output=OutputSettings(file=str(folder / "outputs.jsonl"), lines=LINES),
    share=ShareSettings(socket=str(folder / "door.sock"), zone_file=str(folder / "zone.json")),
    drift=DriftSettings(file=str(folder / "drift.json")),
)
run_with(ColourJudge(), settings)
"""
"""A daemon's process on `door.avi` in the folder that is its argument."""
