"""The lamps and relays: tells every decision to the guard, the process that owns the lines (see `guard.py`).

A line is active in the states and at the signals that its settings name. It is at its safe level, inactive unless the
settings say fail_safe, before the first decision and when the outputs are closed; once a decision has outlived its
time, the guard shows FAULT.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from edge.errors import OutputError
from edge.settings import InputSettings, LineSettings, OutputSettings
from edge.values import Decision, Inputs

PI_CHIPS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chip behind the header of the Raspberry Pi 5, 4, and 3 or Zero 2."""
GUARD = Path(__file__).with_name("guard.py")
START_SECONDS = 10.0
"""How long the guard may take to start."""
END_SECONDS = 2.0
SILENCE = 0.5
"""Seconds for which the guard may leave a decision without an answer."""

GONE = "the guard of the output lines has ended, which drove them safe or left them to their resistors"


class Outputs(Protocol):
    """Where decisions are shown; leaving its `with` block drives every line to its safe level."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, decision: Decision, valid_until: float) -> None:
        """Drive the lines as `decision` says, until `valid_until`, seconds of `time.monotonic`. Raises OutputError."""
        ...

    def fault(self) -> str | None:
        """Why the lines cannot be trusted, or None."""
        ...

    @property
    def inputs(self) -> Inputs:
        """What the input lines said last."""
        ...


def open_outputs(settings: OutputSettings, exit_seconds: float) -> GuardedOutputs:
    """The outputs that the settings name, every line at its safe level. Raises OutputError."""
    chip = ""
    if settings.kind == "gpio":
        # only here, as not every machine has it
        import gpiod

        path = find_chip(settings.chip, gpiod)
        check_lines(path, [*settings.lines, *settings.inputs], gpiod)
        chip = str(path)
    return GuardedOutputs(settings, chip, exit_seconds)


def drive_safe(settings: OutputSettings, patience: float = END_SECONDS) -> None:
    """Drive every line to its safe level and give it back.

    A guard whose daemon was killed may still hold the lines; it is waited for `patience` seconds. Raises OutputError.
    """
    end = time.monotonic() + patience
    while True:
        try:
            with open_outputs(settings, 0.0):
                return
        except OutputError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.1)


class GuardedOutputs:
    """A guard of one's own, and the pipes to it. chip: path of the device, "" for simulated lines.

    Raises OutputError when the guard does not get the lines.
    """

    def __init__(
        self,
        settings: OutputSettings,
        chip: str,
        exit_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._unanswered: float | None = None
        self._fault: str | None = None
        self._inputs = Inputs()
        self._rest = b""
        # by its file, so that it loads nothing of the rest; in a session of its own, so that Ctrl-C is ours alone
        self._guard = subprocess.Popen(
            [sys.executable, "-I", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._guard.stdin is not None and self._guard.stdout is not None
        self._orders, self._answers = self._guard.stdin, self._guard.stdout
        config = msgspec.to_builtins(settings)
        config |= {"chip": chip, "lines": config.pop("line"), "inputs": config.pop("input")}
        self._send(json.dumps(config | {"exit_seconds": exit_seconds}).encode())
        started, _, _ = select.select([self._answers], [], [], START_SECONDS)
        first = json.loads((started and self._answers.readline()) or b'{"refused": "their guard does not start"}')
        if "refused" in first:
            self.__exit__()
            where = chip or f"output.file {settings.file}"
            raise OutputError(f"{where}: the output lines cannot be had ({first['refused']})")
        os.set_blocking(self._orders.fileno(), False)
        os.set_blocking(self._answers.fileno(), False)

    @property
    def guard(self) -> int:
        """The guard's process id."""
        return self._guard.pid

    @property
    def inputs(self) -> Inputs:
        return self._inputs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        try:
            self._guard.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._answers.close()

    def show(self, decision: Decision, valid_until: float) -> None:
        """See Outputs."""
        self._send(orders(decision, valid_until))

    def fault(self) -> str | None:
        """See Outputs. Raises OutputError once the guard has ended."""
        self._listen()
        if self._unanswered is not None and self._clock() - self._unanswered > SILENCE:
            return "the guard of the output lines does not answer"
        return self._fault

    def _send(self, message: bytes) -> None:
        self._unanswered = self._clock() if self._unanswered is None else self._unanswered
        try:
            # a guard that does not listen is found by its silence
            self._orders.write(message + b"\n")
        except (BrokenPipeError, ValueError) as error:
            raise OutputError(GONE) from error

    def _listen(self) -> None:
        data = self._answers.read(65536)
        if data == b"":
            raise OutputError(GONE)
        *lines, self._rest = (self._rest + (data or b"")).split(b"\n")
        if lines:
            told = json.loads(lines[-1])
            self._unanswered, self._fault = None, told["fault"]
            pressed = told["inputs"]
            self._inputs = Inputs(*(kind in pressed for kind in ("door", "exit", "override", "tamper", "wrong")))


def orders(decision: Decision, valid_until: float) -> bytes:
    """What the guard is told of a decision."""
    return json.dumps({"on": [decision.state, *sorted(decision.signals)], "until": valid_until}).encode()


def find_chip(wanted: str, gpiod: Any, devices: Path = Path("/dev")) -> Path:
    """The device of a GPIO chip by its path, its label, or "auto". Raises OutputError with the chips that there are."""
    if wanted.startswith("/"):
        _chip_label(Path(wanted), gpiod)
        return Path(wanted)
    labels = PI_CHIPS if wanted == "auto" else (wanted,)
    found, refusals = {}, []
    for path in sorted(devices.glob("gpiochip*")):
        try:
            found[path] = _chip_label(path, gpiod)
        except OutputError as error:
            refusals.append(error)
    for path, label in found.items():
        if label in labels:
            return path
    if refusals:  # perhaps one of these is the one
        raise refusals[0]
    there = ", ".join(f"{label} ({path})" for path, label in found.items()) or "none"
    what = "no Raspberry Pi's GPIO chip" if wanted == "auto" else f'no GPIO chip with the label "{wanted}"'
    raise OutputError(f"output.chip: {what} here; there are: {there}")


def _chip_label(path: Path, gpiod: Any) -> str:
    try:
        with gpiod.Chip(str(path)) as chip:
            return str(chip.get_info().label)
    except PermissionError as error:
        raise OutputError(f"output.chip: no permission for {path}; {_remedy(path)}") from error
    except FileNotFoundError as error:
        raise OutputError(f"output.chip: there is no {path}; see `ls /dev/gpiochip*`") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"output.chip: {path} is not a GPIO chip; see `ls /dev/gpiochip*`") from error


def _remedy(path: Path) -> str:
    try:
        group = path.group()
    except KeyError:  # a number without a name, as in a container
        group = "root"
    if group == "root":
        return "it belongs to root alone: give it to a group with a udev rule"
    return f"join its group with `sudo usermod -aG {group} $USER` and log in again"


def check_lines(path: Path, lines: Sequence[LineSettings | InputSettings], gpiod: Any) -> None:
    """Raises OutputError when the chip lacks a line, or another program holds it."""
    with gpiod.Chip(str(path)) as chip:
        count = chip.get_info().num_lines
        for line in lines:
            key = f'output.line "{line.name}"' if isinstance(line, LineSettings) else f'output.input "{line.kind}"'
            if line.line >= count:
                raise OutputError(f"{key}: line {line.line} is beyond {path}, which has 0 to {count - 1}")
            if (info := chip.get_line_info(line.line)).used:
                raise OutputError(f'{key}: line {line.line} of {path} is in use by "{info.consumer}"')
