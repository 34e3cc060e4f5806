"""Reads a release, NAME-VERSION.tar, as a stream: bundle.sig comes first, so nothing unproven ever reaches the disk.

Only the plain form that `make sign` writes is understood: files, in one folder, with short names. No other kind of
member, no extension of the format; hence links, devices, sparse files or paths that lead elsewhere cannot be meant.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.disk import write_file
from edge.errors import BundleError
from edge.update.signature import LARGEST, MOST_FILES, SIGNATURE_FILE, Manifest, parse, prove

BLOCK, CHUNK = tarfile.BLOCKSIZE, 64 * 1024
LARGEST_SIGNATURE = 16 * 1024
LARGEST_ARCHIVE = LARGEST + LARGEST_SIGNATURE + 2 * BLOCK * (MOST_FILES + 1) + tarfile.RECORDSIZE
SPARE = 4 * 1024 * 1024
"""Bytes that stay free on the disk."""


class Source(Protocol):
    """Bytes from a file or from the network; `str` says from where."""

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end. Raises InputError, BundleError when there are too many."""


def read_manifest(source: Source, keys: Mapping[str, Ed25519PublicKey]) -> tuple[Manifest, bytes]:
    """What the release says of itself, proven, and the bytes of its bundle.sig. Raises BundleError."""
    header = _header(source)
    if header is None or header.name.rpartition("/")[2] != SIGNATURE_FILE:
        raise BundleError(f"{source}: not a signed release, {SIGNATURE_FILE} does not come first; see `make sign`")
    if header.size > LARGEST_SIGNATURE:
        raise BundleError(f"{source}: {SIGNATURE_FILE} has {header.size} bytes; at most {LARGEST_SIGNATURE}")
    content = b"".join(_content(source, header.size))
    manifest = parse(content, source)
    prove(manifest, keys, source)
    if header.name != f"{manifest.folder}/{SIGNATURE_FILE}":
        raise BundleError(f"{source}: its files are not in the folder {manifest.folder}; sign it again")
    return manifest, content


def unpack(source: Source, manifest: Manifest, folder: Path) -> None:
    """Write what follows bundle.sig into an empty folder, to stay there whatever happens to the power.

    Raises BundleError unless it is exactly what the manifest lists.
    """
    _check_space(source, manifest, folder)
    missing = dict(manifest.files)
    while (header := _header(source)) is not None:
        name = header.name.removeprefix(f"{manifest.folder}/")
        listed = missing.pop(name, None)
        if listed is None or listed.size != header.size:
            raise BundleError(f"{source}: {header.name!r} is not in it as it was signed; fetch it again")
        if _written(source, header.size, folder / name) != listed.sha256:
            raise BundleError(f"{source}: {name} was altered after it was signed; fetch it again")
    if missing:
        raise BundleError(f"{source}: {min(missing)} is missing; fetch it again")
    while rest := source.read(CHUNK):
        if any(rest):
            raise BundleError(f"{source}: something follows its end; fetch it again")


def _check_space(source: Source, manifest: Manifest, folder: Path) -> None:
    needed = manifest.size + SPARE
    if (free := shutil.disk_usage(folder).free) < needed:
        raise BundleError(f"{source}: needs {needed} bytes in {folder.parent}, where {free} are free; make room")


def _written(source: Source, size: int, file: Path) -> str:
    """Copy the next `size` bytes into a new file; their SHA-256."""
    digest = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        for chunk in _content(source, size):
            digest.update(chunk)
            yield chunk

    try:
        write_file(file, chunks())
    except OSError as error:
        raise BundleError(f"{source}: cannot be unpacked to {file.parent} ({error.strerror}); make room") from error
    return digest.hexdigest()


def _header(source: Source) -> tarfile.TarInfo | None:
    """The next file's; None at the end."""
    block = source.read(BLOCK)
    if len(block) == BLOCK and not any(block):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.TarError, ValueError) as error:
        raise BundleError(f"{source}: not a whole tar archive; fetch it again") from error
    if header.type != tarfile.REGTYPE or header.size < 0:
        raise BundleError(f"{source}: {header.name!r} is no plain file; make it with `make sign`")
    return header


def _content(source: Source, size: int) -> Iterator[bytes]:
    """The next `size` bytes, and over what fills their last block."""
    for begin in range(0, size, CHUNK):
        chunk = source.read(wanted := min(CHUNK, size - begin))
        if len(chunk) < wanted:
            raise BundleError(f"{source}: it is cut off; fetch it again")
        yield chunk
    source.read(-size % BLOCK)
