"""A file of JSON lines that shows when it was tampered with: each line carries the SHA-256 of the line before.

FILE       the lines; "number" counts up from 1, "previous" is the hash of the line before without its newline
FILE.1     the file before it, set aside when it had grown to its cap; the chain goes on from one to the other
FILE.head  number and hash of the last line, so that a cut end is found too

An edited, removed, inserted or moved line is found by `check`. Who can compute the whole chain and the head anew cannot
be told; a hash that was noted elsewhere can: it must still stand in the log, as some line's "previous" or in FILE.head.

Nothing is forced onto the disk line by line, so that a power cut may cost the lines of the last half minute. The head
may outlive them; then the next line goes on from the head, and `check` names the lost ones. A line that was torn in the
middle is kept: the next begins on a line of its own and carries its hash.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import InputError

MAX_WAITING = 1000
"""Lines that are kept for when the file can be written again."""
WINDOW = 1 << 16
"""Bytes at the end of a file in which its last line is sought."""

Record = dict[str, Any]


class Position(NamedTuple):
    """A line's number, 0 for the place before the first, and its SHA-256 in 64 hex digits."""

    number: int
    hash: str


START = Position(0, "0" * 64)


class Ledger:
    """Appends to such a file, and goes on with the chain that it finds there.

    max_bytes: a file that has grown to this is set aside before the next line.
    """

    def __init__(self, file: Path, max_bytes: float = math.inf) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._descriptor: int | None = None
        self._size = 0
        self._last: Position | None = None
        self._noted: Position | None = None
        self._torn = self._newline = b""
        self._waiting: deque[Record] = deque()
        self._lost = 0

    @property
    def behind(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._waiting) or self._descriptor is None

    @property
    def waiting(self) -> int:
        """How many lines are not written yet, or were lost because too many waited."""
        return len(self._waiting) + self._lost

    def open(self) -> None:
        """Have the file and find the chain's end. Raises OSError."""
        self.close()
        self._noted = None
        self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(errno.EINVAL, "Not a regular file")
        self._size = status.st_size
        found, self._torn, self._newline = _ending(self._descriptor, self._size)
        known = self._last or read_head(self._file) or self._end_of_aside()
        if found == known or found.number > known.number:
            self._last = found
        else:
            self._last, self._torn = known, b""

    def clear(self) -> None:
        """Begin anew: the opened file becomes empty, and what lies beside it is deleted. Raises OSError."""
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        for path in (aside_of(self._file), head_of(self._file)):
            path.unlink(missing_ok=True)
        self._last = None
        self.open()

    def add(self, record: Record) -> None:
        """Let a line wait for `flush`; when too many wait, it is lost, and a later line tells how many were."""
        if len(self._waiting) >= MAX_WAITING:
            self._lost += 1
            return
        self._waiting.append({**record, "lost": self._lost} if self._lost else record)
        self._lost = 0

    def flush(self) -> None:
        """Write what waits. Raises OSError; what could not be written goes on waiting."""
        try:
            if not self._in_place():
                self.open()
            self._note_head()
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()
            self._note_head()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _in_place(self) -> bool:
        """Whether the opened file is still the one of that name, and as it was left."""
        if self._descriptor is None:
            return False
        try:
            there = os.stat(self._file)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor)) and there.st_size == self._size

    def _write(self, record: Record) -> None:
        if self._size >= self._max_bytes and not self._newline:
            os.replace(self._file, aside_of(self._file))
            self.open()
        assert self._descriptor is not None and self._last is not None
        number = self._last.number + 1
        begins = {"new_file": True} if not self._size and number > 1 else {}
        previous = digest(self._torn) if self._torn else self._last.hash
        line = json.dumps({"number": number, **record, **begins, "previous": previous}).encode()
        data = self._newline + line + b"\n"
        self._write_all(self._descriptor, data)
        self._size += len(data)
        self._last = Position(number, digest(line))
        self._torn = self._newline = b""

    def _write_all(self, descriptor: int, data: bytes) -> None:
        """All or, where the disk lets it, nothing."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, self._size)
            raise

    def _note_head(self) -> None:
        if self._last is None or self._noted == self._last:
            return
        head = head_of(self._file)
        part = head.with_name(head.name + ".part")
        part.write_text(json.dumps(self._last._asdict()) + "\n")
        os.replace(part, head)
        self._noted = self._last

    def _end_of_aside(self) -> Position:
        """Where the chain went on from, if the file is empty and the head is lost."""
        if not self._size:
            with suppress(OSError), aside_of(self._file).open("rb") as file:
                return _ending(file.fileno(), os.fstat(file.fileno()).st_size)[0]
        return START


@dataclass
class Report:
    """What `check` found.

    findings: one line each, empty for a whole log. events: lines that belong to the chain. torn: lines whose writing
    was cut short. first, last: the first and last event. end: the last event's place in the chain.
    """

    findings: list[str] = field(default_factory=list)
    events: int = 0
    torn: int = 0
    first: Record = field(default_factory=dict)
    last: Record = field(default_factory=dict)
    end: Position = START

    def __str__(self) -> str:
        """Of a whole log, as in "123 events, whole, 2026-05-01T... to 2026-05-02T..., head 123 9f3c..."."""
        span = " to ".join(str(record.get("at", f"{record.get('time')} s")) for record in (self.first, self.last))
        torn = f" and {self.torn} torn line(s)" if self.torn else ""
        times = f", {span}" if self.events else ""
        return f"{self.events} events{torn}, whole{times}, head {self.end.number} {self.end.hash}"


def check(file: Path) -> Report:
    """Read a log with what was set aside of it, and say what is wrong. Raises InputError if it cannot be read."""
    head = read_head(file)  # before the lines, of which a running daemon may write more meanwhile
    checker = _Checker(head)
    aside = aside_of(file)
    try:
        for path in (aside, file) if aside.exists() else (file,):
            with path.open("rb") as lines:
                for count, line in enumerate(lines, 1):
                    checker.take(f"{path}: line {count}", line, may_begin=path == aside and count == 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name the file of an event log") from error
    return checker.finish(file)


class _Checker:
    def __init__(self, head: Position | None) -> None:
        self._head = head
        self._at_head = START
        self._report = Report()
        self._place = ""
        self._strange: list[tuple[str, bytes, bool]] = []

    def take(self, place: str, line: bytes, may_begin: bool) -> None:
        """The next line; `may_begin` where what came before it may have been deleted to keep the cap."""
        text = line.removesuffix(b"\n")
        record = parse(text) if text != line else None
        if record is None:
            self._strange.append((place, text, text != line))
            return
        report = self._report
        if may_begin and record.get("new_file") is True:
            report.end = Position(record["number"] - 1, record["previous"])
        if (number := self._joined(place, record)) is None:
            return
        self._tell_strange()
        report.end, self._place = Position(number, digest(text)), place
        report.events += 1
        report.first, report.last = report.first or record, record
        if self._head and number == self._head.number:
            self._at_head = report.end

    def _joined(self, place: str, record: Record) -> int | None:
        """The event's number in the chain, None if it is none of it; a bad joint is told."""
        number, previous, last = record["number"], record["previous"], self._report.end
        expected = last.number + 1
        if self._strange and number == expected and previous == digest(self._strange[-1][1]):
            self._strange.pop()
            self._report.torn += 1
        elif previous == last.hash:
            if number != expected:
                self._tell(f"{place}: edited, its number is {number} and not {expected}")
            return expected
        elif number < expected:
            self._tell(f"{place}: inserted or moved, event {number} after event {last.number}")
            return None
        elif number > expected + len(self._strange):
            self._tell(f"{place}: {_missing(expected, number - 1)} before it (removed, or lost in a power cut)")
        elif not self._strange:
            self._tell(f"{self._place}: edited, or its hash in {place}" if self._place else f"{place}: edited")
        return int(number)

    def finish(self, file: Path) -> Report:
        report, head = self._report, self._head
        last = report.end.number
        if self._strange and not self._strange[-1][2] and head and head.number <= last:
            self._strange.pop()  # it is just being written, or the power went then
            report.torn += 1
        self._tell_strange()
        if head is None:
            if report.events:
                self._tell(f"{head_of(file)}: missing or not a head, so that a cut end cannot be told")
        elif head.number > last:
            self._tell(f"{file}: truncated, {_missing(last + 1, head.number)} at its end (or lost in a power cut)")
        elif self._at_head != head and not report.findings:
            edited = self._place if head.number == last else f"{file}: event {head.number}"
            self._tell(f"{edited}: edited, or its hash in {head_of(file)}")
        return report

    def _tell(self, finding: str) -> None:
        self._report.findings.append(finding)

    def _tell_strange(self) -> None:
        for place, _, ended in self._strange:
            self._tell(f"{place}: not JSON, or not an event{'' if ended else ', and cut off'}")
        self._strange.clear()


def _missing(first: int, last: int) -> str:
    return f"event {first} is missing" if first == last else f"events {first} to {last} are missing"


def read_head(file: Path) -> Position | None:
    """What the head beside a log says; None when it is missing or makes no sense."""
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
        head = json.loads(head_of(file).read_bytes())
        if type(head["number"]) is int and isinstance(head["hash"], str):
            return Position(head["number"], head["hash"])
    return None


def parse(line: bytes) -> Record | None:
    """A line as a record of a chain; None when it is none."""
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
        if isinstance(record, dict) and type(record.get("number")) is int and isinstance(record.get("previous"), str):
            return record
    return None


def digest(line: bytes) -> str:
    """SHA-256 in 64 hex digits."""
    return hashlib.sha256(line).hexdigest()


def aside_of(file: Path) -> Path:
    """Where a log that has grown to its cap is kept."""
    return file.with_name(file.name + ".1")


def head_of(file: Path) -> Path:
    """Where number and hash of a log's last line are kept."""
    return file.with_name(file.name + ".head")


def _ending(descriptor: int, size: int) -> tuple[Position, bytes, bytes]:
    """Of a file: its last event, what was torn after it, and the newline that must come before the next."""
    begin = max(0, size - WINDOW)
    *lines, rest = os.pread(descriptor, WINDOW, begin).split(b"\n")
    newline = b"\n" if rest else b""
    if parse(rest):  # torn right before its newline
        lines, rest = [*lines, rest], b""
    for line in reversed(lines):
        if record := parse(line):
            return Position(record["number"], digest(line)), rest, newline
    return START, rest, newline
