"""Calls checks one after another in a process of their own: one that hangs, throws or crashes is a finding itself.

The process does all checks as long as it can, so that each library is loaded once; after a crash another one goes on
with the next check.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe

from edge.doctor.finding import Finding, fail
from edge.errors import in_one_line

LOG = "`journalctl -k -n 50` may say why"


@dataclass(frozen=True)
class Check:
    """name: for when it gives no answer. call: can be pickled. seconds: it may take."""

    name: str
    call: Callable[[], Sequence[Finding]]
    seconds: float = 10.0


def examine(checks: Sequence[Check]) -> Iterator[Finding]:
    """What the checks find, in their order, as soon as they do. Each gives an answer or is answered for."""
    while checks:
        answered = 0
        for findings in _examine(checks):
            yield from findings
            answered += 1
        checks = checks[answered:]


def _examine(checks: Sequence[Check]) -> Iterator[Sequence[Finding]]:
    """The answers until the process is lost, that included."""
    ours, theirs = Pipe()
    with ours:
        with theirs:
            process = _start(theirs)
        try:
            with contextlib.suppress(BrokenPipeError):  # what is gone already gives no answer
                ours.send(checks)
            for check in checks:
                findings = _answer(ours, check.seconds)
                if findings is None:
                    yield [fail(check.name, _end(process, check), LOG)]
                    return
                yield findings
        finally:
            process.kill()
            process.wait()


def _start(line: Connection) -> subprocess.Popen[bytes]:
    """The process at the other end of `line`. What libraries print there must not stand between our lines."""
    # it finds its modules where this process found them
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-sP", "-c", f"from edge.doctor.ward import work; work({line.fileno()})"],
        pass_fds=[line.fileno()],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _answer(line: Connection, seconds: float) -> Sequence[Finding] | None:
    try:
        return line.recv() if line.poll(seconds) else None
    except (EOFError, ConnectionResetError):
        return None


def _end(process: subprocess.Popen[bytes], check: Check) -> str:
    try:
        code = process.wait(0.2)
    except subprocess.TimeoutExpired:
        return f"gave no answer within {check.seconds:g} s"
    return f"crashed ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


def work(handle: int) -> None:
    """Answer every check that comes over a socket."""
    os.nice(10)  # the door goes first
    with Connection(handle) as line:
        for check in line.recv():
            line.send(_findings(check))


def _findings(check: Check) -> Sequence[Finding]:
    try:
        return check.call()
    except Exception as error:
        return [fail(check.name, f"cannot be checked: {in_one_line(error)}", "what fails above")]
