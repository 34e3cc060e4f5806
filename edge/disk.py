"""Changes on the disk that hold through a power cut: a file or name counts only once it was flushed (fsync)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_file(file: Path, chunks: Iterable[bytes]) -> None:
    """A new file, readable for all. Raises OSError, also when it is there already."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(file: Path, content: bytes, temporary: Path | None = None) -> None:
    """Give a file new content at one blow. Raises OSError; then the old content is still there.

    temporary: a name on the same disk, not taken; by default beside the file, and what an earlier try left there goes.
    """
    if temporary is None:
        temporary = file.with_name(f"{file.name}.part")
        temporary.unlink(missing_ok=True)
    write_file(temporary, [content])
    os.replace(temporary, file)
    sync_folder(file.parent)


def rename(old: Path, new: Path) -> None:
    """Give a folder, whose files are flushed, its place; the folders around both are flushed."""
    sync_folder(old)
    os.rename(old, new)
    sync_folder(new.parent)
    sync_folder(old.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
