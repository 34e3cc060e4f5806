"""Many doors on one broker, without doors: what do they tell, how fast is it heard, and what does the broker bear?

    python -m edge.fleet.simulate                          # 200 doors for 60 s, on a mosquitto of its own
    python -m edge.fleet.simulate --ramp                   # and then more and more messages, until it falls behind
    python -m edge.fleet.simulate --canary --harmed 10     # a bundle that makes 10 % of the doors worse is rolled out

Each door is a process that speaks by the same `edge.serve.mqtt` as a real one. --broker HOST:PORT takes another broker,
without TLS; what the virtual doors left there is removed at the end. --canary lets `edge.fleet.rollout` offer a bundle
in an index that the doors follow by the rule of `maskgate bundle poll`, an hour in half a minute. Exit code 0: no
message was lost, or the rollout went as it had to; 1: not so; 2: bad input.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from paho.mqtt import publish

from edge.errors import InputError, MaskgateError
from edge.fleet.doors import Limits
from edge.fleet.ear import Ear, Heard, Login, address
from edge.fleet.flood import Flood
from edge.fleet.mosquitto import HOST, mosquitto
from edge.fleet.plan import Plan
from edge.fleet.rollout import IndexFile, roll_out
from edge.fleet.virtual import ABOUT, LOOK_SECONDS, OLD, PREFIX, World, crowd, make_world, name_of
from edge.serve.discovery import discovery
from edge.serve.topics import AVAILABILITY, EVENT, FAULT, STATE, STATS, Told, topic

FELL_BEHIND = 1
BAD_INPUT = 2
INTERRUPTED = 130
SETTLE_SECONDS = 120.0
"""All doors have to be there by then."""
LATE_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
"""What comes later than that is lost."""
LOST = 0.01
"""A broker falls behind when 1 % come later than that, or this part of the changes is not heard."""
RANGES = {"doors": (1, 9999), "seconds": (1, 86_400), "pause": (0.01, 3600), "harmed": (0, 100)}
OURS = topic(PREFIX, "").removesuffix("/")
"""How the topics of virtual doors begin."""
RAMP_SECONDS = 10.0
FIRST_RATE = 1000.0
FLOOD_LOST = 0.1
"""The others fall behind when this part is not heard."""

CANARY_PLAN = Plan((10.0, 50.0, 100.0), before_seconds=20.0, soak_seconds=20.0, patience_seconds=120.0)
CANARY_LIMITS = Limits(away_seconds=6.0, fault_seconds=3.0)
"""An hour in half a minute."""
CANARY_PAUSE = 0.5
CANARY_STATS = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. latencies: seconds from a door's change to its being heard here, sorted."""

    seconds: float
    messages: int
    changes: int
    latencies: list[float]
    broker_seconds: float | None

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def lost(self) -> float:
        """The fraction of the changes that was not heard."""
        return max(0.0, 1 - len(self.latencies) / self.changes) if self.changes else 0.0

    @property
    def busy(self) -> float:
        """Cores that the broker used; 0 when that is not known."""
        return (self.broker_seconds or 0.0) / self.seconds

    @property
    def behind(self) -> bool:
        return self.lost > LOST or self.latency(0.99) > LATE_SECONDS

    def latency(self, part: float) -> float:
        return self.latencies[int(part * (len(self.latencies) - 1))] if self.latencies else float("inf")

    def __str__(self) -> str:
        text = f"{self.rate:8.1f} messages/s   p50 {self.latency(0.5) * 1000:6.1f} ms   p99 "
        text += f"{self.latency(0.99) * 1000:6.1f} ms   {self.lost:.1%} lost"
        if self.broker_seconds is not None:
            text += f"   broker {self.busy:.1%} of a core"
        return text


def measure(ear: Ear, world: World, seconds: float, broker: int | None) -> Figures:
    """What the doors say in so many seconds; what comes late is waited for. broker: its process, if known."""
    begin = Moment.of(world, broker)
    heard = list(ear.messages(seconds))
    end = Moment.of(world, broker)
    latencies = _latencies(heard, begin, end)
    while len(latencies) < end.changes - begin.changes and time.monotonic() < end.time + PATIENCE_SECONDS:
        heard += ear.messages(0.5)
        latencies = _latencies(heard, begin, end)
    broker_seconds = None if end.cpu is None or begin.cpu is None else end.cpu - begin.cpu
    messages = sum(message.topic.startswith(OURS) and begin.time <= message.time < end.time for message in heard)
    return Figures(end.time - begin.time, messages, end.changes - begin.changes, latencies, broker_seconds)


def _latencies(heard: Sequence[Heard], begin: Moment, end: Moment) -> list[float]:
    """Of the changes between the two moments, seconds, sorted."""
    offset = time.time() - time.monotonic()
    ours = [message for message in heard if message.topic.startswith(OURS) and message.topic.endswith(EVENT)]
    events = [(_told_at(message.payload) - offset, message.time) for message in ours]
    return sorted(came - told for told, came in events if begin.time <= told < end.time)


class Moment(NamedTuple):
    """time: monotonic, seconds. changes: of all doors so far. cpu: seconds that the broker used, None if unknown."""

    time: float
    changes: int
    cpu: float | None

    @classmethod
    def of(cls, world: World, broker: int | None) -> Moment:
        return cls(time.monotonic(), sum(world.changes), _cpu_seconds(broker))


def _told_at(payload: bytes) -> float:
    """When a door told it: seconds since 1970, to the millisecond."""
    return datetime.fromisoformat(msgspec.json.decode(payload, type=Told).at).timestamp()


def ramp(ear: Ear, world: World, broker: int | None, seconds: float = RAMP_SECONDS) -> str:
    """Drown the doors in ever more messages of others, until theirs or the others' come late; what was borne."""
    borne = "less than that"
    with Flood(world.host, world.port, msgspec.json.encode(Told("", 1, "IDLE", "nobody is in the zone" * 4))) as flood:
        flood.rate = FIRST_RATE
        while True:
            heard, begin = flood.heard, time.monotonic()
            figures = measure(ear, world, seconds, broker)
            rate = (flood.heard - heard) / (time.monotonic() - begin)
            print(f"{flood.rate:8.0f} more a second, {rate:8.0f} heard   {figures}", flush=True)
            if figures.behind or rate < (1 - FLOOD_LOST) * flood.rate:
                return borne
            rate += figures.rate
            borne = f"{rate:.0f} messages/s"
            if figures.broker_seconds:
                borne += f" with {figures.busy:.0%} of a core, so about {rate / figures.busy:.0f} with a whole one"
            flood.rate *= 2


def simulate(arguments: argparse.Namespace) -> int:
    """The doors talk, we listen. Raises InputError."""
    with _broker(arguments) as (host, port, broker):
        world = make_world(arguments.doors, host, port, arguments.pause)
        with crowd(world) as doors, _ear(world) as ear:
            figures = measure(ear, world, arguments.seconds, broker)
            print(f"{world.doors} doors, {60 / world.pause.value:.0f} changes a minute each, {figures.seconds:.0f} s")
            print(f"{'':21}  {figures}", flush=True)
            print(_memory(doors, broker), flush=True)
            if arguments.ramp:
                print(f"borne: {ramp(ear, world, broker)}")
        if arguments.broker:
            _forget(world)
    return FELL_BEHIND if figures.behind else 0


def _ear(world: World) -> Ear:
    """Made when all doors are there."""
    missing, end = {topic(name_of(number), STATS) for number in range(world.doors)}, time.monotonic() + SETTLE_SECONDS
    with Ear(Login(world.host, world.port, tls=False)) as ear:
        while missing:
            if time.monotonic() > end:
                raise InputError(f"{len(missing)} of {world.doors} doors did not come in time; try fewer with --doors")
            missing -= {heard.topic for heard in ear.messages(0.2)}
    return Ear(Login(world.host, world.port, tls=False))


def _memory(doors: Sequence[int], broker: int | None) -> str:
    shares = [_kilobytes(f"/proc/{door}/smaps_rollup", "Pss:") for door in doors]
    text = f"memory: {sum(shares) / len(shares) / 1024:.1f} MB a door (its share of what is common included)"
    if broker:
        text += f", {_kilobytes(f'/proc/{broker}/status', 'VmRSS:') / 1024:.1f} MB the broker"
    return text


def _kilobytes(file: str, key: str) -> int:
    lines = Path(file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def _cpu_seconds(pid: int | None) -> float | None:
    if pid is None:
        return None
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _broker(arguments: argparse.Namespace) -> Iterator[tuple[str, int, int | None]]:
    """Host, port, and the process where it is ours."""
    if arguments.broker:
        yield *address(arguments.broker), None
    else:
        with mosquitto() as (port, pid):
            yield HOST, port, pid


def _forget(world: World) -> None:
    """Remove what the broker keeps of virtual doors."""
    empty = []
    for name in map(name_of, range(world.doors)):
        empty += [topic(name, what) for what in (AVAILABILITY, STATE, FAULT, STATS)]
        empty += [discovery(name, ABOUT)[0]]
    logging.getLogger("paho.mqtt.client").setLevel(logging.CRITICAL)  # it takes its own goodbye for an error
    publish.multiple([(at, b"", 1, True) for at in empty], world.host, world.port)


def canary(arguments: argparse.Namespace) -> int:
    """A bundle is rolled out over virtual doors, some of which it makes worse. Raises InputError."""
    with _broker(arguments) as (host, port, _), tempfile.TemporaryDirectory(prefix="maskgate-") as folder:
        file = Path(folder) / "index.json"
        offer = {"version": OLD + 1, "url": "maskgate.tar", "sha256": "0" * 64, "size": 1_000_000, "percent": 0}
        file.write_text(json.dumps({"models": offer}))
        more = {"index": file, "harmed": arguments.harmed, "stats_seconds": CANARY_STATS}
        world = make_world(arguments.doors, host, port, CANARY_PAUSE, **more)
        with crowd(world), _ear(world) as ear:
            well = roll_out(ear, IndexFile(file), CANARY_PLAN, CANARY_LIMITS)
            took = _took(world)
            time.sleep(3 * LOOK_SECONDS)
            later = _took(world) - took
        if arguments.broker:
            _forget(world)
    print(f"{took} of {world.doors} doors took the bundle, {later} of them after the end of the rollout")
    return 0 if well == (arguments.harmed == 0) and not later else FELL_BEHIND


def _took(world: World) -> int:
    return sum(version > OLD for version in world.versions)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        _check(arguments)
        return canary(arguments) if arguments.canary else simulate(arguments)
    except MaskgateError as error:
        print(f"simulate: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _check(arguments: argparse.Namespace) -> None:
    for name, (least, most) in RANGES.items():
        if not least <= (value := getattr(arguments, name)) <= most:
            raise InputError(f"--{name} {value}: not from {least:g} to {most:g}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description="Many virtual doors on one broker.")
    parser.add_argument("--doors", type=int, default=200, metavar="N", help="1 to 9999; default 200")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="1 to 86400 to measure; default 60")
    parser.add_argument("--pause", type=float, default=5.0, metavar="N", help="0.01 to 3600 between changes; default 5")
    parser.add_argument("--broker", metavar="HOST:PORT", help="without TLS; default one of our own")
    parser.add_argument("--ramp", action="store_true", help="then raise the rate until the broker falls behind")
    parser.add_argument("--canary", action="store_true", help="roll a bundle out instead")
    parser.add_argument(
        "--harmed", type=float, default=10.0, metavar="PERCENT", help="0 to 100, the bundle's; default 10"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
