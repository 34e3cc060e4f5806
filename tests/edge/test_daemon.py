import json
import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Self

import cv2
import msgspec
import pytest

from edge.announce import Announcer
from edge.daemon import replay_with, run_with, serve, stop_signals
from edge.door import Door, FaceJudge, LiveDoor
from edge.errors import CameraError, InputError, MaskgateError, OutputError
from edge.settings import CameraSettings, EventSettings, OutputSettings, Settings
from edge.values import Decision, Frame, Judged, Rgb, State
from tests.edge.rig import EMPTY, GREEN, RED, ColourJudge, Pictures

SILENCE = "the camera has given no frame for 0.5 s; check its cable and power"


def film(file: Path, *scenes: tuple[tuple[int, int, int], float], rate: float = 25) -> Path:
    """A video of colours, each with how many seconds it lasts."""
    pictures = Pictures()
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), rate, (128, 96))
    for colour, seconds in scenes:
        for _ in range(round(seconds * rate)):
            video.write(pictures(colour)[..., ::-1])
    video.release()
    return file


def frames(colour: tuple[int, int, int] = GREEN, rate: float = 25, start: float = 0) -> Iterator[Frame]:
    pictures = Pictures()
    return (Frame(pictures(colour), start + n / rate) for n in count())


class Reel:
    """A camera that gives these frames, and tells whether it was closed."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    def frames(self) -> Iterator[Frame]:
        return self._frames


class Lamps:
    """Outputs that keep what they were told."""

    def __init__(self) -> None:
        self.shown: list[tuple[Decision, float]] = []

    def show(self, decision: Decision, valid_until: float) -> None:
        self.shown.append((decision, valid_until))

    @property
    def states(self) -> list[State]:
        """Each change of state."""
        states = [decision.state for decision, _ in self.shown]
        return [state for n, state in enumerate(states) if n == 0 or state != states[n - 1]]


def door_of(judge: FaceJudge) -> LiveDoor:
    """A door for which no frame is old."""
    return LiveDoor(lambda: Door(judge, Settings()), Settings(), clock=lambda: 0.0)


def serve_with(
    lamps: Lamps,
    open_next: Callable[[], Reel],
    stopped: Callable[[], bool],
    judge: FaceJudge | None = None,
    sleep: Callable[[float], None] = lambda seconds: None,
) -> None:
    serve(open_next, door_of(judge or ColourJudge()), Announcer(lamps, [], 0.8), stopped, 0.5, sleep)


def events_of(file: Path) -> list[tuple[float, str]]:
    return [(event["time"], event["state"]) for event in map(json.loads, file.read_text().splitlines())]


def changes_of(file: Path) -> list[tuple[str, bool]]:
    """Each change of a lamp: its name, and whether it went on."""
    return [(change["line"], change["active"]) for change in map(json.loads, file.read_text().splitlines())]


# --- a replay


def test_a_replay_logs_each_change_of_state_in_the_files_own_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = film(tmp_path / "door.avi", (EMPTY, 1), (GREEN, 2), (RED, 1), (EMPTY, 1))
    replay_with(ColourJudge(), Settings(), video, tmp_path / "events.jsonl")
    times, states = zip(*events_of(tmp_path / "events.jsonl"), strict=True)
    assert states == ("IDLE", "CHECKING", "ALLOW", "DENY", "IDLE")
    assert times == pytest.approx((0, 1, 2.1, 3.36, 4.5), abs=0.06)
    assert "3.3 s  DENY      1 face without_mask\n" in capsys.readouterr().out


def test_two_replays_give_the_same_bytes(tmp_path: Path) -> None:
    video = film(tmp_path / "door.avi", (GREEN, 2), (RED, 1))
    logs = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for log in logs:
        replay_with(ColourJudge(), Settings(), video, log)
    assert logs[0].read_bytes() == logs[1].read_bytes() != b""


def test_a_replay_that_cannot_read_the_video_leaves_an_older_log_alone(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text("older\n")
    with pytest.raises(InputError):
        replay_with(ColourJudge(), Settings(), tmp_path / "none.avi", log)
    assert log.read_text() == "older\n"


# --- the daemon on a short film, in real time


def settings_in(folder: Path, source: Path) -> Settings:
    return Settings(
        camera=CameraSettings(source=str(source)),
        output=OutputSettings(file=str(folder / "outputs.jsonl")),
        events=EventSettings(file=str(folder / "events.jsonl")),
    )


def test_the_daemon_drives_the_lamps_logs_the_events_and_leaves_all_safe(tmp_path: Path) -> None:
    video = film(tmp_path / "door.avi", (EMPTY, 0.04), (GREEN, 0.3), rate=50)
    run_with(ColourJudge(), settings_in(tmp_path, video))
    assert [state for _, state in events_of(tmp_path / "events.jsonl")] == ["IDLE", "CHECKING"]
    changes = changes_of(tmp_path / "outputs.jsonl")
    assert ("yellow", True) in changes
    assert dict(changes) == {"green": False, "yellow": False, "red": False}


def test_opencv_gets_one_thread_as_more_would_wait_busily(tmp_path: Path) -> None:
    cv2.setNumThreads(2)
    try:
        run_with(ColourJudge(), settings_in(tmp_path, film(tmp_path / "door.avi", (GREEN, 0.2))))
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(1)  # see conftest.py


def test_without_a_camera_the_daemon_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.avi"):
        run_with(ColourJudge(), settings_in(tmp_path, tmp_path / "none.avi"))


@pytest.mark.parametrize("missing", ["camera", "lines"])
def test_what_keeps_the_daemon_from_starting_is_a_fault_in_the_log(tmp_path: Path, missing: str) -> None:
    video = tmp_path / "none.avi" if missing == "camera" else film(tmp_path / "door.avi", (EMPTY, 1))
    settings = settings_in(tmp_path, video)
    if missing == "lines":
        settings = msgspec.structs.replace(settings, output=OutputSettings(file=str(tmp_path / "none/outputs.jsonl")))
    with pytest.raises(MaskgateError) as refused:
        run_with(ColourJudge(), settings)
    (event,) = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    assert (event["state"], event["reason"]) == ("FAULT", str(refused.value))


class Terminated(ColourJudge):
    """Asks its own process to end while it judges the first frame."""

    judged = 0

    def judge(self, rgb: Rgb) -> Sequence[Judged]:
        self.judged += 1
        os.kill(os.getpid(), signal.SIGTERM)
        return super().judge(rgb)


def test_a_signal_ends_the_daemon_with_all_lamps_off(tmp_path: Path) -> None:
    video = film(tmp_path / "door.avi", (RED, 60), rate=1)
    judge = Terminated()
    run_with(judge, settings_in(tmp_path, video))
    assert judge.judged == 1
    changes = changes_of(tmp_path / "outputs.jsonl")
    assert ("yellow", True) in changes
    assert dict(changes) == {"green": False, "yellow": False, "red": False}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_noticed_and_their_handlers_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_signals() as stopped:
        assert not stopped()
        signal.raise_signal(number)
        assert stopped()
    assert signal.getsignal(number) == before


# --- faults


def breaks_after(good: int) -> Iterator[Frame]:
    for _, frame in zip(range(good), frames(), strict=False):
        yield frame
    raise CameraError("camera 7: gone")


def test_a_camera_that_stops_is_a_fault_at_once_and_opened_anew_every_second() -> None:
    lamps, slept = Lamps(), []
    first, last = Reel(breaks_after(50)), Reel(frames(EMPTY, start=100))
    absent = CameraError("camera 7: absent")
    attempts: Iterator[Reel | CameraError] = iter([first, absent, absent, last])

    def open_next() -> Reel:
        attempt = next(attempts)
        if isinstance(attempt, CameraError):
            raise attempt
        return attempt

    serve_with(lamps, open_next, lambda: len(lamps.shown) == 60, sleep=slept.append)
    assert lamps.states == [State.CHECKING, State.ALLOW, State.FAULT, State.IDLE]
    assert lamps.shown[50] == (Decision(0.0, State.FAULT, "camera 7: gone"), math.inf)
    assert slept == [1.0, 1.0, 1.0]
    assert first.closed and last.closed


def test_a_frame_that_is_overdue_is_a_fault() -> None:
    lamps = Lamps()
    overdue: Iterator[Frame | None] = iter([next(frames(EMPTY)), None, None])
    serve_with(lamps, lambda: Reel(overdue), lambda: False)
    assert [decision.state for decision, _ in lamps.shown] == [State.IDLE, State.FAULT, State.FAULT]
    assert lamps.shown[-1][0].reason == SILENCE


def test_a_stop_that_ends_the_wait_for_a_frame_is_no_fault() -> None:
    lamps, slept, stops = Lamps(), [], []

    def interrupted() -> Iterator[Frame]:
        yield next(iter(frames(EMPTY)))
        stops.append(True)
        raise CameraError("camera 7: gave no frame")

    serve_with(lamps, lambda: Reel(interrupted()), lambda: bool(stops), sleep=slept.append)
    assert lamps.states == [State.IDLE] and slept == []


class BrokenJudge:
    def judge(self, rgb: Rgb) -> Sequence[Judged]:
        raise RuntimeError("interpreter:\n out of order")


def test_a_model_that_fails_is_a_fault_with_its_reason_and_leaves_the_camera_open() -> None:
    lamps, opened = Lamps(), []
    serve_with(lamps, lambda: opened.append(1) or Reel(frames()), lambda: len(lamps.shown) == 3, judge=BrokenJudge())
    assert [decision.reason for decision, _ in lamps.shown] == ["RuntimeError: interpreter: out of order"] * 3
    assert len(opened) == 1


def test_an_allow_does_not_outlive_a_fault() -> None:
    lamps = Lamps()
    reels = [Reel(breaks_after(50)), Reel(frames())]
    serve_with(lamps, lambda: reels.pop(0), lambda: len(lamps.shown) == 60)
    assert lamps.states == [State.CHECKING, State.ALLOW, State.FAULT, State.CHECKING]


def test_the_end_of_a_file_is_the_end_of_the_run() -> None:
    lamps = Lamps()
    five = (frame for _, frame in zip(range(5), frames(), strict=False))
    serve_with(lamps, lambda: Reel(five), lambda: False)
    assert len(lamps.shown) == 5


def test_lamps_that_fail_end_the_run() -> None:
    class DeadLamps(Lamps):
        def show(self, decision: Decision, valid_until: float) -> None:
            raise OutputError("line 17: gone")

    with pytest.raises(OutputError, match="line 17"):
        serve_with(DeadLamps(), lambda: Reel(frames()), lambda: False)


def test_the_service_manager_hears_of_life_after_judged_frames_only(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("edge.daemon.notify", told.append)
    serve_with(Lamps(), lambda: Reel(iter([None, None])), lambda: False)
    assert told == []
    serve_with(Lamps(), lambda: Reel(iter([next(frames(EMPTY)), None])), lambda: False)
    assert told == ["WATCHDOG=1"]
