"""The process that owns the door's lines, and makes them safe by itself when the daemon does not keep it informed.

The daemon starts it with a pipe each way and tells it every decision with the time until which it holds. When that time
is over, the pipe closes or nonsense comes, no decision stands: the lines for FAULT become active, and all others go to
their safe level. So a daemon that hangs, is stopped or killed cannot keep a lamp green. A request to exit, and the
override by a person with a key, release the door here, without the daemon.

Runs as a file of its own and imports nothing of maskgate: the standard library and gpiod, which is little to go wrong
and little to be swapped out. One JSON object a line, times in seconds of the machine's monotonic clock:

    to it, first    {"kind": "gpio" or "simulated", "chip", "file", "input_file", "lines": [...], "inputs": [...],
                     "exit_seconds"}; lines and inputs as in the settings
    to it           {"on": ["ALLOW", "RELEASE"], "until": 12.3}
    from it         {"ready": true} or {"refused": why} once; then {"inputs": ["door"], "fault": null or why} to each
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

FAULT, RELEASE = "FAULT", "RELEASE"
MOST_AHEAD = 1.0
"""Seconds for which the daemon may speak in advance."""
POLL = 0.02
"""Seconds between two looks at the input lines."""
RETRY = 0.2
"""Seconds until a line that could not be driven is tried again."""
LEAST_FAULT = 3.0
"""Seconds for which a line that could not be driven, or read back otherwise, is a fault at least."""
LONGEST_MESSAGE = 65536
PERIODS = {"blink": 1.0, "fast": 0.25, "square": 0.2}
BEEP = 0.2

Line = dict[str, Any]
Levels = list[bool]


class Driver(Protocol):
    """The lines themselves; True is active."""

    def drive(self, number: int, active: bool) -> None:
        """Drive an output line, by its place in the list. Raises OSError."""

    def levels(self) -> Levels:
        """What the output lines really are. Raises OSError."""

    def inputs(self) -> Levels:
        """What the input lines are. Raises OSError."""

    def release(self) -> None:
        """Give all lines back."""


class Guard:
    """Which line is active when.

    lines, inputs: as in the settings. exit_seconds: how long a request to exit releases the door.
    """

    def __init__(self, lines: Sequence[Line], inputs: Sequence[Line], exit_seconds: float, driver: Driver) -> None:
        self._lines = lines
        self._kinds = [each["kind"] for each in inputs]
        self._exit_seconds = exit_seconds
        self._driver = driver
        self._on: frozenset[str] = frozenset()
        self._until = math.inf  # before the first decision nothing can be overdue
        self._pressed: set[str] = set()
        self._exit_until = -math.inf
        self._since: list[float | None] = [None] * len(lines)
        self._driven: list[bool | None] = [None] * len(lines)
        self.fault: str | None = None
        self._fault_until = -math.inf

    def tell(self, text: bytes, now: float) -> None:
        """A message of the daemon; nonsense ends the decision that stands."""
        try:
            message = json.loads(text)
            on, until = frozenset([*message["on"]]), float(message["until"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            on, until = frozenset(), math.nan
        self._on = on
        self._until = -math.inf if math.isnan(until) else min(until, now + MOST_AHEAD)

    def tick(self, now: float) -> float | None:
        """Drive what has to change at `now`; the seconds until there is something to do again, None for nothing."""
        try:
            self._look(now)
            self._drive(self._wanted(now))
            self._read_back()
            if now >= self._fault_until:
                self.fault = None
        except OSError as error:
            self._fail(f"{error.strerror or error}", now)
        return self._next(now)

    def close(self, now: float) -> None:
        """Drive every line to its safe level, one that fails not keeping the others from it, and give them back."""
        self._fault_until = math.inf
        self._on = frozenset()
        self._until = math.inf
        with contextlib.suppress(OSError):
            self._drive([bool(line["fail_safe"]) for line in self._lines])
        self._driver.release()

    def answer(self) -> dict[str, Any]:
        """What the daemon is told."""
        return {"inputs": sorted(self._pressed), "fault": self.fault}

    def _look(self, now: float) -> None:
        self._pressed = {kind for kind, on in zip(self._kinds, self._driver.inputs(), strict=True) if on}
        if "exit" in self._pressed:
            self._exit_until = now + self._exit_seconds
        elif now < self._exit_until:
            self._pressed.add("exit")  # so that the daemon misses none, however short

    def _wanted(self, now: float) -> Levels:
        """The level of each line: its conditions, and the pattern since they began to hold."""
        fresh = now < self._until and now >= self._fault_until
        on = self._on if fresh else frozenset({FAULT})
        if "override" in self._pressed or now < self._exit_until:
            on |= {RELEASE}
        wanted = []
        for number, line in enumerate(self._lines):
            resting = FAULT in on or not self._on
            active = not on.isdisjoint(line["on"]) or (line["fail_safe"] and resting)
            since = self._since[number]
            since = self._since[number] = (now if since is None else since) if active else None
            wanted.append(since is not None and lit(line["pattern"], now - since))
        return wanted

    def _drive(self, wanted: Levels) -> None:
        """Drive what changes; raises the first error once every line was tried."""
        errors = []
        # what falls to inactive goes first, so that no two lamps overlap
        for number in sorted(range(len(wanted)), key=wanted.__getitem__):
            if wanted[number] != self._driven[number]:
                self._driven[number] = None
                try:
                    self._driver.drive(number, wanted[number])
                    self._driven[number] = wanted[number]
                except OSError as error:
                    errors.append(OSError(f"{self._name(number)} cannot be driven ({error.strerror or error})"))
        if errors:
            raise errors[0]

    def _read_back(self) -> None:
        for number, (driven, level) in enumerate(zip(self._driven, self._driver.levels(), strict=True)):
            if driven != level:
                raise OSError(f"{self._name(number)} was driven {_word(driven)} and reads back {_word(level)}")

    def _fail(self, reason: str, now: float) -> None:
        self.fault, self._fault_until = reason, now + LEAST_FAULT
        with contextlib.suppress(OSError):
            self._drive(self._wanted(now))

    def _name(self, number: int) -> str:
        line = self._lines[number]
        return f'line {line["line"]} ("{line["name"]}")'

    def _next(self, now: float) -> float | None:
        waits = [self._until - now, self._exit_until - now, self._fault_until - now]
        waits += [POLL] if self._kinds else []
        waits += [RETRY] if self.fault else []
        waits += [
            change_in(line["pattern"], now - since)
            for line, since in zip(self._lines, self._since, strict=True)
            if since is not None
        ]
        return min((max(0.001, wait) for wait in waits if 0 < wait < math.inf), default=None)


def lit(pattern: str, seconds: float) -> bool:
    """Whether a line with this pattern is active, `seconds` after its conditions began to hold."""
    if pattern == "steady":
        return True
    if pattern == "beep":
        return seconds < BEEP
    return seconds % PERIODS[pattern] < PERIODS[pattern] / 2


def change_in(pattern: str, seconds: float) -> float:
    """Seconds until the pattern changes."""
    if pattern == "steady":
        return math.inf
    if pattern == "beep":
        return BEEP - seconds if seconds < BEEP else math.inf
    half = PERIODS[pattern] / 2
    return half - seconds % half


def _word(active: bool | None) -> str:
    return "active" if active else "inactive"


class FileLines:
    """Lines that exist in files only: each change is appended, the inputs are the words of a file.

    `{"time": seconds, "line": name, "active": bool, "level": 0 or 1}`
    """

    def __init__(
        self,
        lines: Sequence[Line],
        inputs: Sequence[Line],
        file: str,
        input_file: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines, self._kinds = lines, [each["kind"] for each in inputs]
        self._input_file = input_file
        self._clock = clock
        self._levels = [False] * len(lines)
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def drive(self, number: int, active: bool) -> None:
        line = self._lines[number]
        change = {"time": self._clock(), "line": line["name"], "active": active}
        change["level"] = int(active != line["active_low"])
        os.write(self._file, json.dumps(change).encode() + b"\n")
        self._levels[number] = active

    def levels(self) -> Levels:
        return self._levels

    def inputs(self) -> Levels:
        if not self._kinds:
            return []
        try:
            with open(self._input_file, encoding="utf-8") as file:
                words = file.read().split()
        except FileNotFoundError:
            words = []
        return [kind in words for kind in self._kinds]

    def release(self) -> None:
        os.close(self._file)


class GpioLines:
    """Real lines of a GPIO chip, through the kernel's character device. gpiod: the module of that name."""

    def __init__(self, config: dict[str, Any], gpiod: Any) -> None:
        line_module = gpiod.line
        self._active, self._inactive = line_module.Value.ACTIVE, line_module.Value.INACTIVE
        self._outputs = [line["line"] for line in config["lines"]]
        self._inputs = [line["line"] for line in config["inputs"]]
        bias = {
            "up": line_module.Bias.PULL_UP,
            "down": line_module.Bias.PULL_DOWN,
            "none": line_module.Bias.DISABLED,
        }
        settings = {
            line["line"]: gpiod.LineSettings(
                direction=line_module.Direction.OUTPUT,
                active_low=line["active_low"],
                output_value=self._active if line["fail_safe"] else self._inactive,
            )
            for line in config["lines"]
        } | {
            line["line"]: gpiod.LineSettings(
                direction=line_module.Direction.INPUT, active_low=line["active_low"], bias=bias[line["pull"]]
            )
            for line in config["inputs"]
        }
        self._request = gpiod.request_lines(config["chip"], settings, consumer="maskgate")

    def drive(self, number: int, active: bool) -> None:
        self._request.set_value(self._outputs[number], self._active if active else self._inactive)

    def levels(self) -> Levels:
        return self._read(self._outputs)

    def inputs(self) -> Levels:
        return self._read(self._inputs)

    def release(self) -> None:
        self._request.release()

    def _read(self, offsets: list[int]) -> Levels:
        return [value == self._active for value in self._request.get_values(offsets)] if offsets else []


def open_lines(config: dict[str, Any]) -> Driver:
    """The lines that the settings name. Raises OSError."""
    if config["kind"] == "simulated":
        return FileLines(config["lines"], config["inputs"], config["file"], config["input_file"])
    import gpiod

    return GpioLines(config, gpiod)


class Messages:
    """Whole lines from a pipe that is read without waiting."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._rest = b""
        self.ended = False

    def read(self) -> list[bytes]:
        """What has come since; an endless line counts as one, so that it is found to be nonsense."""
        data = os.read(self._pipe, LONGEST_MESSAGE)
        self.ended = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_MESSAGE:
            lines, self._rest = [*lines, self._rest], b""
        return lines


def keep(guard: Guard, messages: Messages, orders: int, answers: int, clock: Callable[[], float]) -> None:
    """Guard the lines until the daemon closes its end of the pipe."""
    wait = guard.tick(clock())
    while not messages.ended:
        ready, _, _ = select.select([orders], [], [], wait)
        told = messages.read() if ready else []
        for text in told:
            guard.tell(text, clock())
        wait = guard.tick(clock())
        if told:
            send(answers, guard.answer())


def send(pipe: int, message: dict[str, Any]) -> None:
    """Tell the daemon; if it is gone or does not listen, it is not waited for."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(pipe, json.dumps(message).encode() + b"\n")


def main(orders: int = 0, answers: int = 1) -> int:
    """Serve the daemon at the other end of both pipes; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon's end is the guard's, not before
    os.set_blocking(answers, False)
    messages = Messages(orders)
    first: list[bytes] = []
    while not first and not messages.ended:
        first = messages.read()
    if not first:
        return 0
    config = json.loads(first[0])
    try:
        driver = open_lines(config)
    except OSError as error:
        send(answers, {"refused": error.strerror or str(error)})
        return 1
    guard = Guard(config["lines"], config["inputs"], config["exit_seconds"], driver)
    send(answers, {"ready": True})
    try:
        for text in first[1:]:
            guard.tell(text, time.monotonic())
        keep(guard, messages, orders, answers, time.monotonic)
    finally:
        guard.close(time.monotonic())
    return 0


if __name__ == "__main__":
    sys.exit(main())
