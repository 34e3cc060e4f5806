"""Whether a new release does well: decided from what the service shows, second by second. Pure; no clock of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from edge.notify import read_status
from edge.update.store import Trial

UNWELL_SECONDS = 30.0
"""For so long in sum may a release be unwell: the sun in the camera is no reason to go back."""
MOST_RESTARTS, MOST_BOOTS = 3, 3


@dataclass(frozen=True, slots=True)
class Health:
    """What systemd shows of the service: ActiveState, NRestarts and StatusText."""

    active: str
    restarts: int = 0
    status: str = ""

    @property
    def bundle(self) -> str:
        """What judges, NAME-VERSION; "" when the service does not say."""
        return read_status(self.status).name

    @property
    def fault(self) -> str:
        """Why the service cannot judge; "" when it can."""
        return read_status(self.status).fault


def known_fault(before: Health) -> str:
    """What was wrong before a release came, as a Trial keeps it."""
    return _without_numbers(before.fault)


def _without_numbers(reason: str) -> str:
    return re.sub(r"[0-9]+([.,][0-9]+)*", "#", reason)


def ailment(trial: Trial, seen: Health) -> str:
    """What is wrong and was not before the release came; "" when nothing is, or when it cannot be told yet."""
    if seen.active == "failed":
        return "the service failed"
    if seen.active != "active":
        return ""
    if not seen.bundle:
        return "the service does not say how it does"
    if trial.kind == "models" and seen.bundle != trial.release:
        return f"the service runs {seen.bundle}, not {trial.release}"
    if _without_numbers(seen.fault) not in ("", trial.known_fault):
        return f"FAULT, {seen.fault}"
    return ""


def after(trial: Trial, seen: Health, seconds: float, restarts: int = 0) -> Trial:
    """The trial when that was seen for so many seconds, with so many restarts since the last look.

    Only a service that runs shows how it does: while it is stopped, or starting, no time passes.
    """
    if ailment(trial, seen):
        trial = msgspec.structs.replace(trial, unwell=trial.unwell + seconds)
    elif seen.active == "active":
        trial = msgspec.structs.replace(trial, left=max(0.0, trial.left - seconds))
    return msgspec.structs.replace(trial, restarts=trial.restarts + restarts)


def after_boot(trial: Trial, boot: str) -> Trial:
    """The trial when it is watched in the boot of that id."""
    if boot == trial.boot:
        return trial
    return msgspec.structs.replace(trial, boot=boot, boots=trial.boots + 1)


def passed(trial: Trial) -> bool:
    """Whether the release did well for long enough."""
    return trial.left <= 0 and not failure(trial)


def failure(trial: Trial, ailment: str = "") -> str:
    """Why the release has to go, "" as long as it need not; `ailment`: what is wrong now."""
    if trial.boots >= MOST_BOOTS:
        return f"the device started {trial.boots} times while it was on trial"
    if trial.restarts >= MOST_RESTARTS:
        return f"the service restarted {trial.restarts} times while it was on trial"
    if trial.unwell > UNWELL_SECONDS:
        return f"{ailment or 'unwell'}; in sum {trial.unwell:.0f} s"
    return ""
