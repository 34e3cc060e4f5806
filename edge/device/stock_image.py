"""A downloaded card image: checked, unpacked, and its boot partition opened without mounting it."""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.device.card_file import OWN_IMAGE
from edge.device.disks import BLOCK, show_progress
from edge.device.tools import output_of
from edge.errors import InputError

FAT_TYPES = ("b", "c", "e", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
"""MBR's FAT32 and FAT16, GPT's basic data and EFI system."""
FIRST_BOOKWORM = "2023-10-10"
"""The first Raspberry Pi OS with Python 3.11."""
DOWNLOADS = "https://www.raspberrypi.com/software/operating-systems/"

Kind = Literal["own", "cloud-init", "firstrun"]


def check_image(image: Path, sha256: str | None) -> None:
    """Compare an image with its checksum, given or in IMAGE.sha256 beside it. Raises InputError."""
    if not image.name.endswith((".img", ".img.xz")):
        raise InputError(f"{image}: neither .img nor .img.xz; download Raspberry Pi OS Lite (64-bit), {DOWNLOADS}")
    if "armhf" in image.name:
        raise InputError(f"{image}: a 32-bit image; take Raspberry Pi OS Lite (64-bit), {DOWNLOADS}")
    if not image.is_file():
        raise InputError(f"{image}: no such file; download Raspberry Pi OS Lite (64-bit), {DOWNLOADS}")
    wanted = _wanted(image, sha256)
    found = _sha256(image)
    if found != wanted:
        raise InputError(f"{image}: its SHA-256 is {found[:16]}..., not {wanted[:16]}...; download it again")


def _wanted(image: Path, sha256: str | None) -> str:
    beside = image.with_name(image.name + ".sha256")
    if sha256 is None:
        if not beside.is_file():
            raise InputError(f"{beside}: missing; download it beside the image, or give SHA256= as the site shows it")
        sha256 = (beside.read_text("utf-8", errors="replace").split() or [""])[0]
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise InputError(f'SHA-256 "{sha256[:70]}": not 64 hexadecimal digits; the site that has the image shows it')
    return sha256.lower()


def _sha256(file: Path) -> str:
    digest, size = hashlib.sha256(), file.stat().st_size
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
            show_progress("checking", opened.tell(), size)
    return digest.hexdigest()


def unpack(image: Path, work: Path) -> None:
    """Copy an image to `work`, without its compression. Raises InputError."""
    try:
        with image.open("rb") as packed, work.open("xb") as unpacked:
            plain = lzma.open(packed) if image.suffix == ".xz" else packed
            while block := plain.read(BLOCK):
                unpacked.write(block)
                show_progress("unpacking", packed.tell(), image.stat().st_size)
    except (EOFError, lzma.LZMAError) as error:
        raise InputError(f"{image}: truncated or damaged ({error}); download it again") from error
    except OSError as error:
        room = f"{work.parent} needs as much room as the unpacked image, about 3 GB"
        raise InputError(f"{image}: cannot be unpacked ({error.strerror}); {room}") from error


@dataclass(frozen=True)
class BootPartition:
    """The FAT file system that a Raspberry Pi boots from, within an image.

    offset: bytes from the image's start. Every method raises InputError when mtools complain.
    """

    image: Path
    offset: int

    def names(self) -> set[str]:
        """Files and folders at its top, in lower case."""
        listed = output_of("mdir", "-b", "-i", self._where, "::/").decode(errors="replace").splitlines()
        return {line.strip().removeprefix("::/").rstrip("/").lower() for line in listed}

    def read(self, name: str) -> str:
        """The text of a file."""
        return output_of("mtype", "-i", self._where, f"::/{name}").decode(errors="replace")

    def make_folder(self, name: str) -> None:
        """A new folder at its top."""
        output_of("mmd", "-i", self._where, f"::/{name}")

    def write(self, name: str, text: str) -> None:
        """Write a file anew."""
        output_of("mcopy", "-o", "-i", self._where, "-", f"::/{name}", data=text.encode())

    def copy(self, file: Path, name: str) -> None:
        """Write a file's content anew."""
        output_of("mcopy", "-o", "-i", self._where, str(file), f"::/{name}")

    @property
    def _where(self) -> str:
        return f"{self.image}@@{self.offset}"


def boot_partition(image: Path) -> BootPartition:
    """The first FAT partition. Raises InputError when there is none."""
    try:
        table = json.loads(output_of("sfdisk", "--json", str(image)))["partitiontable"]
    except InputError as error:
        raise InputError(f"{image.name}: not a card's image, it has no partition table ({error})") from error
    for part in table.get("partitions", ()):
        if part["type"].lower() in FAT_TYPES:
            return BootPartition(image, part["start"] * table.get("sectorsize", 512))
    raise InputError(f"{image.name}: has no FAT partition to boot from; take Raspberry Pi OS Lite (64-bit)")


def kind_of(boot: BootPartition) -> Kind:
    """How the image takes its first-boot set-up. Raises InputError for one that takes none that we know."""
    names = boot.names()
    if OWN_IMAGE in names:
        return "own"
    if {"user-data", "meta-data"} <= names:
        return "cloud-init"
    if {"issue.txt", "cmdline.txt"} <= names and (date := re.search(r"\d{4}-\d\d-\d\d", boot.read("issue.txt"))):
        if date[0] >= FIRST_BOOKWORM:
            return "firstrun"
        raise InputError(f"{boot.image.name}: Raspberry Pi OS of {date[0]}; take one of {FIRST_BOOKWORM} or later")
    raise InputError(f"{boot.image.name}: neither Raspberry Pi OS Lite nor an image of `make image`; take one of them")
