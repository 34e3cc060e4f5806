"""Runs on the virtual device: puts the real daemon through each check and prints what was seen, one JSON line a check.

Judging is left to test_device.py on the workstation.
"""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from board import Chip, Watch, plug_camera, unplug_camera

MASKGATE = [sys.executable, "/opt/site/bin/maskgate"]
LINES = {"green": 17, "red": 22, "door": 23, "yellow": 27}
ON_STATES = {"green": ["ALLOW"], "red": ["DENY", "UNKNOWN", "FAULT"], "door": ["ALLOW"], "yellow": ["CHECKING"]}
PATIENCE = 60.0
"""Seconds until something that should happen counts as not happening; an emulated machine is slow."""
PLAIN_USER = 1000

Facts = dict[str, Any]


class Daemon:
    """`maskgate run` with its settings, its event log and what it prints."""

    def __init__(self, chip: str, source: str, active_low: bool = False, user: int | None = None) -> None:
        self._events = Path("/tmp/events.jsonl")
        self._events.unlink(missing_ok=True)
        config = Path("/tmp/door.toml")
        config.write_text(settings(chip, source, active_low, self._events if user is None else ""))
        command = [*MASKGATE, "run", "--config", str(config)]
        groups = None if user is None else []
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, user=user, extra_groups=groups
        )

    def events(self) -> list[tuple[float, str, str]]:
        """Of each event so far: seconds, state, reason."""
        lines = self._events.read_text().splitlines() if self._events.exists() else []
        return [(event["time"], event["state"], event["reason"]) for event in map(json.loads, lines)]

    def wait_for(self, state: str, since: float = 0.0) -> None:
        """Until the daemon has said that it is in this state, after the time `since`."""
        deadline = time.monotonic() + PATIENCE
        while not any(said == state and moment > since for moment, said, _ in self.events()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"never {state}: {self.events()}, exit code {self.process.poll()}")
            time.sleep(0.05)

    def end(self, number: int | None = None) -> Facts:
        """Send a signal, if given, and wait for the end."""
        signalled = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        code, ended = self.process.returncode, time.monotonic()
        return {"code": code, "stderr": errors, "events": self.events(), "signalled": signalled, "ended": ended}


def settings(chip: str, source: str, active_low: bool, events: Path | str) -> str:
    """The daemon's settings; the times are the longest that it takes, as an emulated machine is slow."""
    text = f'camera = {{ source = "{source}", width = 640, height = 480, frames_per_second = 10.0 }}\n'
    text += "model.threads = 1\ndecision = { frame_age_limit = 1.0, valid_seconds = 1.0 }\n"
    text += f'events.file = "{events}"\noutput.kind = "gpio"\noutput.chip = "{chip}"\n'
    for name, line in LINES.items():
        low = str(active_low).lower()
        text += f'[[output.line]]\nname = "{name}"\nline = {line}\non_states = {ON_STATES[name]}\nactive_low = {low}\n'
    return text


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
    with Watch(chip) as watch, daemon(name, "masked.avi", user=user) as running:
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


def visit(chip: Chip) -> Facts:
    """Somebody comes bare, puts a mask on and leaves; the daemon ends with the film."""
    chip.pull(1)
    with Watch(chip) as watch, daemon(chip.label, "visit.avi") as running:
        running.wait_for("IDLE")
        # from here on a released line is low, so that lines count as on only while the daemon has them
        chip.pull(0)
        facts = running.end()
    return facts | {"levels": watch.levels, "driven": watch.driven}


def stopped(number: int, active_low: bool = False) -> Callable[[Chip], Facts]:
    """The daemon is ended by a signal while it allows; the resistors pull to the level that switches a lamp on."""

    def check(chip: Chip) -> Facts:
        chip.pull(0 if active_low else 1)
        with Watch(chip) as watch, daemon("auto", "masked.avi", active_low=active_low) as running:
            running.wait_for("ALLOW")
            # the lamps follow the log
            time.sleep(0.5)
            during = chip.levels()
            facts = running.end(number)
        return facts | {"levels": watch.levels, "driven": watch.driven, "during": during, "after": chip.levels()}

    return check


def camera_unplugged(chip: Chip) -> Facts:
    """A real camera driver with nobody in front of it; the camera goes away for a while."""
    chip.pull(0)
    with Watch(chip) as watch, daemon(chip.label, "v4l2:0") as running:
        running.wait_for("IDLE")
        time.sleep(3)
        unplugged = time.monotonic()
        unplug_camera()
        running.wait_for("FAULT", unplugged)
        time.sleep(0.5)
        during, plugged = chip.levels(), time.monotonic()
        plug_camera()
        running.wait_for("IDLE", plugged)
        facts = running.end(signal.SIGTERM)
    facts |= {"levels": watch.levels, "driven": watch.driven, "during": during}
    return facts | {"unplugged": unplugged, "plugged": plugged}


def pictures(chip: Chip) -> Facts:
    table = Path("/tmp/faces.csv")
    files = sorted(map(str, Path().glob("*.png")))
    result = subprocess.run([*MASKGATE, "detect", *files, "--csv", str(table)], capture_output=True, text=True)
    rows = table.read_text() if table.exists() else ""
    return {"code": result.returncode, "stdout": result.stdout, "stderr": result.stderr, "csv": rows}


CHECKS: dict[str, Callable[[Chip], Facts]] = {
    "machine": machine,
    "pictures": pictures,
    "missing_chip": missing_chip,
    "no_permission": no_permission,
    "busy_line": busy_line,
    "visit": visit,
    "SIGTERM": stopped(signal.SIGTERM),
    "SIGINT": stopped(signal.SIGINT, active_low=True),
    "SIGKILL": stopped(signal.SIGKILL),
    "camera_unplugged": camera_unplugged,
}


def tell(name: str, facts: Facts) -> None:
    # on a line of its own, whatever the kernel has just written
    print("\nCHECK " + json.dumps({"name": name, "uptime": time.monotonic()} | facts), flush=True)


def main() -> None:
    chip = Chip(LINES)
    for name, check in CHECKS.items():
        try:
            tell(name, check(chip))
        except Exception:
            tell(name, {"error": traceback.format_exc()})


if __name__ == "__main__":
    main()
