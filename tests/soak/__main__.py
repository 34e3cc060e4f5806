"""The soak: the real daemon on a looped clip, with everything going wrong at random; did it ever lie?

    python -m tests.soak [--hours 1] [--seed 0] [--out build/soak]

Prints a line a minute, then what it measured and a line for each finding; the exit code is 1 if there is one. The
daemon is real but for its camera: models, guard (with simulated lines), event log and threads. An independent checker
reads what was true, what the lines did and what the log tells. HOURS=0.02 is a minute; each kind of fault is seen once
in about four.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from tests.soak.channel import Channel
from tests.soak.checker import check
from tests.soak.faults import plan
from tests.soak.injector import Injector
from tests.soak.scene import Clip

START_SECONDS, END_SECONDS = 60.0, 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Run the daemon under random faults.")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="of the faults and the noise")
    parser.add_argument("--out", type=Path, default=Path("build/soak"), metavar="DIR")
    arguments = parser.parse_args()
    findings = soak(arguments.out, arguments.hours * 3600, arguments.seed)
    more, facts = check(arguments.out)
    print("\n".join(facts))
    for finding in (findings := [*findings, *more]):
        print(f"FINDING: {finding}")
    print(f"{len(findings)} finding(s)" if findings else "no finding: it never lied")
    return 1 if findings else 0


def soak(folder: Path, seconds: float, seed: int) -> list[str]:
    """Run it; what of the daemon's end was not as it should."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clip = Clip(seed)
    faults = list(plan(seconds, np.random.default_rng(seed)))
    print(f"{seconds / 60:.1f} min, {len(faults)} faults, seed {seed}, in {folder}", flush=True)
    with started(folder) as (channel, daemon):
        guard = guard_of(daemon)
        injector = Injector(folder, channel, daemon.pid, guard, seed, clip)
        injector.run(faults, seconds, lambda: daemon.poll() is None)
        if daemon.poll() is not None:
            return [f"the daemon ended with code {daemon.returncode}; see {folder}/daemon.txt"]
        daemon.send_signal(signal.SIGTERM)
        try:
            code = daemon.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return [f"the daemon did not end within {END_SECONDS:g} s"]
        return [f"the daemon ended with code {code}"] if code else []


@contextmanager
def started(folder: Path) -> Iterator[tuple[Channel, subprocess.Popen[str]]]:
    """The daemon and a channel to it; what it prints goes to files, through a pipe, as its own files may not grow."""
    channel, memory, pipe = Channel.pair()
    command = [sys.executable, "-m", "tests.soak.subject", str(folder), str(memory), str(pipe)]
    daemon = subprocess.Popen(
        command, pass_fds=(memory, pipe), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    os.close(pipe)
    copier = threading.Thread(target=copy, args=(daemon, folder))
    copier.start()
    try:
        yield channel, daemon
    finally:
        daemon.send_signal(signal.SIGCONT)
        daemon.kill()
        daemon.wait()
        copier.join()


def copy(daemon: subprocess.Popen[str], folder: Path) -> None:
    assert daemon.stdout is not None
    with (folder / "decisions.jsonl").open("w") as decisions, (folder / "daemon.txt").open("w", 1) as other:
        for line in daemon.stdout:
            (decisions if line.startswith("{") else other).write(line)


def guard_of(daemon: subprocess.Popen[str]) -> int:
    """The guard's process id, once it has the lines."""
    end = time.monotonic() + START_SECONDS
    while daemon.poll() is None and time.monotonic() < end:
        with suppress(OSError):
            for children in Path(f"/proc/{daemon.pid}/task").glob("*/children"):
                for child in children.read_text().split():
                    if b"guard.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        time.sleep(0.05)
    raise SystemExit("the daemon does not start; see daemon.txt")


if __name__ == "__main__":
    sys.exit(main())
