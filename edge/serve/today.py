"""What happened at the door today, kept in a small file: how often each state came, and the last faults."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from edge.bulletin import About, Bulletin
from edge.disk import replace_file
from edge.values import State

FAULTS = 20
"""The last faults that are kept, newest first."""
LONGEST_REASON = 300
SAVE_SECONDS = 60.0
"""A card wears out by writing: what the last minute brought is lost in a power cut."""
AWAY = "the door's program went away"


class Fault(msgspec.Struct, frozen=True):
    """at: local time with its offset, ISO 8601."""

    at: str
    reason: str


class _Kept(msgspec.Struct):
    """What the file holds. day: ISO 8601, local. counts: changes into each state on that day."""

    day: str
    counts: dict[str, int] = {}
    faults: list[Fault] = []


class Today:
    """A listener that counts changes of state by the local day, as the event log tells them apart.

    file: made when there is none; a broken one is told and begun anew. now: local time, with its offset.
    """

    def __init__(self, file: Path, now: Callable[[], datetime] = lambda: datetime.now().astimezone()) -> None:
        self._file = file
        self._now = now
        self._kept = self._load()
        self._saved = msgspec.json.encode(self._kept)
        self._last: tuple[str, str] | None = None
        self._connected = False
        self._failed = False
        self.since: datetime | None = None
        """Since when the state is what it is; None before the first."""

    @property
    def counts(self) -> dict[str, int]:
        """How often each state came today."""
        self._turn_page()
        return dict(self._kept.counts)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The last ones, of any day, newest first."""
        return tuple(self._kept.faults)

    def bulletin(self, bulletin: Bulletin) -> None:
        if (kind := bulletin.kind) == self._last:
            return
        self._last, self.since = kind, self._now()
        self._turn_page()
        self._kept.counts[bulletin.state] = self._kept.counts.get(bulletin.state, 0) + 1
        if bulletin.state == State.FAULT:
            self._add_fault(bulletin.reason)

    def about(self, about: About) -> None:
        """Of no interest here."""

    def connected(self, on: bool) -> None:
        if self._connected and not on:
            self._add_fault(AWAY)
            self._last, self.since = None, self._now()
        self._connected = on

    async def run(self) -> None:
        """Save every minute, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(SAVE_SECONDS)
                await asyncio.to_thread(self.save)
        finally:
            self.save()

    def save(self) -> None:
        """Write what has changed. A disk that does not take it is told once, and tried again the next time."""
        content = msgspec.json.encode(self._kept)
        if content == self._saved:
            return
        try:
            replace_file(self._file, content)
        except OSError as error:
            if not self._failed:
                print(f"maskgate: {self._file}: today's counts cannot be saved ({error.strerror})", file=sys.stderr)
            self._failed = True
        else:
            self._saved, self._failed = content, False

    def _add_fault(self, reason: str) -> None:
        at = self._now().isoformat(timespec="seconds")
        self._kept.faults = [Fault(at, reason[:LONGEST_REASON]), *self._kept.faults][:FAULTS]

    def _turn_page(self) -> None:
        if (day := self._day()) != self._kept.day:
            self._kept.day, self._kept.counts = day, {}

    def _day(self) -> str:
        return self._now().date().isoformat()

    def _load(self) -> _Kept:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            print(f"maskgate: {self._file}: begun anew, it cannot be read ({error})", file=sys.stderr)
        return _Kept(self._day())
