"""The Coral Edge TPU: on USB or PCIe, its library, and who may use it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.finding import Finding, fail, ok, warn
from edge.doctor.machine import Machine
from edge.doctor.people import Person
from edge.errors import MaskgateError

if TYPE_CHECKING:
    from edge.settings import Settings

LIBRARY = "libedgetpu.so.1"
FRESH, READY = ("1a6e", "089a"), ("18d1", "9302")
"""USB identities (vendor, product) of a stick before its first use, when it has no firmware yet, and after."""
SOCKET = "plug it into a blue (USB 3) socket"
SLOW = 480
"""Megabits a second of USB 2."""
INSTALL = (
    "download libedgetpu1-std for this system from https://github.com/feranick/libedgetpu/releases (Google's own is "
    "made for runtimes of 2021), then `sudo apt install ./libedgetpu1-std_*_arm64.deb` and plug the stick in again"
)


def sticks(machine: Machine) -> list[str]:
    """What Edge TPUs there are, such as "USB stick, 5000 Mbit/s"."""
    found = []
    for path in machine.find("sys/bus/usb/devices/*/idVendor"):
        folder = str(path.parent.relative_to(machine.root))
        identity = machine.text(f"{folder}/idVendor"), machine.text(f"{folder}/idProduct")
        if identity in (FRESH, READY):
            used = "used since it was plugged in" if identity == READY else "not used since it was plugged in"
            found.append(f"USB stick, {machine.text(f'{folder}/speed') or '?'} Mbit/s, {used}")
    return found + [f"PCIe module {path.name}" for path in machine.find("dev/apex_*")]


def library_version(load: Callable[[str], ctypes.CDLL] = ctypes.CDLL) -> str | None:
    """What libedgetpu says of itself; None when it cannot be loaded."""
    try:
        version = load(LIBRARY).edgetpu_version
    except (OSError, AttributeError):
        return None
    version.restype = ctypes.c_char_p
    return str(version().decode(errors="replace"))


def has_models(settings: Settings) -> bool:
    """Whether the bundle in use has models for an Edge TPU."""
    from edge.contract import load_bundle

    try:
        contract = load_bundle(Path(settings.model.bundle) if settings.model.bundle else None).contract
    except MaskgateError:
        return True  # which is told elsewhere
    return bool(contract.locator.edgetpu and contract.classifier.edgetpu)


def coral(
    machine: Machine,
    settings: Settings,
    who: Person,
    version: Callable[[], str | None] = library_version,
    has_models: Callable[[Settings], bool] = has_models,
) -> list[Finding]:
    """Whether the stick that the settings want can be used, or one that is there is left idle.

    who: the daemon's user. version, has_models: as the functions of these names.
    """
    accelerator = settings.model.accelerator
    there = sticks(machine)
    if accelerator == "cpu":
        return [ok("coral", f'{"; ".join(there) or "none here"}; model.accelerator is "cpu"')]
    if not there:
        if accelerator == "auto":
            return [ok("coral", "none here; the processor judges")]
        return [warn("coral", "none here, the processor judges in its place", f"{SOCKET}; `lsusb` must show it")]
    refusing = [file for file in stick_files(machine) if not (file.exists() and who.may_write(file))]
    if refusing:
        join = f"`sudo usermod -aG plugdev {who}`, plug the stick in again, `sudo systemctl restart maskgate`"
        return [fail("coral", f"{there[0]}; but {who} may not use {refusing[0]}", join)]
    return [_use("; ".join(there), has_models(settings), version())]


def _use(found: str, models: bool, version: str | None) -> Finding:
    if version is None:
        return fail("coral", f"{found}; but no {LIBRARY}, so the processor judges", INSTALL)
    found += f"; {LIBRARY}: {version}"
    if not models:
        own = "convert the bundle where edgetpu_compiler is installed: `make convert`"
        return warn("coral", f"{found}; but the bundle has no models for it, so the processor judges", own)
    if f", {SLOW} Mbit/s" in found:
        return warn("coral", f"{found}; on a slow USB 2 socket", SOCKET)
    return ok("coral", found)


def stick_files(machine: Machine) -> list[Path]:
    """The device files of the sticks on USB, such as /dev/bus/usb/002/003."""
    files = []
    for path in machine.find("sys/bus/usb/devices/*/idVendor"):
        folder = str(path.parent.relative_to(machine.root))
        if (machine.text(f"{folder}/idVendor"), machine.text(f"{folder}/idProduct")) in (FRESH, READY):
            bus, number = (int(machine.text(f"{folder}/{name}") or 0) for name in ("busnum", "devnum"))
            files.append(machine.root / f"dev/bus/usb/{bus:03d}/{number:03d}")
    return files
