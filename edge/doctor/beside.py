"""What runs beside the daemon: the service of the page, MQTT and metrics, what it follows, and whether people drift."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.finding import Finding, fail, ok, warn
from edge.doctor.machine import Machine
from edge.doctor.service import UNIT, Service

if TYPE_CHECKING:
    from edge.bulletin import About
    from edge.settings import Settings

SERVE = f"{UNIT}-serve"
JOURNAL = f"`journalctl -u {SERVE} -n 30` says why"
PATIENCE = 3.0
"""Seconds in which the daemon should say a word of itself."""


def serving(machine: Machine, settings: Settings) -> list[Finding]:
    """Whether the page and MQTT are served, where the settings ask for them."""
    name = "page and MQTT"
    wanted = [key for key, value in (("web.listen", settings.web.listen), ("mqtt.host", settings.mqtt.host)) if value]
    if not wanted:
        return [ok(name, "off; web.listen and mqtt.host are empty")]
    state = machine.run(["systemctl", "is-active", SERVE])
    if state == "active":
        return [ok(name, f"{SERVE} runs, for {' and '.join(wanted)}")]
    asked = f"{' and '.join(wanted)} is set, but {SERVE} does not run"
    return [fail(name, asked, f"{JOURNAL}; `sudo systemctl restart {SERVE}` starts it")]


def follow(path: Path) -> About | None:
    """What the daemon says of itself at its socket; None when it does not. Raises OSError."""
    from edge.bulletin import LONGEST, About, read_told

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        channel.settimeout(PATIENCE)
        channel.connect(str(path))
        for _ in range(100):
            if isinstance(told := read_told(channel.recv(LONGEST)), About):
                return told
    return None


def shared(settings: Settings, told: Service, follow: Callable[[Path], About | None] = follow) -> list[Finding]:
    """Whether the daemon can be followed, and what it says of the people at its door."""
    name, path = "socket", settings.share.socket
    if not path:
        return [ok(name, "none; share.socket is empty, nobody follows the decisions")]
    if not told.active:
        return [ok(name, f"{path}: there once the service runs")]
    try:
        about = follow(Path(path))
    except OSError as error:
        reason = error.strerror or str(error)
        return [fail(name, f"{path}: {reason}", f"run it with sudo, or `sudo systemctl restart {UNIT}`")]
    if about is None:
        return [fail(name, f"{path}: the daemon says nothing", f"`sudo systemctl restart {UNIT}`")]
    return [ok(name, f"{path}: {about.missed} messages missed by who follows"), *drift(settings, about)]


def drift(settings: Settings, about: About) -> list[Finding]:
    """Whether people look as they should."""
    if not settings.drift.file:
        return [ok("drift", "not watched; drift.file is empty")]
    if about.drift.alarm:
        return [warn("drift", about.drift.alarm, "`maskgate drift` shows it; see whether the door still judges well")]
    return [ok("drift", f"{about.drift.people} people of whole days, none unlike the normal ones")]
