"""What both probes share: the door's settings, its event log, and how what was seen is told."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from board import Chip

MASKGATE = "/opt/maskgate/bin/maskgate"
LINES = {"green": 17, "red": 22, "door": 23, "yellow": 27}
ON = {"green": ["ALLOW"], "red": ["DENY", "UNKNOWN", "FAULT"], "door": ["RELEASE"], "yellow": ["CHECKING"]}
PATIENCE = 60.0
"""Seconds until something that should happen counts as not happening."""

Facts = dict[str, Any]


def settings(chip: str, source: str, events: str, active_low: bool = False) -> str:
    """The daemon's settings, TOML: the defaults but for the camera, the lines, and a single processor."""
    text = f'camera = {{ source = "{source}", width = 640, height = 480, frames_per_second = 5.0 }}\n'
    text += f'model.threads = 1\nevents.file = "{events}"\noutput.kind = "gpio"\noutput.chip = "{chip}"\n'
    for name, line in LINES.items():
        low = str(active_low).lower()
        text += f'[[output.line]]\nname = "{name}"\nline = {line}\non = {ON[name]}\nactive_low = {low}\n'
    return text


def read_events(file: Path) -> list[tuple[float, str, list[str], str]]:
    """Of each event so far: seconds, state, signals, reason."""
    # the last line may not be whole yet
    lines = [line for line in file.read_text().splitlines(True) if line.endswith("\n")] if file.exists() else []
    return [(event["time"], event["state"], event["signals"], event["reason"]) for event in map(json.loads, lines)]


def wait_until(met: Callable[[], bool], what: Callable[[], str], ended: Callable[[], bool] = lambda: False) -> None:
    """Raises RuntimeError with `what` when `met` is not in time, or cannot be any more."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        if ended() or time.monotonic() > deadline:
            raise RuntimeError(what())
        time.sleep(0.1)


def run(checks: dict[str, Callable[[Chip], Facts]], chip: Chip) -> None:
    """Each check in turn; one JSON line of what was seen, or of what went wrong."""
    for name, check in checks.items():
        try:
            tell(name, check(chip))
        except Exception:
            tell(name, {"error": traceback.format_exc()})


def tell(name: str, facts: Facts) -> None:
    # on a line of its own, whatever the kernel has just written
    print("\nCHECK " + json.dumps({"name": name, "uptime": time.monotonic()} | facts), flush=True)
