"""Changes the store: a release comes in whole, takes its place by one rename, and is in use by one replaced file.

Whatever is cut off half way lies in .incoming-*, or in a folder that store.json does not name, and is swept away by
the next change; so the power may fail at any moment.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from edge.disk import rename, replace_file, sync_folder, write_file
from edge.errors import BundleError, InputError
from edge.update.signature import SIGNATURE_FILE, Manifest, read_folder
from edge.update.store import KINDS, STATE_FILE, Kind, Rollback, Shelf, State, Trial

INCOMING = ".incoming-"
TRIAL_MARK = "trial"
"""An empty file in the store as long as a trial is under way: systemd starts the watch only where it is."""


@contextmanager
def locked(store: Path, wait: bool = False) -> Iterator[None]:
    """Nobody else changes the store meanwhile; makes it where there is none. Raises InputError."""
    try:
        store.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(store / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise InputError(f"{store}: cannot be changed ({error.strerror}); run it with sudo") from error
    try:
        _lock(descriptor, store, wait)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, store: Path, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise InputError(f"{store}: another `maskgate bundle` is at work; try again when it is done") from error


@contextmanager
def incoming(store: Path) -> Iterator[Path]:
    """An empty folder for a release on its way in; what is still there at the end is removed. Raises InputError."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=INCOMING, dir=store))
    except OSError as error:
        raise InputError(f"{store}: cannot be changed ({error.strerror}); run it with sudo") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place(folder: Path, manifest: Manifest, signature: bytes, store: Path) -> None:
    """Give a release, unpacked in an `incoming` folder, its place in the store, without using it yet.

    signature: the bytes of its bundle.sig. Raises BundleError.
    """
    try:
        write_file(folder / SIGNATURE_FILE, [signature])
        folder.chmod(0o755)
        shelf = store / manifest.kind
        shelf.mkdir(exist_ok=True)
        rename(folder, shelf / manifest.folder)
    except OSError as error:
        raise BundleError(f"{manifest.folder}: cannot be kept in {store} ({error.strerror}); make room") from error


def switch(store: Path, state: State, manifest: Manifest, trial: Trial | None) -> State:
    """Use a release that is in its place; the new state."""
    shelf = state.shelf(manifest.kind)
    shelf = Shelf(manifest.folder, shelf.current, max(shelf.highest, manifest.version))
    state = msgspec.structs.replace(state.with_shelf(manifest.kind, shelf), latest=manifest.kind, trial=trial)
    save(store, state)
    return state


def back(store: Path, state: State, kind: Kind, reason: str, when: str) -> State:
    """Use what was in use before, or what came with the package where that is no longer whole; the new state.

    A second time goes back to what came with the package. Raises BundleError when that is in use already.
    """
    shelf = state.shelf(kind)
    if not shelf.current:
        raise BundleError(f"{kind}: what came with the package is in use; there is nothing to go back to")
    previous = shelf.previous if _is_whole(store / kind / shelf.previous) else ""
    trial = state.trial if state.trial and state.trial.kind != kind else None
    state = msgspec.structs.replace(
        state.with_shelf(kind, Shelf(previous, "", shelf.highest)),
        trial=trial,
        rollback=Rollback(kind, shelf.current, when, reason),
    )
    save(store, state)
    return state


def _is_whole(folder: Path) -> bool:
    try:
        read_folder(folder)
    except BundleError:
        return False
    return True


def start_over(store: Path) -> State:
    """A store that can be read again: what came with the package is in use, and no older version comes back."""
    state = State(Shelf(highest=_highest(store, "models")), Shelf(highest=_highest(store, "settings")))
    save(store, state)
    return state


def save(store: Path, state: State) -> None:
    """Make this what the store holds, at one blow. Raises BundleError; then it holds what it held."""
    try:
        if state.trial and not (store / TRIAL_MARK).exists():
            write_file(store / TRIAL_MARK, [])
            sync_folder(store)
        content = msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n"
        temporary = store / f"{INCOMING}{STATE_FILE}"
        temporary.unlink(missing_ok=True)
        replace_file(store / STATE_FILE, content, temporary)
    except OSError as error:
        raise BundleError(f"{store}: {STATE_FILE} cannot be replaced ({error.strerror}); make room") from error


def sweep(store: Path, state: State) -> None:
    """Remove what nothing needs: releases neither current nor previous, and what was cut off half way."""
    for left in store.glob(f"{INCOMING}*"):
        _remove(left)
    for kind in KINDS:
        shelf = state.shelf(kind)
        for name in _names(store, kind):
            if name not in (shelf.current, shelf.previous):
                _remove(store / kind / name)
    if state.trial is None:
        _remove(store / TRIAL_MARK)


def _highest(store: Path, kind: Kind) -> int:
    return max(
        (int(name.rpartition("-")[2]) for name in _names(store, kind) if re.search("-[0-9]{1,10}$", name)), default=0
    )


def _names(store: Path, kind: Kind) -> list[str]:
    folder = store / kind
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _remove(path: Path) -> None:
    """As far as it can be removed: what stays is in nobody's way."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
