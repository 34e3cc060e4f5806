"""The device as the checks see it: its files and its commands. Tests give a folder and a table instead."""

from __future__ import annotations

import platform
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND_SECONDS = 4.0


def run_command(command: Sequence[str]) -> str | None:
    """What a command prints, without spaces around it; None when it is not there, fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


@dataclass(frozen=True)
class Machine:
    """root: where its files are. run: see `run_command`. processor: as `uname -m` says; bits: of this program."""

    root: Path = Path("/")
    run: Callable[[Sequence[str]], str | None] = run_command
    processor: str = platform.machine()
    bits: int = struct.calcsize("P") * 8

    def text(self, path: str) -> str:
        """What a file holds, without spaces and zeros around it; "" when it cannot be read. path: without root."""
        try:
            return (self.root / path).read_text("utf-8", errors="replace").strip(" \t\n\0")
        except OSError:
            return ""

    def find(self, pattern: str) -> list[Path]:
        """The files of a pattern such as "sys/class/thermal/thermal_zone*/temp", by name."""
        return sorted(self.root.glob(pattern))

    @property
    def model(self) -> str:
        """Such as "Raspberry Pi 5 Model B Rev 1.0"; "" where no device tree says it."""
        return self.text("proc/device-tree/model")

    @property
    def is_raspberry_pi(self) -> bool:
        return self.model.startswith("Raspberry Pi")
