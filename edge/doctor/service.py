"""The service: whether it runs, and what it says of itself. While it runs, the camera and the lines are its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.doctor.finding import Finding, fail, ok, warn
from edge.doctor.machine import Machine
from edge.notify import read_status

UNIT = "maskgate"
FOLDER = "/var/lib/maskgate"
"""Its working directory."""
PROPERTIES = ("LoadState", "ActiveState", "SubState", "NRestarts", "StatusText", "Result")
JOURNAL = f"`journalctl -u {UNIT} -n 30` says why"
PACE = re.compile(r"([\d.]+) frames/s, ([\d.]+) ms from frame to decision")


@dataclass(frozen=True)
class Pace:
    """frames_per_second: judged. delay: seconds from a frame to its decision, half of the frames less."""

    frames_per_second: float
    delay: float


@dataclass(frozen=True)
class Service:
    """What systemd tells of it. installed, active; restarts: since the start of the machine; status: its own words."""

    installed: bool = False
    active: bool = False
    restarts: int = 0
    status: str = ""
    state: str = ""
    systemd: bool = True

    @property
    def in_fault(self) -> str:
        """The reason of the fault that stands, or ""."""
        return read_status(self.status).fault

    @property
    def idle(self) -> bool:
        """Whether nobody is at the door, so that it may look at few frames (see `edge.calm`)."""
        return read_status(self.status).state == "IDLE"

    @property
    def pace(self) -> Pace | None:
        """None while it does not say, as in its first seconds and in a fault."""
        told = PACE.search(self.status)
        return Pace(float(told[1]), float(told[2]) / 1000) if told else None


def read_service(machine: Machine) -> Service:
    """Never raises; without systemd there is none."""
    told = machine.run(["systemctl", "show", UNIT, "--property", ",".join(PROPERTIES)])
    if told is None:
        return Service(systemd=False)
    values = dict(line.partition("=")[::2] for line in told.splitlines())
    restarts = values.get("NRestarts", "")
    return Service(
        installed=values.get("LoadState") == "loaded",
        active=values.get("ActiveState") == "active",
        restarts=int(restarts) if restarts.isdecimal() else 0,
        status=values.get("StatusText", ""),
        state=f"{values.get('ActiveState', '')} ({values.get('SubState', '')})",
    )


def service(told: Service) -> list[Finding]:
    """Whether the daemon runs as a service, and well."""
    if not told.systemd:
        return [warn("service", "systemd does not answer here", "run `maskgate doctor` on the device itself")]
    if not told.installed:
        missing = "not installed: nothing starts the daemon, or starts it again"
        return [warn("service", missing, "`make deploy HOST=pi@door1` on the workstation")]
    if not told.active:
        start = f"{JOURNAL}; `sudo systemctl enable --now {UNIT}` starts it"
        return [fail("service", f"does not run: {told.state}", start)]
    if told.in_fault:
        return [fail("service", f"runs, in FAULT: {told.in_fault}", f"what it says; {JOURNAL}")]
    if told.restarts:
        return [warn("service", f"runs, but was restarted {told.restarts} times; {told.status}", JOURNAL)]
    return [ok("service", f"runs; {told.status or 'it has not said anything yet'}")]
