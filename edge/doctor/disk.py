"""Room to write, where something is written; all else may be read-only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edge.doctor.finding import Finding, fail, ok, warn
from edge.doctor.people import Person

LEAST_MEGABYTES = 50.0
"""That shall be free beside what the event log may still take: a bundle, and its forerunner."""

CLEAN = "`sudo journalctl --vacuum-size=20M && sudo apt clean`, then see `sudo du -xh / | sort -h | tail`"
ROOT = Person("root", 0, frozenset({0}))


def events(file: str, max_megabytes: float, working: Path, writer: Person | None) -> list[Finding]:
    """Whether the event log can be written. working: folder of the daemon. writer: it; None for who asks."""
    if not file:
        return [ok("event log", "none; events.file is empty")]
    # the file itself and the one before it
    return [room("event log", (working / file).parent, 2 * max_megabytes + LEAST_MEGABYTES, writer)]


def store(folder: Path | None) -> list[Finding]:
    """Whether bundles can be installed over the air, which root does."""
    if folder is None:
        return [ok("store", "none; nothing is installed over the air without --store")]
    if not folder.exists():
        return [ok("store", f"{folder} is not there yet: nothing was installed over the air")]
    return [room("store", folder, LEAST_MEGABYTES, ROOT)]


def free_of(folder: Path) -> tuple[float, bool]:
    """Megabytes that are free, and whether the folder is on something read-only."""
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize / 1e6, bool(about.f_flag & os.ST_RDONLY)


def room(
    name: str,
    folder: Path,
    megabytes: float,
    writer: Person | None,
    free_of: Callable[[Path], tuple[float, bool]] = free_of,
) -> Finding:
    """Whether `writer`, or who asks, has so many megabytes in a folder. free_of: see above."""
    owner = str(writer or "$USER")
    if not folder.is_dir():
        return fail(name, f"{folder}: no such folder", f"`sudo install -d -o {owner} {folder}`")
    free, read_only = free_of(folder)
    if read_only:
        remount = f"`sudo mount -o remount,rw $(findmnt -nT {folder} -o TARGET)`"
        return fail(name, f"{folder} is read-only", f"name a folder on the data partition, or {remount}")
    if not (writer.may_write(folder) if writer else os.access(folder, os.W_OK | os.X_OK)):
        return fail(name, f"{folder}: {writer or 'you'} may not write there", f"`sudo chown {owner}: {folder}`")
    found = f"{folder}: {free:,.0f} MB free"
    if free < 1:
        return fail(name, f"{found}: the disk is full", CLEAN)
    return warn(name, f"{found}, {megabytes:.0f} are advised", CLEAN) if free < megabytes else ok(name, found)
