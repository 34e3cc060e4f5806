"""The guard's rules on lines that are made up, and its process with real pipes, signals and a full disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import gpiod
import pytest

from edge.guard import LEAST_FAULT, MOST_AHEAD, GpioLines, Guard, Messages, change_in, lit

GUARD = Path(__file__).resolve().parents[2] / "edge/guard.py"
GREEN = {"name": "green", "line": 17, "on": ["ALLOW"], "active_low": False, "pattern": "steady", "fail_safe": False}
RED = GREEN | {"name": "red", "line": 22, "on": ["DENY", "FAULT"]}
RELAY = GREEN | {"name": "relay", "line": 5, "on": ["RELEASE"]}
ESCAPE = RELAY | {"name": "escape", "line": 6, "fail_safe": True}


class Lines:
    """Lines that remember what was driven. stuck: numbers that cannot be driven; shorted: numbers held inactive."""

    def __init__(self, count, stuck=(), shorted=()):
        self.now, self.stuck, self.shorted = [False] * count, set(stuck), set(shorted)
        self.pressed, self.history, self.released = [], [], False

    def drive(self, number, active):
        if number in self.stuck:
            raise OSError(5, "Input/output error")
        self.now[number] = active
        self.history.append((number, active))

    def levels(self):
        return [level and number not in self.shorted for number, level in enumerate(self.now)]

    def inputs(self):
        return self.pressed

    def release(self):
        self.released = True


def guard_of(*lines, inputs=(), exit_seconds=5.0, **faults):
    driver = Lines(len(lines), **faults)
    driver.pressed = [False] * len(inputs)
    return Guard(lines, [{"kind": kind} for kind in inputs], exit_seconds, driver), driver


def order(*on, until):
    return json.dumps({"on": on, "until": until}).encode()


def shown(guard, driver, now):
    guard.tick(now)
    return driver.levels()


def test_before_the_first_decision_every_line_is_at_its_safe_level():
    guard, driver = guard_of(GREEN, RED, ESCAPE)
    assert shown(guard, driver, 0.0) == [False, False, True]


def test_a_decision_is_shown_until_its_time_is_over_and_then_the_fault():
    guard, driver = guard_of(GREEN, RED, RELAY, ESCAPE)
    guard.tell(order("ALLOW", "RELEASE", until=10.8), 10.0)
    assert shown(guard, driver, 10.0) == [True, False, True, True]
    assert guard.tick(10.5) == pytest.approx(0.3)
    assert shown(guard, driver, 10.8) == [False, True, False, True]


def test_a_denied_door_keeps_a_fail_safe_line_inactive():
    guard, driver = guard_of(ESCAPE)
    guard.tell(order("DENY", until=1.0), 0.5)
    assert shown(guard, driver, 0.5) == [False]


def test_a_fail_safe_line_is_active_in_a_fault_that_is_told_as_in_one_that_is_not():
    guard, driver = guard_of(ESCAPE)
    guard.tell(order("ALLOW", until=0.2), 0.0)
    guard.tick(0.0)
    guard.tell(order("FAULT", until=1.0), 0.1)
    assert shown(guard, driver, 0.1) == [True]
    assert shown(guard, driver, 1.0) == [True]


def test_nobody_can_speak_for_more_than_a_second_ahead():
    guard, driver = guard_of(GREEN)
    guard.tell(order("ALLOW", until=1e9), 0.0)
    assert shown(guard, driver, MOST_AHEAD - 0.01) == [True]
    assert shown(guard, driver, MOST_AHEAD) == [False]


NONSENSE = [
    *(b"", b"ALLOW", b"{}", b"[]", b"\xff\xfe", b"9" * 5000, b'{"on": ["ALLOW"]}', b'{"on": 1, "until": 2}'),
    *(b'{"on": ["ALLOW"], "until": "soon"}', b'{"on": ["ALLOW"], "until": NaN}', b'{"on": [["ALLOW"]], "until": 9}'),
    *(b'{"on": ["ALLOW"], "until": 1' + b"0" * 400 + b"}", b"[" * 60000),
]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_ends_the_decision_that_stands(text):
    guard, driver = guard_of(GREEN, RED)
    guard.tell(order("ALLOW", until=1.0), 0.5)
    assert shown(guard, driver, 0.5) == [True, False]
    guard.tell(text, 0.6)
    assert shown(guard, driver, 0.6) == [False, True]


def test_a_request_to_exit_releases_the_door_whatever_the_daemon_says_or_does_not():
    guard, driver = guard_of(GREEN, RED, RELAY, inputs=["exit"])
    guard.tell(order("DENY", until=1.0), 0.0)
    assert shown(guard, driver, 0.0) == [False, True, False]
    driver.pressed = [True]
    assert shown(guard, driver, 0.5) == [False, True, True]
    driver.pressed = [False]
    assert shown(guard, driver, 5.4) == [False, True, True]
    assert guard.answer()["inputs"] == ["exit"]
    assert shown(guard, driver, 5.5) == [False, True, False]
    assert guard.answer()["inputs"] == []


def test_an_override_releases_the_door_while_it_lasts():
    guard, driver = guard_of(RELAY, inputs=["door", "override"])
    driver.pressed = [True, True]
    assert shown(guard, driver, 0.0) == [True]
    assert guard.answer() == {"inputs": ["door", "override"], "fault": None}
    driver.pressed = [True, False]
    assert shown(guard, driver, 0.1) == [False]


def test_a_line_that_cannot_be_driven_is_a_fault_and_keeps_no_other_from_being_driven():
    guard, driver = guard_of(GREEN, RED, stuck=[0])
    guard.tell(order("ALLOW", until=1.0), 0.5)
    assert shown(guard, driver, 0.5) == [False, True]
    assert guard.fault == 'line 17 ("green") cannot be driven (Input/output error)'


def test_a_line_that_reads_back_wrong_is_a_fault_for_some_seconds_and_all_lines_show_it():
    guard, driver = guard_of(GREEN, RED, RELAY, shorted=[0])
    guard.tell(order("ALLOW", "RELEASE", until=1.0), 0.5)
    assert shown(guard, driver, 0.5) == [False, True, False]
    assert guard.fault == 'line 17 ("green") was driven active and reads back inactive'
    driver.shorted = set()
    guard.tell(order("ALLOW", "RELEASE", until=1.5), 1.0)
    assert shown(guard, driver, 1.0) == [False, True, False]
    late = 0.5 + LEAST_FAULT
    guard.tell(order("ALLOW", "RELEASE", until=late + 1), late)
    assert shown(guard, driver, late) == [True, False, True]
    assert guard.fault is None


def test_what_becomes_inactive_does_so_before_anything_becomes_active():
    guard, driver = guard_of(GREEN, RED)
    guard.tell(order("DENY", until=1.0), 0.5)
    guard.tick(0.5)
    guard.tell(order("ALLOW", until=1.0), 0.6)
    guard.tick(0.6)
    assert driver.history[-2:] == [(1, False), (0, True)]


def test_closing_drives_every_line_safe_and_gives_them_back():
    guard, driver = guard_of(GREEN, RED, ESCAPE)
    guard.tell(order("DENY", until=1.0), 0.5)
    guard.tick(0.5)
    guard.close(0.6)
    assert driver.levels() == [False, False, True] and driver.released


@pytest.mark.parametrize(
    ("pattern", "active"),
    [("steady", 2.0), ("blink", 1.0), ("fast", 1.0), ("square", 1.0), ("beep", 0.2)],
)
def test_patterns_are_active_for_their_share_of_two_seconds(pattern, active):
    step = 0.001
    assert sum(lit(pattern, k * step) for k in range(2000)) * step == pytest.approx(active, abs=0.011)


@pytest.mark.parametrize("pattern", ["blink", "fast", "square", "beep"])
def test_a_pattern_changes_when_it_says(pattern):
    for seconds in (0.01, 0.03, 0.11, 0.13, 0.26, 0.7):
        wait = change_in(pattern, seconds)
        if wait < 10:
            assert lit(pattern, seconds) != lit(pattern, seconds + wait + 1e-6)


def test_a_heartbeat_beats_while_decisions_come_and_rests_when_they_do_not():
    beat = GREEN | {"on": ["HEARTBEAT"], "pattern": "square"}
    guard, driver = guard_of(beat)
    for k in range(20):
        now = k * 0.1 + 0.01 * (k > 0)
        guard.tell(order("IDLE", "HEARTBEAT", until=now + 0.5), now)
        guard.tick(now)
    assert [active for _, active in driver.history] == [True, False] * 10
    guard.tick(3.0)
    assert driver.levels() == [False] and guard.tick(3.0) is None


def test_messages_are_whole_lines_and_an_endless_one_is_not_waited_for():
    here, there = os.pipe()
    messages = Messages(here)
    os.write(there, b"one\ntw")
    assert messages.read() == [b"one"]
    os.write(there, b"o\n")
    assert messages.read() == [b"two"]
    for _ in range(3):
        os.write(there, b"x" * 30000)
        found = messages.read()
    assert [len(line) for line in found] == [90000]
    os.close(there)
    assert messages.read() == [] and messages.ended


def test_gpio_lines_are_requested_at_their_safe_level_and_driven_by_their_place():
    record = []

    def request(path, config, consumer):
        record.append((path, consumer, config))
        return SimpleNamespace(
            set_value=lambda line, value: record.append((line, value.value)),
            get_values=lambda lines: [gpiod.line.Value.ACTIVE for _ in lines],
            release=lambda: record.append("release"),
        )

    module = SimpleNamespace(line=gpiod.line, LineSettings=gpiod.LineSettings, request_lines=request)
    door = {"kind": "door", "line": 9, "active_low": True, "pull": "up"}
    lines = GpioLines(
        {"chip": "/dev/gpiochip0", "lines": [GREEN, ESCAPE | {"active_low": True}], "inputs": [door]}, module
    )
    lines.drive(1, False)
    assert (lines.levels(), lines.inputs()) == ([True, True], [True])
    lines.release()
    (path, consumer, config), *rest = record
    assert (path, consumer) == ("/dev/gpiochip0", "maskgate")
    asked = {
        n: (each.direction.name, each.active_low, each.output_value.value, each.bias.name) for n, each in config.items()
    }
    assert asked[17] == ("OUTPUT", False, 0, "AS_IS") and asked[6] == ("OUTPUT", True, 1, "AS_IS")
    assert (asked[9][:2], asked[9][3]) == (("INPUT", True), "PULL_UP")
    assert rest == [(6, 0), "release"]


# --- the process


class Process:
    """A guard process of simulated lines, spoken to through its pipes."""

    def __init__(self, folder, file=None, inputs=()):
        self.file, self.input_file = Path(file or folder / "outputs.jsonl"), folder / "inputs.txt"
        self.process = subprocess.Popen([sys.executable, "-I", GUARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.config = {"kind": "simulated", "chip": "", "file": str(self.file), "input_file": str(self.input_file),
                       "lines": [GREEN, RED, RELAY], "inputs": [{"kind": kind} for kind in inputs],
                       "exit_seconds": 0.5}  # fmt: skip
        self.send(json.dumps(self.config).encode())
        self.first = self.answer()

    def send(self, text):
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()

    def allow(self, seconds=0.5):
        self.send(order("ALLOW", "RELEASE", until=time.monotonic() + seconds))
        return self.answer()

    def answer(self):
        return json.loads(self.process.stdout.readline() or "null")

    def levels(self):
        changes = map(json.loads, self.file.read_text().splitlines())
        return {change["line"]: change["active"] for change in changes}

    def wait_for(self, levels, seconds=2.0):
        """How long it took until the lines were so."""
        start = time.monotonic()
        while self.levels() != levels:
            assert time.monotonic() < start + seconds, self.levels()
            time.sleep(0.005)
        return time.monotonic() - start


ALLOWED = {"green": True, "red": False, "relay": True}
FAULTY = {"green": False, "red": True, "relay": False}
SAFE = {"green": False, "red": False, "relay": False}


@pytest.fixture
def start(tmp_path):
    """Starts guards, and ends what is left of them."""
    started = []

    def start_one(**how):
        started.append(Process(tmp_path, **how))
        return started[-1]

    yield start_one
    for each in started:
        each.process.kill()
        each.process.wait()
        each.process.stdin.close()
        each.process.stdout.close()


@pytest.fixture
def guard(start):
    process = start()
    assert process.first == {"ready": True}
    return process


def test_silence_is_a_fault_by_the_time_that_was_given(guard):
    assert guard.allow(0.3) == {"inputs": [], "fault": None}
    assert guard.levels() == ALLOWED
    assert 0.2 < guard.wait_for(FAULTY) < 1.0


def test_a_closed_pipe_makes_the_lines_safe_and_ends_the_guard(guard):
    guard.allow(1.0)
    guard.process.stdin.close()
    assert guard.process.wait(2) == 0
    assert guard.levels() == SAFE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_are_meant_for_the_daemon_do_not_end_the_guard(guard, number):
    guard.process.send_signal(number)
    assert guard.allow() == {"inputs": [], "fault": None}


def test_a_daemon_that_does_not_read_its_answers_does_not_stop_the_guard(guard):
    for _ in range(5000):
        guard.send(order("ALLOW", "RELEASE", until=time.monotonic() + 0.2))
    guard.wait_for(FAULTY)


def test_lines_that_cannot_be_written_are_a_fault_that_is_told(start):
    guard = start(file="/dev/full")
    guard.send(order("ALLOW", until=time.monotonic() + 0.5))
    answer = guard.answer()
    guard.process.stdin.close()
    assert "cannot be driven (No space left on device)" in answer["fault"]
    assert guard.process.wait(2) == 0


def test_a_file_that_cannot_be_had_is_refused(start, tmp_path):
    guard = start(file=tmp_path / "none/outputs.jsonl")
    assert guard.first == {"refused": "No such file or directory"}
    assert guard.process.wait(2) == 1


def test_an_exit_is_let_out_within_a_moment_without_any_daemon(start):
    guard = start(inputs=["exit", "door"])
    guard.input_file.write_text("exit")
    guard.wait_for(SAFE | {"relay": True})
    guard.input_file.unlink()
    assert guard.wait_for(SAFE) > 0.3
    guard.process.stdin.close()
    assert guard.process.wait(2) == 0


def test_the_guard_loads_nothing_of_maskgate_and_stays_small(guard):
    guard.allow()
    status = Path(f"/proc/{guard.process.pid}/status").read_text()
    (kilobytes,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert kilobytes < 20_000
    assert "site-packages" not in Path(f"/proc/{guard.process.pid}/maps").read_text()
