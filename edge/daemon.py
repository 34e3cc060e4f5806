"""The loop from the camera to the lamp, and the only place that knows every step of it.

`run` is the daemon; `replay` is the same loop over a file, in the file's own time and without outputs.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Protocol

from edge.camera import Camera, open_camera, open_file
from edge.contract import load_bundle
from edge.decide import DoorPolicy
from edge.errors import MaskgateError
from edge.events import open_events
from edge.judge import Judge
from edge.output import open_outputs
from edge.settings import Point, Settings, ZoneSettings
from edge.track import Tracker
from edge.values import Decision, Frame, Judged, Rgb, State

STOP_SIGNALS = signal.SIGTERM, signal.SIGINT
RETRY_SECONDS = 1.0
"""How long to wait, after a fault, before the camera is opened anew."""

Clock = Callable[[], float]
Observer = Callable[[Decision, Frame | None], None]
"""Gets each finished decision with its frame; a fault may have none."""


class FaceJudge(Protocol):
    """What finds and classifies faces: `edge.judge.Judge`, or a stand-in."""

    def judge(self, rgb: Rgb) -> Sequence[Judged]: ...


class Sees(Protocol):
    """What makes a decision of a frame."""

    def see(self, frame: Frame) -> Decision: ...


class Shows(Protocol):
    """What drives the lamps: `edge.output.Outputs`, or a stand-in."""

    def show(self, decision: Decision, valid_until: float) -> None: ...


class Door:
    """From frame to decision: judge, track, decide. Frames must come in the order of their times."""

    def __init__(self, judge: FaceJudge, tracker: Tracker, policy: DoorPolicy) -> None:
        self._judge = judge
        self._tracker = tracker
        self._policy = policy

    @classmethod
    def of(cls, judge: FaceJudge, settings: Settings) -> Door:
        """A door where nobody has been seen yet."""
        return cls(judge, Tracker(settings.decision), DoorPolicy(settings.zone, settings.decision))

    def see(self, frame: Frame) -> Decision:
        faces = self._judge.judge(frame.rgb)
        tracks = self._tracker.update(faces, frame.time)
        height, width = frame.rgb.shape[:2]
        return self._policy.update(tracks, (width, height), frame.time)


class LiveDoor:
    """A door that takes a frame older than `age_limit`, in seconds of `clock`, for a fault, and does not judge it."""

    def __init__(self, door: Sees, age_limit: float, clock: Clock = time.monotonic) -> None:
        self._door = door
        self._age_limit = age_limit
        self._clock = clock

    def see(self, frame: Frame) -> Decision:
        now = self._clock()
        if (age := now - frame.time) > self._age_limit:
            return Decision(now, State.FAULT, f"the frame is {age:.2f} s old, the limit is {self._age_limit:g} s")
        return self._door.see(frame)


class Announcer:
    """Tells each decision to the outputs first, then to the observers, which can neither stop nor change it.

    valid_seconds: how long a decision stands from the time of its frame on. A fault stands until the next decision.
    """

    def __init__(self, outputs: Shows, observers: Iterable[Observer], valid_seconds: float) -> None:
        self._outputs = outputs
        self._observers = list(observers)
        self._valid_seconds = valid_seconds

    def show(self, decision: Decision, frame: Frame | None = None) -> None:
        faulty = decision.state == State.FAULT
        self._outputs.show(decision, math.inf if faulty else decision.time + self._valid_seconds)
        for observer in tuple(self._observers):
            try:
                observer(decision, frame)
            except Exception as error:
                self._observers.remove(observer)
                print(f"maskgate: {type(observer).__name__} is dropped: {in_one_line(error)}", file=sys.stderr)


class NoOutputs:
    """Drives nothing."""

    def show(self, decision: Decision, valid_until: float) -> None:
        pass


class Terminal:
    """Prints a line at each change of state."""

    def __init__(self) -> None:
        self._state: State | None = None

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        if decision.state != self._state:
            self._state = decision.state
            print(f"{decision.time:.1f} s  {decision.state:<8}  {decision.reason}", flush=True)


def run_frames(
    frames: Iterable[Frame], door: Sees, announcer: Announcer, stopped: Callable[[], bool] = lambda: False
) -> None:
    """The loop itself, until the frames end or `stopped` says so."""
    for frame in frames:
        announcer.show(door.see(frame), frame)
        if stopped():
            return


def serve(
    open_next: Callable[[], Camera],
    new_door: Callable[[], Sees],
    announcer: Announcer,
    stopped: Callable[[], bool],
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run until the camera's frames end or `stopped` says so.

    Whatever fails is shown as FAULT; then the camera is opened anew, for a door where nobody has been seen yet.
    """
    while not stopped():
        try:
            with open_next() as camera:
                run_frames(camera.frames(), new_door(), announcer, stopped)
            return
        except Exception as error:
            if stopped():  # the signal to stop also ends the wait for a frame
                return
            announcer.show(Decision(clock(), State.FAULT, in_one_line(error)))
            sleep(RETRY_SECONDS)


def run(settings: Settings) -> None:
    """The daemon, until SIGTERM or SIGINT or the end of a file; on leaving, every output is at its safe level.

    Raises MaskgateError when the bundle, the camera, the outputs or the event file cannot be had at the start, or an
    output cannot be driven.
    """
    run_with(load_judge(settings.model.bundle, settings.model.threads), settings)


def run_with(judge: FaceJudge, settings: Settings) -> None:
    """`run` with a judge that is already there."""
    limit, valid = settings.decision.frame_age_limit, settings.decision.valid_seconds
    with stop_signals() as stopped, ExitStack() as stack:
        observers = _observers(stack, settings.events.file)
        announcer = Announcer(stack.enter_context(open_outputs(settings.output)), observers, valid)
        # the first is opened here, where it is an error and not a fault if there is no camera
        cameras = chain([open_camera(settings.camera)], iter(lambda: open_camera(settings.camera), None))
        serve(lambda: next(cameras), lambda: LiveDoor(Door.of(judge, settings), limit), announcer, stopped)


def replay(video: Path, events: Path | None = None, zone: Sequence[Point] = (), bundle: Path | None = None) -> None:
    """Decide over a video file, or a folder of pictures, in its own time, as fast as it goes.

    events: file for the event log, begun anew. zone: corners (x, y) in fractions of the frame; empty for all of it.
    bundle: folder of the models, by default those of the package. Raises MaskgateError.
    """
    settings = Settings(zone=ZoneSettings(polygon=tuple(zone)))
    replay_with(load_judge(bundle or "", settings.model.threads), settings, video, events)


def replay_with(judge: FaceJudge, settings: Settings, video: Path, events: Path | None = None) -> None:
    """`replay` with a judge that is already there, and with the zone and the times of the settings."""
    with open_file(video) as camera, ExitStack() as stack:
        observers = _observers(stack, events or "", append=False)
        announcer = Announcer(NoOutputs(), observers, settings.decision.valid_seconds)
        run_frames(camera.frames(), Door.of(judge, settings), announcer)


def load_judge(bundle: Path | str, threads: int) -> Judge:
    """The judge of a bundle's folder, "" for that of the package. Raises BundleError."""
    return Judge.from_bundle(load_bundle(Path(bundle) if bundle else None), threads)


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


def in_one_line(error: Exception) -> str:
    """An error for people: our own ones speak for themselves, others are named too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, MaskgateError) else f"{type(error).__name__}: {text}"


def _observers(stack: ExitStack, events: Path | str, append: bool = True) -> list[Observer]:
    """The terminal, and the event log if a file is named; the stack closes it."""
    log = [stack.enter_context(open_events(Path(events), append))] if events else []
    return [Terminal(), *log]
