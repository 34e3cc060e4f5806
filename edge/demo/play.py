"""Run the daemon's loop on a demo camera, and leave a video, a timeline, the events and the outputs in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from edge.camera import Camera
from edge.daemon import Announcer, Door, FaceJudge, LiveDoor, Terminal, run_frames
from edge.demo.timeline import draw_timeline, key_spans, line_spans, read_records, state_spans
from edge.demo.video import Film, read_frames
from edge.errors import InputError
from edge.events import open_events
from edge.output import SimulatedOutputs
from edge.settings import LAMPS, LineSettings, Settings
from edge.values import Decision, Frame, State

LINES = (*LAMPS, LineSettings("door", 23, (State.ALLOW,)))
"""The lamps of the default settings, and the door's release."""


class DemoCamera(Camera, Protocol):
    """A camera with a clock of its own.

    fps: frames a second. size: width and height in pixels.
    """

    fps: float
    size: tuple[int, int]

    def clock(self) -> float:
        """Seconds: the time of the frame given last."""
        ...


class Diary:
    """Keeps every decision; an observer of the daemon."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        self.decisions.append(decision)


def play(camera: DemoCamera, judge: FaceJudge, folder: Path) -> list[Decision]:
    """Run until the camera's frames end, as fast as it goes; returns each frame's decision.

    Leaves in `folder`, which is made: annotated.mp4, timeline.png, events.jsonl and outputs.jsonl. Raises InputError.
    """
    _prepare(folder)
    decisions = _run(camera, judge, folder)
    _summarise(decisions, camera.fps, folder)
    return decisions


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the outputs append
        (folder / "outputs.jsonl").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error


def _run(camera: DemoCamera, judge: FaceJudge, folder: Path) -> list[Decision]:
    settings = Settings()
    diary = Diary()
    with ExitStack() as stack:
        stack.enter_context(camera)
        events = stack.enter_context(open_events(folder / "events.jsonl", append=False))
        film = stack.enter_context(Film(folder / "annotated.mp4", camera.fps, camera.size))
        outputs = stack.enter_context(SimulatedOutputs(LINES, folder / "outputs.jsonl", camera.clock))
        announcer = Announcer(outputs, [Terminal(), events, film, diary], settings.decision.valid_seconds)
        door = LiveDoor(Door.of(judge, settings), settings.decision.frame_age_limit, camera.clock)
        run_frames(camera.frames(), door, announcer)
    return diary.decisions


def _summarise(decisions: Sequence[Decision], fps: float, folder: Path) -> None:
    """Draw the timeline, with key frames read back from the video."""
    end = len(decisions) / fps
    spans = key_spans(state_spans(decisions, end))
    frames = read_frames(folder / "annotated.mp4", [int(span.middle * fps) for span in spans])
    lines = line_spans(read_records(folder / "outputs.jsonl"), end)
    draw_timeline(folder / "timeline.png", decisions, lines, list(zip(spans, frames, strict=True)), end)
