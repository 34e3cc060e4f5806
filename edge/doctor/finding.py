"""What a check found out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """fail: the door does not work, or will not for long. warn: it works, but could do better."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """name: of the check. found: what it saw, one line. mend: the command or act that mends it; "" when it is ok."""

    name: str
    status: Status
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Finding:
    return Finding(name, Status.OK, found)


def warn(name: str, found: str, mend: str) -> Finding:
    return Finding(name, Status.WARN, found, mend)


def fail(name: str, found: str, mend: str) -> Finding:
    return Finding(name, Status.FAIL, found, mend)


def refused(name: str, message: str) -> Finding:
    """A failure of one of maskgate's own errors, which end in what to do about it."""
    found, _, mend = message.rpartition("; ")
    return fail(name, found, mend) if found else fail(name, message, "")
