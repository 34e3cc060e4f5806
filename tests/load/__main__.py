"""The load: what does all cost that can be switched on beside the door, and does an attack on it reach the door?

    python -m tests.load [--rounds 15] [--seconds 1] [--requests 10000] [--out build/load]

The daemon runs on a looped clip of 1280x720, as fast as it can: alone, and with the page, its view, metrics, MQTT,
drift and review on, all over TLS. One is stopped while the other runs, in turns, so that whatever else the machine does
strikes both; the median of all pairs of turns counts. Then it runs at a camera's rate, in quiet and under attack, see
`attack`. Prints what it measured and a line for each finding; the exit code is 1 if there is one. Two minutes where
nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.load.attack import REQUESTS
from tests.load.clip import write_clip
from tests.load.door import Device, Site, Visitor, alone, with_everything
from tests.load.report import Attack, Turn, judge_attack, judge_cost
from tests.load.usage import Memory, memory, processor_seconds

CLIP_RATE, CAMERA_RATE = 8.0, 15.0
"""Frames a second, of the clip and of a camera by default."""
QUIET_SECONDS = 10.0
WARM_SECONDS, SETTLE_SECONDS = 5.0, 0.4
"""Before the first turn, and at the begin of each: a stopped daemon's first frame is a fault, as it is too old."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Measure what everything costs.")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--requests", type=int, default=10_000, help="of the attack")
    parser.add_argument("--out", type=Path, default=Path("build/load"), metavar="DIR")
    options = parser.parse_args(arguments)
    out = options.out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    write_clip(out / "clip", CLIP_RATE)
    findings = [*cost(out, options.rounds, options.seconds), *under_attack(out, options.requests)]
    for finding in findings:
        print(f"FINDING: {finding}")
    print(f"{len(findings)} finding(s)" if findings else "no finding")
    return 1 if findings else 0


def cost(out: Path, rounds: int, seconds: float) -> list[str]:
    """Of everything, beside the daemon alone; what of it is too much."""
    with (
        alone(out / "alone", out / "clip") as one,
        with_everything(out / "everything", out / "clip") as (other, site),
        Visitor(site),
    ):
        one.halt()
        for device in (other, one):
            turn(device, WARM_SECONDS)
        pairs = []
        for number in range(rounds):
            first, second = (turn(device, seconds) for device in ((one, other) if number % 2 else (other, one)))
            pairs.append((first, second) if number % 2 else (second, first))
        findings = judge_cost(pairs)
        other.go_on()
        return findings


def turn(device: Device, seconds: float) -> Turn:
    """Let it run, and halt it."""
    device.go_on()
    time.sleep(SETTLE_SECONDS)
    begin, used = time.monotonic(), processor_seconds(device.processes)
    time.sleep(seconds)
    end, used = time.monotonic(), processor_seconds(device.processes) - used
    device.halt()
    return Turn(device.frames(begin, end), end - begin, used, memories(device))


def memories(device: Device) -> dict[str, Memory]:
    return {program.name: memory(program.family) for program in device.programs} | {"all": memory(device.processes)}


def under_attack(out: Path, requests: int) -> list[str]:
    """What of it reaches the door."""
    with with_everything(out / "attacked", out / "clip", CAMERA_RATE) as (device, site), Visitor(site):
        time.sleep(WARM_SECONDS)
        begin = time.monotonic()
        time.sleep(QUIET_SECONDS)
        attacked = time.monotonic()
        answers = attack(site, requests)
        end = time.monotonic()
        told = Attack(*answers, seconds=end - attacked)
        public = sum(path == "/" for _, path, *_ in REQUESTS) / len(REQUESTS)
        return judge_attack(device.frames(begin, attacked), device.frames(attacked, end), told, public * requests)


def attack(site: Site, requests: int) -> list[dict[int, int]]:
    """By a process that takes nothing of the processor that the device could use, as it would be on another machine."""
    command = "nice", "-n19", sys.executable, "-m", "tests.load.attack", json.dumps(asdict(site)), str(requests)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [{int(status): count for status, count in answers.items()} for answers in json.loads(done.stdout)]


if __name__ == "__main__":
    sys.exit(main())
