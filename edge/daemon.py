"""The loop from the camera to the lamp, and the only place that knows every step of it.

`run` is the daemon; `replay` is the same loop over a file, in the file's own time and without outputs.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Protocol

import cv2

from edge.accelerator import edgetpu_files
from edge.announce import Announcer, NoOutputs, Observer, Terminal
from edge.bystanders import Bystanders
from edge.calm import Calm
from edge.camera import Camera, open_camera, open_file
from edge.capture import Capture
from edge.contract import load_bundle
from edge.door import Check, Door, FaceJudge, LiveDoor, Unchanged
from edge.errors import MaskgateError, OutputError, in_one_line
from edge.events import open_events
from edge.judge import Judge
from edge.laps import Laps
from edge.notify import notify
from edge.output import open_outputs
from edge.settings import Point, Settings, ZoneSettings
from edge.values import Decision, Frame, State

STOP_SIGNALS = signal.SIGTERM, signal.SIGINT
RETRY_SECONDS = 1.0
"""How long to wait, after a fault, before the camera is opened anew."""


class Source(Protocol):
    """What gives frames, or None where one is overdue: `edge.capture.Capture`, or a stand-in."""

    def frames(self) -> Iterator[Frame | None]: ...


def serve(
    open_source: Callable[[], AbstractContextManager[Source]],
    door: LiveDoor,
    announcer: Announcer,
    stopped: Callable[[], bool],
    patience: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run until the camera's frames end or `stopped` says so.

    Whatever fails is shown as FAULT; a camera that fails is then opened anew. The service manager hears of life only
    after a frame was judged. Raises OutputError when the outputs are lost.
    """
    while not stopped():
        try:
            with open_source() as source:
                for frame in source.frames():
                    if stopped():
                        return
                    silence = f"the camera has given no frame for {patience:g} s; check its cable and power"
                    decision = door.fault(silence) if frame is None else door.see(frame)
                    if decision is None:
                        continue
                    announcer.show(decision, frame)
                    if decision.state != State.FAULT:
                        notify("WATCHDOG=1")
            return
        except OutputError as error:
            announcer.show(door.fault(in_one_line(error)))
            raise
        except Exception as error:
            if stopped():  # the signal to stop also ends the wait for a frame
                return
            announcer.show(door.fault(in_one_line(error)))
            sleep(RETRY_SECONDS)


def run(settings: Settings) -> None:
    """The daemon, until SIGTERM or SIGINT or the end of a file; on leaving, every output is at its safe level.

    Raises MaskgateError when the bundle, the camera, the outputs or the event file cannot be had at the start, or the
    outputs are lost.
    """
    bundle = load_bundle(Path(settings.model.bundle) if settings.model.bundle else None)
    models = Unchanged([bundle.locator_file, bundle.classifier_file, *edgetpu_files(bundle)])
    laps = Laps()
    judge = Judge.from_bundle(bundle, settings.model.threads, settings.model.accelerator, laps)
    run_with(judge, settings, [models], Bystanders(settings, bundle, lambda: judge.runs_on), laps)


def run_with(
    judge: FaceJudge,
    settings: Settings,
    checks: Sequence[Check] = (),
    bystanders: Bystanders | None = None,
    laps: Laps | None = None,
) -> None:
    """`run` with a judge that is already there. checks: what else can be wrong with it. laps: what it lets run."""
    cv2.setNumThreads(1)  # on pictures this small, OpenCV's threads mostly wait for each other, and busily
    bystanders, laps = bystanders or Bystanders(settings), laps or Laps()
    patience = settings.decision.frame_age_limit
    calm = Calm(settings.decision)

    def camera() -> Camera:
        return open_camera(settings.camera, wants=calm.wants)

    with stop_signals() as stopped, ExitStack() as stack:
        observers, log_checks = bystanders.enter(stack)
        checks = [*checks, *log_checks]
        valid_seconds = settings.decision.valid_seconds
        try:
            outputs = stack.enter_context(open_outputs(settings.output, settings.door.exit_seconds))
            # the first is opened here, where it is an error if there is no camera, and not only a fault
            cameras = chain([camera()], iter(camera, None))
        except MaskgateError as error:
            reason = in_one_line(error)
            Announcer(NoOutputs(), observers, valid_seconds).show(Decision(time.monotonic(), State.FAULT, reason))
            raise

        def new_door() -> Door:
            return Door(
                judge, settings, lambda: bystanders.remote.joined(outputs.inputs), zone=lambda: bystanders.zone.now
            )

        door = LiveDoor(new_door, settings, [*checks, outputs.fault], laps=laps, calm=calm)
        notify("READY=1")
        serve(
            lambda: Capture(lambda: next(cameras), patience),
            door,
            Announcer(outputs, observers, valid_seconds, laps),
            stopped,
            patience,
        )


def replay(video: Path, events: Path | None = None, zone: Sequence[Point] = (), bundle: Path | None = None) -> None:
    """Decide over a video file, or a folder of pictures, in its own time, as fast as it goes.

    events: file for the event log, begun anew. zone: corners (x, y) in fractions of the frame; empty for all of it.
    bundle: folder of the models, by default those of the package. Raises MaskgateError.
    """
    settings = Settings(zone=ZoneSettings(polygon=tuple(zone)))
    replay_with(Judge.from_bundle(load_bundle(bundle), settings.model.threads), settings, video, events)


def replay_with(judge: FaceJudge, settings: Settings, video: Path, events: Path | None = None) -> None:
    """`replay` with a judge that is already there, and with the zone and the times of the settings."""
    with open_file(video) as camera, ExitStack() as stack:
        observers: list[Observer] = [Terminal()]
        if events:
            observers.append(stack.enter_context(open_events(events, append=False)))
        announcer = Announcer(NoOutputs(), observers, settings.decision.valid_seconds)
        door = Door(judge, settings, local_time=lambda: datetime.min)
        for frame in camera.frames():
            announcer.show(door.see(frame), frame)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGINT has come since; within, neither does anything else."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in STOP_SIGNALS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
