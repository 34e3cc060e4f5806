import json
import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest

from edge.daemon import Announcer, Door, LiveDoor, NoOutputs, Terminal, replay_with, run_with, serve, stop_signals
from edge.errors import CameraError, InputError, OutputError
from edge.settings import CameraSettings, EventSettings, OutputSettings, Settings
from edge.values import WITH_MASK, WITHOUT_MASK, Box, Classification, Decision, Frame, Judged, Rgb, State

GREEN, RED, BLACK = (0, 200, 0), (200, 0, 0), (0, 0, 0)
VERDICTS = {
    GREEN: Classification(WITH_MASK, 0.96, (0.02, 0.96, 0.02)),
    RED: Classification(WITHOUT_MASK, 0.96, (0.96, 0.02, 0.02)),
}


class ColourJudge:
    """Takes a green picture for a masked face, a red one for a bare face, and a black one for an empty room."""

    def judge(self, rgb: Rgb) -> Sequence[Judged]:
        red, green, _ = rgb.reshape(-1, 3).mean(axis=0)
        if max(red, green) < 100:
            return []
        return [Judged(Box(20, 10, 44, 34), 0.9, VERDICTS[GREEN if green > red else RED])]


def picture(colour: tuple[int, int, int]) -> Rgb:
    return np.full((48, 64, 3), colour, np.uint8)


def film(file: Path, *scenes: tuple[tuple[int, int, int], float], rate: float = 25) -> Path:
    """A video of colours, each with how many seconds it lasts."""
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), rate, (64, 48))
    for colour, seconds in scenes:
        for _ in range(round(seconds * rate)):
            video.write(picture(colour)[..., ::-1])
    video.release()
    return file


def frames(colour: tuple[int, int, int] = GREEN, rate: float = 25, start: float = 0) -> Iterator[Frame]:
    return (Frame(picture(colour), start + n / rate) for n in count())


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


def after(seconds: float, clock: Callable[[], float]) -> Callable[[], bool]:
    return lambda: clock() >= seconds


def new_door() -> Door:
    return Door.of(ColourJudge(), Settings())


def events_of(file: Path) -> list[tuple[float, str]]:
    return [(event["time"], event["state"]) for event in map(json.loads, file.read_text().splitlines())]


def changes_of(file: Path) -> list[tuple[str, bool]]:
    """Each change of a lamp: its name, and whether it went on."""
    return [(change["line"], change["active"]) for change in map(json.loads, file.read_text().splitlines())]


# --- a replay


def test_a_replay_logs_each_change_of_state_in_the_files_own_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = film(tmp_path / "door.avi", (BLACK, 1), (GREEN, 2), (RED, 1), (BLACK, 1))
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
    video = film(tmp_path / "door.avi", (BLACK, 0.04), (GREEN, 0.3), rate=50)
    run_with(ColourJudge(), settings_in(tmp_path, video))
    assert [state for _, state in events_of(tmp_path / "events.jsonl")] == ["IDLE", "CHECKING"]
    changes = changes_of(tmp_path / "outputs.jsonl")
    assert ("yellow", True) in changes
    assert dict(changes) == {"green": False, "yellow": False, "red": False}


def test_without_a_camera_the_daemon_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.avi"):
        run_with(ColourJudge(), settings_in(tmp_path, tmp_path / "none.avi"))


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


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def breaks_after(good: int) -> Iterator[Frame]:
    for _, frame in zip(range(good), frames(), strict=False):
        yield frame
    raise CameraError("camera 7: gone")


def test_a_camera_that_stops_is_a_fault_at_once_and_opened_anew_every_second() -> None:
    lamps, clock = Lamps(), Clock()
    first, last = Reel(breaks_after(50)), Reel(frames(BLACK, start=100))
    absent = CameraError("camera 7: absent")
    attempts: Iterator[Reel | CameraError] = iter([first, absent, absent, last])

    def open_next() -> Reel:
        attempt = next(attempts)
        if isinstance(attempt, CameraError):
            raise attempt
        return attempt

    serve(open_next, new_door, Announcer(lamps, [], 0.8), lambda: len(lamps.shown) == 60, clock, clock.sleep)
    assert lamps.states == [State.CHECKING, State.ALLOW, State.FAULT, State.IDLE]
    assert lamps.shown[50] == (Decision(0.0, State.FAULT, "camera 7: gone"), math.inf)
    assert clock.slept == [1.0, 1.0, 1.0]
    assert first.closed and last.closed


def test_a_stop_that_ends_the_wait_for_a_frame_is_no_fault() -> None:
    lamps, clock = Lamps(), Clock()
    stops: list[bool] = []

    def interrupted() -> Iterator[Frame]:
        yield next(iter(frames(BLACK)))
        stops.append(True)
        raise CameraError("camera 7: gave no frame")

    serve(lambda: Reel(interrupted()), new_door, Announcer(lamps, [], 0.8), lambda: bool(stops), clock, clock.sleep)
    assert lamps.states == [State.IDLE] and clock.slept == []


class BrokenJudge:
    def judge(self, rgb: Rgb) -> Sequence[Judged]:
        raise RuntimeError("interpreter:\n out of order")


def test_a_model_that_fails_is_a_fault_with_its_reason() -> None:
    lamps, clock = Lamps(), Clock()
    serve(
        lambda: Reel(frames()),
        lambda: Door.of(BrokenJudge(), Settings()),
        Announcer(lamps, [], 0.8),
        after(3, clock),
        clock,
        clock.sleep,
    )
    assert [decision.reason for decision, _ in lamps.shown] == ["RuntimeError: interpreter: out of order"] * 3


def test_an_allow_does_not_outlive_a_fault() -> None:
    lamps, clock = Lamps(), Clock()
    reels = [Reel(breaks_after(50)), Reel(frames())]
    serve(lambda: reels.pop(0), new_door, Announcer(lamps, [], 0.8), lambda: len(lamps.shown) == 60, clock, clock.sleep)
    assert lamps.states == [State.CHECKING, State.ALLOW, State.FAULT, State.CHECKING]


def test_the_end_of_a_file_is_the_end_of_the_run() -> None:
    lamps = Lamps()
    five = (frame for _, frame in zip(range(5), frames(), strict=False))
    serve(lambda: Reel(five), new_door, Announcer(lamps, [], 0.8), lambda: False)
    assert len(lamps.shown) == 5


def test_lamps_that_fail_end_the_run() -> None:
    class DeadLamps(Lamps):
        def show(self, decision: Decision, valid_until: float) -> None:
            raise OutputError("line 17: gone")

    with pytest.raises(OutputError, match="line 17"):
        serve(lambda: Reel(frames()), new_door, Announcer(DeadLamps(), [], 0.8), lambda: False)


def test_an_old_frame_is_a_fault_and_is_not_judged() -> None:
    door = LiveDoor(Door.of(BrokenJudge(), Settings()), 0.5, clock=lambda: 10.0)
    decision = door.see(Frame(picture(GREEN), 9.4))
    assert (decision.state, decision.reason) == (State.FAULT, "the frame is 0.60 s old, the limit is 0.5 s")


def test_a_fresh_frame_is_judged() -> None:
    door = LiveDoor(new_door(), 0.5, clock=lambda: 10.0)
    assert door.see(Frame(picture(GREEN), 9.6)).state == State.CHECKING


# --- telling


def test_a_decision_stands_from_the_time_of_its_frame() -> None:
    lamps = Lamps()
    Announcer(lamps, [], 0.8).show(Decision(5.0, State.ALLOW, "so"))
    assert [until for _, until in lamps.shown] == [5.8]


def test_outputs_come_before_observers() -> None:
    lamps = Lamps()
    shown_before: list[int] = []
    announcer = Announcer(lamps, [lambda decision, frame: shown_before.append(len(lamps.shown))], 0.8)
    announcer.show(Decision(5.0, State.DENY, "so"))
    assert shown_before == [1]


def test_an_observer_that_fails_is_reported_once_and_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    lamps, seen = Lamps(), []

    class Bad:
        def __call__(self, decision: Decision, frame: Frame | None) -> None:
            raise ValueError("no room")

    announcer = Announcer(lamps, [Bad(), lambda decision, frame: seen.append(decision.state)], 0.8)
    for time, state in enumerate([State.IDLE, State.DENY]):
        announcer.show(Decision(time, state, "so"))
    assert capsys.readouterr().err == "maskgate: Bad is dropped: ValueError: no room\n"
    assert seen == lamps.states == [State.IDLE, State.DENY]


def test_observers_get_the_frame_with_its_decision() -> None:
    pairs: list[tuple[Decision, Frame | None]] = []
    announcer = Announcer(NoOutputs(), [lambda decision, frame: pairs.append((decision, frame))], 0.8)
    frame = Frame(picture(RED), 1.0)
    announcer.show(new_door().see(frame), frame)
    assert pairs[0][0].time == 1.0
    assert pairs[0][1] is frame


def test_the_terminal_shows_changes_only(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    for time, state in [(12.3, State.ALLOW), (12.4, State.ALLOW), (13.0, State.IDLE)]:
        terminal(Decision(time, state, "why"))
    assert capsys.readouterr().out == "12.3 s  ALLOW     why\n13.0 s  IDLE      why\n"
