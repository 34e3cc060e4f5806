"""The daemon as a service of systemd: how it does, and a fresh start."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

from edge.errors import OutputError
from edge.update.trial import Health

SERVICE, WATCH = "maskgate.service", "maskgate-trial.service"
RUNNING = Path("/run/systemd/system")
"""There when systemd runs the machine."""
PATIENCE = 20.0


class Service(Protocol):
    """The daemon, which runs what is installed."""

    def look(self) -> Health:
        """How it does now."""

    def restart(self) -> None:
        """Have it run what is installed now; returns before it does. Raises OutputError."""

    def watch(self) -> None:
        """Have `maskgate bundle watch` run beside it, from now on. Raises OutputError."""


class Systemd:
    """The Service in real life."""

    def look(self) -> Health:
        try:
            lines = _systemctl("show", SERVICE, "--property=ActiveState,NRestarts,StatusText").splitlines()
        except OutputError:
            return Health("unknown")
        shown = dict(line.split("=", 1) for line in lines if "=" in line)
        restarts = shown.get("NRestarts", "")
        return Health(
            shown.get("ActiveState", "unknown"),
            int(restarts) if restarts.isdecimal() else 0,
            shown.get("StatusText", ""),
        )

    def restart(self) -> None:
        _systemctl("restart", "--no-block", SERVICE)

    def watch(self) -> None:
        _systemctl("restart", "--no-block", WATCH)


def find_service() -> Service | None:
    """systemd's, where systemd runs the machine."""
    return Systemd() if RUNNING.is_dir() else None


def _systemctl(*arguments: str) -> str:
    command = ["systemctl", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE, check=True
        )
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
        raise OutputError(f"{' '.join(command)}: {reason}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutputError(f"{' '.join(command)}: {' '.join(str(error).split())}") from error
    return done.stdout
