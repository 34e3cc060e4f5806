"""Puts the bare daemon through its checks on the virtual device, before the system boots.

Prints what was seen, one JSON line a check; judging is left to test_device.py on the workstation.
"""

from __future__ import annotations

import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from board import Chip, Watch
from checks import LINES, MASKGATE, PATIENCE, Facts, read_events, run, settings, wait_until

PLAIN_USER = 1000


class Daemon:
    """`maskgate run` with its settings, its event log and what it prints."""

    def __init__(self, chip: str, source: str, active_low: bool = False, user: int | None = None) -> None:
        self._events = Path("/tmp/events.jsonl")
        for file in Path("/tmp").glob("events.jsonl*"):
            file.unlink()
        config = Path("/tmp/door.toml")
        config.write_text(settings(chip, source, str(self._events) if user is None else "", active_low))
        command = [MASKGATE, "run", "--config", str(config)]
        groups = None if user is None else []
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, user=user, extra_groups=groups
        )

    def wait_for(self, state: str) -> None:
        """Until the daemon has said that it is in this state."""
        wait_until(
            lambda: any(said == state for _, said, *_ in read_events(self._events)),
            lambda: f"never {state}: {read_events(self._events)}, exit code {self.process.poll()}",
            lambda: self.process.poll() is not None,
        )

    def end(self, number: int | None = None) -> Facts:
        """Send a signal, if given, and wait for the end."""
        if number is not None:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return {"code": self.process.returncode, "stderr": errors, "events": read_events(self._events)}


@contextmanager
def daemon(*arguments: Any, **options: Any) -> Iterator[Daemon]:
    """A daemon that is gone at the end, whatever happens."""
    running = Daemon(*arguments, **options)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def machine(chip: Chip) -> Facts:
    return {"machine": platform.machine(), "kernel": platform.release(), "python": platform.python_version()}


def refused(chip: Chip, name: str, user: int | None = None) -> Facts:
    """A daemon that cannot have its lines."""
    with Watch(chip) as watch, daemon(name, "pacing.avi", user=user) as running:
        facts = running.end()
    return facts | {"levels": watch.levels, "driven": watch.driven}


def missing_chip(chip: Chip) -> Facts:
    return refused(chip, "pinctrl-rp1")


def no_permission(chip: Chip) -> Facts:
    return refused(chip, chip.label, PLAIN_USER)


def busy_line(chip: Chip) -> Facts:
    """Another program holds the red lamp's line."""
    holder = subprocess.Popen(["gpioset", "--chip", chip.name, f"{LINES['red']}=0"])
    try:
        time.sleep(1)
        return refused(chip, chip.label)
    finally:
        holder.terminate()
        holder.wait()


def stopped(number: int, active_low: bool = False) -> Callable[[Chip], Facts]:
    """The daemon is ended by a signal while it allows; the resistors pull to the level that switches a lamp on."""

    def check(chip: Chip) -> Facts:
        chip.pull(0 if active_low else 1)
        with Watch(chip) as watch, daemon("auto", "pacing.avi", active_low=active_low) as running:
            running.wait_for("ALLOW")
            # the lamps follow the log
            time.sleep(0.5)
            during = chip.levels()
            facts = running.end(number)
        return facts | {"levels": watch.levels, "driven": watch.driven, "during": during, "after": chip.levels()}

    return check


def pictures(chip: Chip) -> Facts:
    table = Path("/tmp/faces.csv")
    files = sorted(map(str, Path().glob("*.png")))
    result = subprocess.run([MASKGATE, "detect", *files, "--csv", str(table)], capture_output=True, text=True)
    rows = table.read_text() if table.exists() else ""
    return {"code": result.returncode, "stdout": result.stdout, "stderr": result.stderr, "csv": rows}


CHECKS: dict[str, Callable[[Chip], Facts]] = {
    "machine": machine,
    "pictures": pictures,
    "missing_chip": missing_chip,
    "no_permission": no_permission,
    "busy_line": busy_line,
    "SIGTERM": stopped(signal.SIGTERM),
    "SIGINT": stopped(signal.SIGINT, active_low=True),
}


if __name__ == "__main__":
    run(CHECKS, Chip(LINES))
