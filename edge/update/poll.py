"""Asks the fleet's index, a JSON file on an HTTPS server, for something newer:

{"models":   {"version": 5, "url": "maskgate-5.tar", "sha256": "...", "size": 1239040, "percent": 10},
 "settings": {"version": 3, "url": "door-3.tar", "sha256": "...", "size": 10240, "percent": 100}}

Either may be left out. url: relative to the index. percent: of the devices that shall have it; each device draws its
lot by its machine id, the kind and the version, so a device that is in at 10 % is in at 50 % too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.errors import InputError
from edge.update.archive import LARGEST_ARCHIVE
from edge.update.change import save
from edge.update.fetch import LONGEST, Stream, fetched, resolved
from edge.update.install import Device, install
from edge.update.signature import Digest
from edge.update.store import Kind, State, load, packaged, version_of

MACHINE_ID = Path("/etc/machine-id")
LARGEST_INDEX = 64 * 1024
NOT_MODIFIED = 304


class Offer(msgspec.Struct, frozen=True):
    """A release in the index. size: of the archive, bytes."""

    version: Annotated[int, Meta(ge=1)]
    url: Annotated[str, Meta(min_length=1)]
    sha256: Digest
    size: Annotated[int, Meta(ge=1, le=LARGEST_ARCHIVE)]
    percent: Annotated[float, Meta(ge=0.0, le=100.0)] = 100.0


class Index(msgspec.Struct, frozen=True):
    """The newest release of each kind; other keys are left for later programs."""

    models: Offer | None = None
    settings: Offer | None = None


def poll(device: Device, machine: str) -> str:
    """Install what the index offers this machine, one release at a time; what was done, in one line.

    The store is locked. Raises InputError, BundleError or SettingsError, and then nothing has changed.
    """
    url = device.settings.update.index
    if not url:
        return "no index to ask; update.index in the settings names none"
    state = load(device.store)
    if state.trial is not None:
        return f"{state.trial.release} is on trial; nothing else is installed meanwhile"
    found = _ask(url, device.settings.update.ca_file, state.etag if state.index == url else "")
    if found is None:
        return "nothing new since the index was asked last"
    index, etag = found
    if wanted := offers(index, state, machine):
        kind, offer = wanted[0]
        return _fetch(device, resolved(offer.url, url), kind, offer)
    if (state.index, state.etag) != (url, etag):
        save(device.store, msgspec.structs.replace(state, index=url, etag=etag))
    return "nothing new for this device"


def _ask(url: str, ca_file: str, etag: str) -> tuple[Index, str] | None:
    """The index and its ETag; None when it is still the one of that ETag."""
    with fetched(url, ca_file, etag) as answer:
        if answer.status == NOT_MODIFIED:
            return None
        content = Stream(answer, url, LARGEST_INDEX, LONGEST).read(LARGEST_INDEX + 1)
        new_etag = answer.headers.get("ETag", "")
    try:
        return msgspec.json.decode(content, type=Index), new_etag
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{url}: not an index of releases ({error}); see the README") from error


def offers(index: Index, state: State, machine: str) -> list[tuple[Kind, Offer]]:
    """What is newer than all that was in use on this machine, and meant for it."""
    both: list[tuple[Kind, Offer | None, int]] = [
        ("models", index.models, max(state.models.highest, version_of(packaged()))),
        ("settings", index.settings, state.settings.highest),
    ]
    return [
        (kind, offer)
        for kind, offer, highest in both
        if offer and offer.version > highest and lot(machine, kind, offer.version) < offer.percent
    ]


def lot(machine: str, kind: Kind, version: int) -> float:
    """This machine's lot for a release, 0 to just below 100; always the same, and evenly spread over machines."""
    digest = hashlib.sha256(f"{machine} {kind} {version}".encode()).digest()
    return int.from_bytes(digest[:4], "big") * 100 / 2**32


def _fetch(device: Device, url: str, kind: Kind, offer: Offer) -> str:
    with fetched(url, device.settings.update.ca_file) as answer:
        stream = Stream(answer, url, offer.size, LONGEST, sha256=offer.sha256)
        return install(device, stream)
