"""Which disk may be written, and writing it: a card must never turn out to be the disk that the machine runs from."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.device.tools import ENVIRONMENT, output_of
from edge.errors import InputError

COLUMNS = "PATH,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,PKNAME,VENDOR,MODEL,MOUNTPOINTS"
MEGABYTE = 10**6
BLOCK = 4 << 20


@dataclass(frozen=True)
class Target:
    """What is to be written: a disk, or a file that stands for one.

    size: bytes; None for a file that does not exist yet. name: what to call it when asking.
    """

    path: Path
    size: int | None
    name: str


def find_target(device: Path) -> Target:
    """The disk or file at this path. Raises InputError when it must not be written."""
    try:
        mode = device.stat().st_mode
    except FileNotFoundError as error:
        if device.suffix == ".img" and device.parent.is_dir() and device.parent != Path("/dev"):
            return Target(device, None, f"{device} (a new file)")
        raise InputError(f"{device}: does not exist; `lsblk` lists the disks") from error
    if stat.S_ISBLK(mode):
        return _disk(device)
    if stat.S_ISREG(mode) and device.suffix == ".img":
        size = device.stat().st_size
        return Target(device, size, f"{device} (a file of {size // MEGABYTE} MB)")
    raise InputError(f"{device}: neither a disk nor a file ending in .img; `lsblk` lists the disks")


def _disk(device: Path) -> Target:
    path = device.resolve()
    listed = json.loads(output_of("lsblk", "--json", "--bytes", "--output", COLUMNS, str(path)))
    found = listed["blockdevices"][0]
    if (fault := refusal(found)) is not None:
        raise InputError(f"{device}: {fault}")
    if not os.access(path, os.W_OK):
        raise InputError(f"{device}: may not be written by you; put `sudo` before the command")
    size = int(found["size"])
    called = " ".join(word.strip() for word in (found["vendor"], found["model"]) if word) or "of an unknown maker"
    return Target(path, size, f"{path} ({called}, {size / 1000 / MEGABYTE:.1f} GB)")


def refusal(disk: dict[str, Any]) -> str | None:
    """Why the disk of one entry of `lsblk --json --bytes` must not be written; None when it may."""
    if disk["type"] == "part":
        parent = f"/dev/{disk['pkname']}" if disk["pkname"] else "without a number"
        return f"a partition; name the whole disk, {parent}"
    if disk["type"] != "disk":
        return f"no disk but of the type {disk['type']}; `lsblk` lists the disks"
    if mounted := sorted(set(_mount_points(disk))):
        if {"/", "/boot", "[SWAP]"} & set(mounted):
            return "the disk that this system runs from; `lsblk` lists the others"
        return f"in use, mounted at {', '.join(mounted)}; unmount it first, with `umount`"
    if not (disk["rm"] or disk["hotplug"] or disk["tran"] in ("usb", "mmc")):
        return "not removable, so no card; `lsblk` lists the disks"
    if disk["ro"]:
        return "write-protected; move the lock on the card's side"
    if not int(disk["size"]):
        return "an empty reader; put the card in"
    return None


def _mount_points(disk: dict[str, Any]) -> Iterator[str]:
    """Of a disk and all that lies on it: partitions, and what is encrypted or joined in them."""
    yield from (point for point in disk["mountpoints"] if point)
    for child in disk.get("children", ()):
        yield from _mount_points(child)


def check_size(target: Target, image: Path) -> None:
    """Raises InputError when the image does not fit."""
    needed = image.stat().st_size
    if target.size is not None and target.size < needed:
        have, want = target.size // MEGABYTE, -(-needed // MEGABYTE)
        raise InputError(f"{target.path}: {have} MB; the image needs {want} MB, take a larger card")


def write(target: Target, image: Path) -> None:
    """Write an image to the target, with progress, and compare what can be read back. Raises InputError.

    A file that did not exist before is removed when that fails.
    """
    try:
        _copy(image, target)
        verify(target.path, image)
    except BaseException:
        if target.size is None:
            target.path.unlink(missing_ok=True)
        raise


def _copy(image: Path, target: Target) -> None:
    if target.path.is_block_device() and shutil.which("bmaptool"):
        # without a block map on purpose: holes of an unpacked image are zeros that belong to files, not unused blocks
        command = ["bmaptool", "--quiet"] if not sys.stderr.isatty() else ["bmaptool"]
        command += ["copy", "--nobmap", str(image), str(target.path)]
    else:
        progress = "progress" if sys.stderr.isatty() else "none"
        command = ["dd", f"if={image}", f"of={target.path}", "bs=4M", "conv=fsync,notrunc", f"status={progress}"]
    done = subprocess.run(command, env=ENVIRONMENT, stderr=None if sys.stderr.isatty() else subprocess.PIPE, text=True)
    if done.returncode:
        complaint = (done.stderr or "").strip().rpartition("\n")[2] or f"{command[0]} ended with {done.returncode}"
        raise InputError(
            f"{target.path}: writing failed ({complaint}), it is not whole; take another card, or more room"
        )


def verify(device: Path, image: Path) -> None:
    """Compare the device's beginning with the image, as the device itself gives it. Raises InputError."""
    size = image.stat().st_size
    with image.open("rb") as wanted, device.open("rb", buffering=0) as written:
        # else the answer would come from memory and not from the card
        os.fsync(written.fileno())
        os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for start in range(0, size, BLOCK):
            show_progress("verifying", start, size)
            block = wanted.read(BLOCK)
            if _read(written, len(block)) != block:
                raise InputError(
                    f"{device}: does not give back what was written, {start // MEGABYTE} MB from its start; "
                    "the card is worn or not what it says, take another one"
                )
    show_progress("verifying", size, size)


def _read(device: Any, size: int) -> bytes:
    """As many bytes as there are; one read of a device may give fewer."""
    blocks = b""
    while len(blocks) < size and (more := device.read(size - len(blocks))):
        blocks += more
    return blocks


def show_progress(what: str, done: int, total: int) -> None:
    """One line that is written anew, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{what} {100 * done // max(total, 1)} %", end="\n" if done >= total else "", file=sys.stderr)
