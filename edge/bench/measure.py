"""Times the daemon's own way of a frame: check, locate, crop, classify, decide, and the word to a real guard."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.announce import Announcer
from edge.bench.scene import JpegCamera, Scene
from edge.calm import Calm
from edge.contract import Bundle
from edge.door import Check, Door, FaceJudge, LiveDoor, Unchanged
from edge.errors import ModelError
from edge.judge import Judge
from edge.laps import Laps
from edge.output import open_outputs
from edge.settings import OutputSettings, Settings
from edge.values import Decision, Frame, State

CAPTURE = "capture"
STAGES = (CAPTURE, "check", "resize", "locate", "decode", "crop", "classify", "decide", "output")
"""In their order. "capture" is to decode a JPEG file, which the daemon does in a thread of its own."""
WARM_UP = 30
"""Frames that are not counted: until every buffer is there and the door has settled."""
AHEAD = 3600.0
"""Seconds by which the scene's time is ahead, so that the guard takes no decision of a slow device for an old one."""

Clock = Callable[[], float]
See = Callable[[Frame], Decision | None]
"""The decision on a frame, told to the guard; None where the frame was left out, as nobody was there and all calm."""


@dataclass(slots=True)
class Run:
    """What was measured of one scene; all times in seconds, one a frame.

    frames, cpu: from the picture to the word to the lamp, without its capture; by the clock, and of the processor in
    all threads. stages: parts of `frames`, and the capture. found: faces that counted in the last decision.
    """

    width: int
    height: int
    faces: int
    frames: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    found: int = 0


def measure(
    bundle: Bundle, size: tuple[int, int], faces: int, frames: int, threads: int = 1, clock: Clock = time.perf_counter
) -> Run:
    """Judge so many frames of a scene, one after the other.

    size: (width, height) in pixels. clock: `time.process_time` on a machine that does other things meanwhile; all but
    waiting is in it. Raises MaskgateError.
    """
    run = Run(*size, faces)
    with shipped(bundle, camera := camera_before(size, faces), threads, clock) as see:
        for _ in range(WARM_UP):
            see(camera.frame())
        for _ in range(frames):
            step(run, camera, see, clock)
    return run


def step(run: Run, camera: JpegCamera, see: See, clock: Clock = time.perf_counter) -> None:
    """One frame more in the run."""
    marks = [(clock(), time.process_time())]
    frame = camera.frame()
    marks.append((clock(), time.process_time()))
    decision = see(frame)
    marks.append((clock(), time.process_time()))
    (capture, _), (seconds, cpu) = np.diff(marks, axis=0).tolist()
    run.frames.append(seconds)
    run.cpu.append(cpu)
    run.found = len(decision.tracks) if decision else 0
    spent = {CAPTURE: capture, **dict(decision.stages if decision else ())}
    for stage in STAGES:
        run.stages[stage].append(spent.get(stage, 0.0))


def camera_before(size: tuple[int, int], faces: int) -> JpegCamera:
    return JpegCamera(Scene(*size, faces), time.monotonic() + AHEAD)


@contextmanager
def shipped(bundle: Bundle, camera: JpegCamera, threads: int = 1, clock: Clock = time.perf_counter) -> Iterator[See]:
    """`doorway` with the bundle's networks, so many threads for each."""
    cv2.setNumThreads(1)  # as the daemon does
    laps = Laps(clock)
    judge = Judge.from_bundle(bundle, threads, laps=laps)
    unchanged = Unchanged([bundle.locator_file, bundle.classifier_file], clock=lambda: camera.now)
    with doorway(judge, camera, [unchanged], laps) as see:
        yield see


@contextmanager
def doorway(
    judge: FaceJudge, camera: JpegCamera, checks: Sequence[Check] = (), laps: Laps | None = None
) -> Iterator[See]:
    """What gives the decision on a frame, as the daemon would, and tells it to a real guard with simulated lines.

    Its time is the scene's, so that a fast and a slow device come to the same decisions. A fault is a ModelError.
    """
    laps = laps or Laps()
    told: list[Decision] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(output=OutputSettings(file=str(Path(folder, "outputs.jsonl"))))
        with open_outputs(settings.output, settings.door.exit_seconds) as outputs:

            def listen() -> None:
                outputs.fault()  # none of ours: a busy machine's guard may answer late

            calm = Calm(settings.decision)
            camera.wants = calm.wants
            checks = [*checks, listen]
            door = LiveDoor(lambda: Door(judge, settings), settings, checks, lambda: camera.now, laps, calm)
            show = Announcer(outputs, [lambda decision, _: told.append(decision)], 0.8, laps).show

            def see(frame: Frame) -> Decision | None:
                if (decision := door.see(frame)) is None:
                    return None
                if decision.state == State.FAULT:
                    raise ModelError(f"the bench's own pictures are no good: {decision.reason}")
                show(decision, frame)
                return told.pop()

            yield see
