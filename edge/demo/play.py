"""Run the daemon's loop on a demo camera, and leave a video, a timeline, the events and the outputs in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

import msgspec

from edge.announce import Announcer, Terminal
from edge.camera import Camera
from edge.demo.timeline import draw_timeline, key_spans, line_spans, read_records, state_spans
from edge.demo.video import Film, read_frames
from edge.door import Door, FaceJudge, LiveDoor
from edge.errors import InputError
from edge.events import open_events
from edge.guard import FileLines, Guard
from edge.output import orders
from edge.settings import LAMPS, LineSettings, OutputSettings, Settings
from edge.values import Decision, Frame

LINES = (*LAMPS, LineSettings("door", 23, ("RELEASE",)))
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


class DemoOutputs:
    """The guard of simulated lines in this process, on the demo's own clock."""

    def __init__(self, lines: Sequence[LineSettings], file: Path, clock: Callable[[], float]) -> None:
        config = msgspec.to_builtins(OutputSettings(file=str(file), lines=tuple(lines)))
        self._guard = Guard(config["line"], [], 0.0, FileLines(config["line"], [], str(file), "", clock))
        self._clock = clock

    def __enter__(self) -> Self:
        self._guard.tick(self._clock())
        return self

    def __exit__(self, *error: object) -> None:
        self._guard.close(self._clock())

    def show(self, decision: Decision, valid_until: float) -> None:
        self._guard.tell(orders(decision, valid_until), self._clock())
        self._guard.tick(self._clock())


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
        outputs = stack.enter_context(DemoOutputs(LINES, folder / "outputs.jsonl", camera.clock))
        announcer = Announcer(outputs, [Terminal(), events, film, diary], settings.decision.valid_seconds)
        door = LiveDoor(lambda: Door(judge, settings), settings, clock=camera.clock)
        for frame in camera.frames():
            if (decision := door.see(frame)) is not None:
                announcer.show(decision, frame)
    return diary.decisions


def _summarise(decisions: Sequence[Decision], fps: float, folder: Path) -> None:
    """Draw the timeline, with key frames read back from the video."""
    end = len(decisions) / fps
    spans = key_spans(state_spans(decisions, end))
    frames = read_frames(folder / "annotated.mp4", [int(span.middle * fps) for span in spans])
    lines = line_spans(read_records(folder / "outputs.jsonl"), end)
    draw_timeline(folder / "timeline.png", decisions, lines, list(zip(spans, frames, strict=True)), end)
