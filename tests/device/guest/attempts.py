"""Tries, as the service, what it has no business with; writes why each was refused, null for what was not.

python3 attempts.py FILE
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

ATTEMPTS: dict[str, Callable[[], object]] = {
    "read what is root's": lambda: Path("/etc/shadow").read_bytes(),
    "write its settings": lambda: Path("/etc/maskgate/door.toml").open("a").close(),
    "open a device that everybody may": lambda: os.open(
        "/dev/for_everybody", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK
    ),
    "see other processes": lambda: os.stat("/proc/1"),
    "reach a network": lambda: socket.socket(socket.AF_INET),
    "make a name space": lambda: os.unshare(os.CLONE_NEWUSER),
    "run in real time": lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
    "run what it wrote": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "set a user id bit": lambda: os.chmod(sys.argv[1], 0o4755),
}


def refusal(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except OSError as error:
        return error.strerror
    return None


def main() -> None:
    Path(sys.argv[1]).touch()
    refusals = {name: refusal(attempt) for name, attempt in ATTEMPTS.items()}
    Path(sys.argv[1]).write_text(json.dumps(refusals))


if __name__ == "__main__":
    main()
