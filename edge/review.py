"""Faces that the device was unsure of, or that somebody contested, kept for people to label: few, sealed, not for long.

Off unless `review.enabled`. Each face is a file in the folder, named by chance and dated by the clock. Its content is
sealed with the owner's public key (`edge.seal`), so that the device itself cannot open it. `python -m train review` is
where they are looked at.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Annotated

import cv2
import msgspec
from msgspec import Meta

from edge.errors import InputError, SettingsError
from edge.people import CUT, Person
from edge.settings import ReviewSettings
from edge.values import UNKNOWN, Box, Rgb

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SUFFIX = ".sealed"
SEAL = Path(__file__).with_name("seal.py")
SEAL_SECONDS = 30.0
"""How long it may take on a busy board."""
UNSURE_BELOW = 0.8
"""A verdict with a lower score is worth a look."""
LEAST_FREE = 64_000_000
"""Bytes that must stay free on the disk: the event log goes before."""
DAY = 86_400.0
BURST = 10.0
"""Unsure faces in a row at least, before they are spread over the days."""
ASPECT = 0.78
"""Width of a face's box over its height, as the locator draws it."""
SAME_SECONDS = 90.0
"""Tracks of one number, seen last within this time, are one person's, whose face is not kept a second time."""
TIDY_SECONDS = 600.0


class Kept(msgspec.Struct, frozen=True):
    """What a sealed file holds.

    picture: PNG. box: of the face in it, in its pixels; its longer side is the face's own, so that a crop of any margin
    up to CUT.margin is that which the device would make of the frame.
    label, score: what the device said. contested: somebody said that it was wrong. at: seconds since 1970, UTC.
    """

    picture: bytes
    box: tuple[float, float, float, float]
    label: str
    score: Annotated[float, Meta(ge=0.0, le=1.0)]
    contested: bool
    at: float


class Review:
    """Keeps who is worth a look. now: the wall clock, seconds since 1970.

    kept: how many faces are there. Raises SettingsError when the owner's key cannot be read; a disk that is full or
    broken is told once and means that nothing is kept.
    """

    def __init__(self, settings: ReviewSettings, now: Callable[[], float] = time.time) -> None:
        self._key = Path(settings.key)
        check_key(self._key)
        self._folder, self._most, self._seconds = Path(settings.folder), settings.keep, settings.days * DAY
        self._now = now
        self._allowance = Allowance(settings.keep / self._seconds, max(BURST, 2 * settings.keep / settings.days))
        self._known: deque[tuple[int, float]] = deque(maxlen=64)
        self._lock, self._failed = Lock(), False
        self.kept = 0
        self._try(self._begin)

    def __call__(self, person: Person, contested: bool) -> None:
        """Take note of somebody who has left, or on whom the verdict was contested."""
        if person.crop is None or self._has(person) or not (contested or is_unsure(person)):
            return
        if contested or self._allowance.take(person.time):
            self._known.append((person.id, person.time))
            face = msgspec.msgpack.encode(kept(person, person.crop, contested, self._now()))
            self._try(lambda: self._write(sealed(face, self._key)))

    def tidy(self) -> None:
        """Delete what is too old and what is too many."""
        self._try(self._tidy)

    def _has(self, person: Person) -> bool:
        return any(id == person.id and abs(person.time - time) <= SAME_SECONDS for id, time in self._known)

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in self._folder.glob("*.part"):
            part.unlink()
        self._tidy()

    def _write(self, content: bytes) -> None:
        if shutil.disk_usage(self._folder).free < LEAST_FREE + len(content):
            raise OSError(0, "the disk is nearly full")
        file = self._folder / f"{secrets.token_hex(16)}{SUFFIX}"
        part = file.with_suffix(".part")
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(content)
            os.utime(part, (self._now(), self._now()))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        self._tidy()

    def _tidy(self) -> None:
        ages = sorted((self._now() - file.stat().st_mtime, file) for file in sealed_in(self._folder))
        # a date far ahead is of a clock that was wrong: nobody could tell when its time is over
        stay = [file for age, file in ages if -DAY <= age <= self._seconds][: self._most]
        for file in {file for _, file in ages} - {*stay}:
            file.unlink(missing_ok=True)
        self.kept = len(stay)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            with self._lock:
                act()
            self._failed = False
        except OSError as error:
            if not self._failed:
                reason = f"{self._folder}: faces for review cannot be kept ({error.strerror})"
                print(f"maskgate: {reason}; make room, or set review.enabled = false", file=sys.stderr)
            self._failed = True


@contextmanager
def open_review(settings: ReviewSettings) -> Iterator[Review]:
    """A review that also tidies up while nobody comes. Raises SettingsError."""
    review, done = Review(settings), Event()

    def tidy() -> None:
        while not done.wait(TIDY_SECONDS):
            review.tidy()

    thread = Thread(target=tidy, name="review", daemon=True)
    thread.start()
    try:
        yield review
    finally:
        done.set()
        thread.join(1.0)


class Allowance:
    """What may happen `per_second` on average, and `most` times at once; time in seconds of any clock that goes on."""

    def __init__(self, per_second: float, most: float) -> None:
        self._per_second, self._most = per_second, most
        self._left, self._since = most, -1.0

    def take(self, time: float) -> bool:
        """Whether it may happen now; then it has."""
        earned = self._per_second * max(0.0, time - self._since) if self._since >= 0 else 0.0
        self._left, self._since = min(self._most, self._left + earned), time
        if self._left < 1:
            return False
        self._left -= 1
        return True


def is_unsure(person: Person) -> bool:
    """Whether nobody could be sure of what the device said of them."""
    return person.label == UNKNOWN or person.score < UNSURE_BELOW


def forget(folder: Path) -> None:
    """Delete every sealed face of a folder: for when `review.enabled` is false. What cannot be deleted is told."""
    try:
        for file in sealed_in(folder):
            file.unlink(missing_ok=True)
    except OSError as error:
        print(f"maskgate: {folder}: faces kept earlier cannot be deleted ({error.strerror})", file=sys.stderr)


def sealed_in(folder: Path) -> Iterator[Path]:
    """The sealed faces of a folder, in no order; none where there is no such folder."""
    return folder.glob(f"*{SUFFIX}")


def kept(person: Person, crop: Rgb, contested: bool, at: float) -> Kept:
    """What is kept of a person; crop: uint8 (S, S, 3), cut as CUT says."""
    _, png = cv2.imencode(".png", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    return Kept(png.tobytes(), face_in(len(crop)), person.label, min(1.0, person.score), contested, at)


def face_in(size: int) -> Box:
    """Where the face is in a square crop cut as CUT says, in pixels of the crop.

    Only its longer side is known, which is a face's height; so it is as wide as faces are.
    """
    middle, half = size / 2, size / (1 + 2 * CUT.margin) / 2
    return Box(middle - ASPECT * half, middle - half, middle + ASPECT * half, middle + half)


def check_key(key: Path) -> None:
    """Raises SettingsError when the file holds no key to seal with."""
    done = _seal(b"", key)
    if done.returncode:
        raise SettingsError(f"review.key: {' '.join(done.stderr.decode(errors='replace').split())}")


def sealed(content: bytes, key: Path) -> bytes:
    """What only the owner's private key opens. Raises OSError."""
    done = _seal(content, key)
    if done.returncode or not done.stdout:
        raise OSError(0, " ".join(done.stderr.decode(errors="replace").split()) or "they cannot be sealed")
    return done.stdout


def _seal(content: bytes, key: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", str(SEAL), str(key.absolute())]
    try:
        return subprocess.run(command, input=content, capture_output=True, timeout=SEAL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise OSError(0, f"sealing took more than {SEAL_SECONDS:g} s") from error


def unseal(content: bytes, key: X25519PrivateKey) -> Kept:
    """What a sealed file holds. Raises InputError when another key sealed it, or nobody."""
    from edge import seal  # on the workstation alone

    try:
        return msgspec.msgpack.decode(seal.unseal(content, key), type=Kept)
    except ValueError as error:
        raise InputError("not sealed for this key, or damaged") from error
