"""`maskgate doctor`: calls every check, and tells what was found and what mends it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor import beside, board, camera, coral, disk, lines, models, people, python
from edge.doctor.finding import Finding, Status, fail, ok, refused
from edge.doctor.machine import Machine
from edge.doctor.service import FOLDER, read_service, service
from edge.doctor.ward import Check, examine
from edge.errors import in_one_line
from edge.update import CONFIG, STORE

if TYPE_CHECKING:
    from edge.settings import Settings

MARKS = {Status.OK: "ok  ", Status.WARN: "warn", Status.FAIL: "FAIL"}
NAMES = 22
"""Letters of the longest name."""
CAMERA_SECONDS = 20.0
"""Without a camera each of a Raspberry Pi's many video devices is asked for a frame."""
STICK_SECONDS = 40.0
"""A Coral stick may take 30 to give its first answer, see `edge.accelerator`."""


def doctor(arguments: argparse.Namespace) -> int:
    """Print the findings, as text or with `json` as one object; 0 when nothing fails, else 1.

    arguments: config, store (None or a path), keys (a path), json.
    """
    findings = diagnose(arguments.config, arguments.store, arguments.keys, Machine())
    return tell_programs(findings) if arguments.json else tell(findings)


def tell_programs(findings: Iterable[Finding]) -> int:
    """Print all as one JSON object; 0 when nothing fails, else 1."""
    every = list(findings)
    well = all(finding.status != Status.FAIL for finding in every)
    print(json.dumps({"ok": well, "findings": [asdict(finding) for finding in every]}, indent=2))
    return 0 if well else 1


def tell(findings: Iterable[Finding]) -> int:
    """Print each as soon as it is found, and a last line that sums up; 0 when nothing fails, else 1."""
    count = dict.fromkeys(Status, 0)
    for finding in findings:
        count[finding.status] += 1
        print(f"{MARKS[finding.status]}  {finding.name:<{NAMES}}  {finding.found}", flush=True)
        if finding.mend:
            print(f"{'':<{NAMES + 6}}  mend: {finding.mend}", flush=True)
    failed, warned = count[Status.FAIL], count[Status.WARN]
    print(f"{sum(count.values())} findings: {failed} failed, {warned} warned")
    return 1 if failed else 0


def diagnose(config: Path | None, store: Path | None, keys: Path, machine: Machine) -> Iterator[Finding]:
    """All findings, each as soon as it is there. Without `config` and `store` it is about those of the service."""
    own_config, own_store = (machine.root / path.relative_to("/") for path in (CONFIG, STORE))
    if config is None and store is None and own_config.is_file():
        config, store = own_config, own_store
    finding, settings = read_settings(config, store)
    yield finding
    checks = _environment(machine)
    yield from examine(checks if settings is None else checks + _door(settings, store, keys, machine))


def read_settings(config: Path | None, store: Path | None) -> tuple[Finding, Settings | None]:
    """The settings in use; where they cannot be had, the defaults; None without the packages that they need."""
    try:
        from edge.settings import Settings
        from edge.update.store import current, installed_settings
    except Exception as error:
        return fail("settings", f"cannot be read: {in_one_line(error)}", "install what is missing below"), None
    try:
        settings = installed_settings(store, config)
        installed = current(store, "settings") if store else None
    except Exception as error:
        finding = refused("settings", in_one_line(error))
        mend = finding.mend or f"`sudoedit {config}`"
        return fail("settings", f"{finding.found}; what follows is for the defaults", mend), Settings()
    return ok("settings", str(installed or config or "the defaults; name a file with --config")), settings


def _environment(machine: Machine) -> list[Check]:
    return [
        Check("python", python.python),
        *(Check(each.name, partial(python.package, each)) for each in python.PACKAGES),
        Check("runtime", python.runtime),
        Check("processor", partial(board.processor, machine)),
        Check("temperature", partial(board.temperature, machine)),
        Check("power", partial(board.power, machine)),
        Check("watchdog", partial(board.watchdog, machine)),
    ]


def _door(settings: Settings, store: Path | None, keys: Path, machine: Machine) -> list[Check]:
    told = read_service(machine)
    user = people.service_user(machine)
    who = user or people.asker()
    working = Path(FOLDER) if told.installed else Path()
    source, events = settings.camera.source, settings.events
    return [
        Check("picamera2", partial(python.picamera2, source, camera.usb_cameras(machine))),
        Check("camera", partial(camera.camera, settings, told), CAMERA_SECONDS),
        Check("lines", partial(lines.lines, settings.output, told)),
        Check("groups", partial(people.groups, machine, devices_of(settings), who)),
        Check("bundle", partial(models.bundle, settings)),
        Check("signature", partial(models.signatures, settings, store, keys)),
        Check("verdict", partial(models.verdict, settings, told), STICK_SECONDS),
        Check("coral", partial(coral.coral, machine, settings, who)),
        Check("event log", partial(disk.events, events.file, events.max_megabytes, working, user)),
        Check("store", partial(disk.store, store)),
        Check("service", partial(service, told)),
        Check("page and MQTT", partial(beside.serving, machine, settings)),
        Check("socket", partial(beside.shared, settings, told)),
    ]


def devices_of(settings: Settings) -> dict[str, str]:
    """What the settings want to use: a pattern of device files by the group that they belong to."""
    devices = {}
    if settings.camera.source in ("auto", "picamera2") or settings.camera.source.startswith(("v4l2:", "/dev/")):
        devices["video"] = "dev/video*"
    if settings.output.kind == "gpio":
        devices["gpio"] = "dev/gpiochip*"
    return devices
