"""The lamps and relays: which lines are active while a decision stands, and all of them safe when none does.

A line is active in the states that its settings name. It is inactive, which is its safe level, before the first
decision, once a decision has outlived its time, and when the outputs are closed.
"""

from __future__ import annotations

import json
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from edge.errors import OutputError
from edge.settings import LineSettings, OutputSettings
from edge.values import Decision

PI_CHIPS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chip behind the header of the Raspberry Pi 5, 4, and 3 or Zero 2."""
CONSUMER = "maskgate"
"""What other programs are told of who uses a line."""
RETRY = 0.2
"""Seconds until the watchdog tries again to drive a line that could not be driven."""


class Outputs(Protocol):
    """Where decisions are shown; leaving its `with` block drives every line to its safe level."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, decision: Decision, valid_until: float) -> None:
        """Drive the lines as `decision` says, until `valid_until`, seconds of `time.monotonic`. Raises OutputError."""
        ...


def open_outputs(settings: OutputSettings) -> Outputs:
    """The outputs that the settings name, every line at its safe level. Raises OutputError."""
    if settings.kind == "simulated":
        return SimulatedOutputs(settings.lines, Path(settings.file))
    # only here, as not every machine has it
    import gpiod

    return GpioOutputs(settings.lines, settings.chip, gpiod)


class GuardedOutputs(ABC):
    """Lines that a watchdog thread drives to safe when a decision has outlived its time.

    lines: their settings. clock: that of `valid_until`, seconds.
    """

    def __init__(self, lines: Sequence[LineSettings], clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = tuple(lines)
        self._clock = clock
        self._active = (False,) * len(self._lines)
        self._valid_until = math.inf
        self._closed = False
        self._fault: OutputError | None = None
        self._changed = threading.Condition()
        self._watchdog = threading.Thread(target=self._watch, name="output watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
            try:
                self._drive(self._safe)
            finally:
                self._release()
        self._watchdog.join()

    def show(self, decision: Decision, valid_until: float) -> None:
        """See Outputs. A decision that comes after `valid_until` drives the lines to safe."""
        with self._changed:
            if self._fault is not None:
                raise self._fault
            self._valid_until = valid_until
            fresh = self._clock() < valid_until
            self._drive(tuple(decision.state in line.on_states for line in self._lines) if fresh else self._safe)
            self._changed.notify()

    def expire(self) -> float | None:
        """Drive the lines to safe if the decision has outlived its time.

        Returns the seconds until it will have; None when there is nothing to wait for.
        """
        with self._changed:
            left = self._valid_until - self._clock()
            if left <= 0:
                self._drive(self._safe)
            return min(left, threading.TIMEOUT_MAX) if left > 0 and any(self._active) else None

    @property
    def _safe(self) -> tuple[bool, ...]:
        return (False,) * len(self._lines)

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                try:
                    left = self.expire()
                except OutputError as error:
                    # nobody to tell here: the next show tells it
                    self._fault, left = error, RETRY
                self._changed.wait(left)

    def _drive(self, active: tuple[bool, ...]) -> None:
        """Drive what changes. A line that fails does not keep the others from being driven; then raises OutputError."""
        changes = [k for k, now in enumerate(active) if now != self._active[k]]
        errors = []
        # what falls to safe goes first, so that no two lamps overlap
        for k in sorted(changes, key=active.__getitem__):
            try:
                self._set(self._lines[k], active[k])
                self._active = (*self._active[:k], active[k], *self._active[k + 1 :])
            except OutputError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    @abstractmethod
    def _set(self, line: LineSettings, active: bool) -> None:
        """Drive one line. Raises OutputError."""

    @abstractmethod
    def _release(self) -> None:
        """Give the lines back."""


class SimulatedOutputs(GuardedOutputs):
    """Lines that exist in a file only: the safe levels at the start and each change, one JSON object a line.

    `{"time": seconds of the clock, "line": name, "active": bool, "level": 0 or 1}`
    """

    def __init__(self, lines: Sequence[LineSettings], file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(lines, clock)
        self._name = file
        try:
            self._file = file.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"output.file {file}: cannot be written ({error.strerror})") from error
        for line in lines:
            self._set(line, False)

    def _set(self, line: LineSettings, active: bool) -> None:
        change = {"time": self._clock(), "line": line.name, "active": active, "level": int(active != line.active_low)}
        try:
            self._file.write(json.dumps(change) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"output.file {self._name}: cannot be written ({error.strerror})") from error

    def _release(self) -> None:
        self._file.close()


class GpioOutputs(GuardedOutputs):
    """Real lines of a GPIO chip, through the kernel's character device.

    chip: its label, its path, or "auto". gpiod: the module of that name. devices: the folder of the chips' devices.
    """

    def __init__(
        self,
        lines: Sequence[LineSettings],
        chip: str,
        gpiod: Any,
        clock: Callable[[], float] = time.monotonic,
        devices: Path = Path("/dev"),
    ) -> None:
        super().__init__(lines, clock)
        self._values = gpiod.line.Value
        self._path = find_chip(chip, gpiod, devices)
        _check_lines(self._path, lines, gpiod)
        output = gpiod.line.Direction.OUTPUT
        config = {
            line.line: gpiod.LineSettings(
                direction=output, active_low=line.active_low, output_value=self._values.INACTIVE
            )
            for line in lines
        }
        try:
            self._request = gpiod.request_lines(str(self._path), config, consumer=CONSUMER)
        except OSError as error:
            raise OutputError(f"{self._path}: the output lines cannot be had ({error.strerror})") from error

    def _set(self, line: LineSettings, active: bool) -> None:
        try:
            self._request.set_value(line.line, self._values.ACTIVE if active else self._values.INACTIVE)
        except OSError as error:
            raise OutputError(f'{self._path}: line {line.line} ("{line.name}"): {error.strerror}') from error

    def _release(self) -> None:
        self._request.release()


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


def _check_lines(path: Path, lines: Sequence[LineSettings], gpiod: Any) -> None:
    with gpiod.Chip(str(path)) as chip:
        count = chip.get_info().num_lines
        for line in lines:
            if line.line >= count:
                raise OutputError(
                    f'output.line "{line.name}": line {line.line} is beyond {path}, which has 0 to {count - 1}'
                )
            if (info := chip.get_line_info(line.line)).used:
                raise OutputError(
                    f'output.line "{line.name}": line {line.line} of {path} is in use by "{info.consumer}"'
                )
