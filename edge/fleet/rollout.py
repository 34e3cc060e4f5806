"""Offers a bundle to more and more doors, watches them over MQTT, and stops by itself when they get worse.

    python -m edge.fleet.rollout --index /srv/fleet/index.json --broker broker.example.org:8883 --ca-file ca.pem

The index is the file that `edge.update.poll` tells of; publish the new bundle there with "percent": 0 first. The doors
are watched as they are; then each step raises the percentage and lasts until the bundle is there and was watched for
long enough. As soon as 5 % of the doors that took it got worse, the percentage becomes 0, so that no other door takes
it, and the program says which and why. Exit code 0: all have it; 1: stopped; 2: bad input; 130: Ctrl-C, which leaves
the percentage as it is. Run again, it goes on from there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from edge.disk import replace_file
from edge.errors import InputError, MaskgateError
from edge.fleet.doors import Fleet, Limits
from edge.fleet.ear import Ear, Login, address
from edge.fleet.plan import STEPS, Move, Plan, Rollout
from edge.fleet.reports import Reports
from edge.update.poll import Index, Offer

TICK_SECONDS = 1.0
LONGEST_SECONDS = 31 * 86_400.0
STOPPED = 1
BAD_INPUT = 2
INTERRUPTED = 130


class IndexFile:
    """The fleet's index, of which only the percentage of the models is ever changed.

    version: of the release. percent: of the devices that may take it. Raises InputError when it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offer = self._read()[1]
        if self._offer.percent == 100.0:
            raise InputError(f'{path}: version {self.version} is for all devices already; set its "percent" to 0 first')

    @property
    def version(self) -> int:
        return self._offer.version

    @property
    def percent(self) -> float:
        return self._offer.percent

    def offer(self, percent: float) -> None:
        """Replace the file at one blow. Raises InputError when somebody else changed the release in it meanwhile."""
        whole, offer = self._read()
        if offer != self._offer:
            raise InputError(f"{self._path}: its models were changed meanwhile; nothing was written, start again")
        whole["models"]["percent"] = percent
        fresh = self._path.with_name(f".{self._path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            replace_file(self._path, json.dumps(whole, indent=2).encode() + b"\n", fresh)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be changed ({error.strerror}); see its folder's owner") from error
        self._offer = msgspec.structs.replace(offer, percent=percent)

    def _read(self) -> tuple[dict[str, Any], Offer]:
        """All that it holds, and what is offered of the models."""
        try:
            content = self._path.read_bytes()
            offer, whole = msgspec.json.decode(content, type=Index).models, msgspec.json.decode(content)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read ({error.strerror}); see --index") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self._path}: not an index of releases ({error})") from error
        if offer is None:
            raise InputError(f'{self._path}: offers no models; put the new bundle there with "percent": 0')
        return whole, offer


def roll_out(ear: Ear, index: IndexFile, plan: Plan, limits: Limits, tick: float = TICK_SECONDS) -> bool:
    """Watch, raise, and stop; whether all went well. tick: seconds between two looks. Raises InputError."""
    fleet = Fleet(index.version, limits)
    reports, rollout = Reports(fleet), Rollout(plan, fleet, index.percent)
    print(f"{index.percent:5.1f} %  may take version {index.version} so far; the doors are watched", flush=True)
    since = time.monotonic()
    while not rollout.done:
        for heard in ear.messages(tick):
            reports.hear(heard.topic, heard.payload)
        now = time.monotonic()
        move = rollout.pass_time(now - since, ear.connected)
        since = now
        if move and move.stopped:
            print(f"stopping: {move.stopped}", flush=True)
        if move:
            index.offer(move.percent)
            _tell(fleet, index, move)
        if move and move.stopped:
            return False
    print(f"done: all may take it, and {len(fleet.having())} of {len(fleet.doors)} doors did", flush=True)
    return True


def _tell(fleet: Fleet, index: IndexFile, move: Move) -> None:
    having, worse = fleet.having(), fleet.worse()
    print(
        f"{move.percent:5.1f} %  of {fleet.present} doors may take version {index.version}; {len(having)} did,"
        f" {len(worse)} of them got worse",
        flush=True,
    )
    for name, reason in sorted(worse.items()):
        print(f"         {name}: {reason}", flush=True)
    if move.stopped:
        print(
            "no other door takes it now; where it was taken, `sudo maskgate bundle rollback` goes back:"
            f" {', '.join(sorted(having)) or 'nowhere'}",
            flush=True,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    # SIGINT too: whatever started us in the background may have had it ignored
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        index, plan = IndexFile(arguments.index), _plan(arguments)
        with Ear(_login(arguments)) as ear:
            return 0 if roll_out(ear, index, plan, Limits()) else STOPPED
    except MaskgateError as error:
        print(f"rollout: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\nrollout: interrupted; the index stays as it is, run it again to go on", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rollout", description="Offer a bundle to more and more doors.")
    parser.add_argument("--index", type=Path, required=True, metavar="FILE", help="the fleet's index")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT", help="the broker that the doors tell")
    parser.add_argument("--user", default="", help="to log in with; the password is read from MASKGATE_MQTT_PASSWORD")
    parser.add_argument("--ca-file", default="", metavar="PEM", help="certificates to trust; default the system's")
    parser.add_argument("--no-tls", action="store_true", help="speak in the clear, as with a broker on this machine")
    parser.add_argument("--steps", default=",".join(f"{step:g}" for step in STEPS), metavar="PERCENTS")
    for name, help_text in (
        ("before", "how long the doors are watched before the first step; default an hour"),
        ("soak", "how long each step lasts at least; default two hours"),
        ("patience", "how long half of the doors may take to get the bundle; default a day"),
    ):
        default = getattr(Plan(), f"{name}_seconds")
        parser.add_argument(f"--{name}-seconds", type=float, default=default, metavar="N", help=help_text)
    return parser


def _plan(arguments: argparse.Namespace) -> Plan:
    for name in ("before", "soak", "patience"):
        if not 0 <= (seconds := getattr(arguments, f"{name}_seconds")) <= LONGEST_SECONDS:
            raise InputError(f"--{name}-seconds {seconds}: not from 0 to {LONGEST_SECONDS:.0f}")
    return Plan(steps_of(arguments.steps), arguments.before_seconds, arguments.soak_seconds, arguments.patience_seconds)


def steps_of(text: str) -> tuple[float, ...]:
    """Percentages with commas between them. Raises InputError."""
    try:
        steps = tuple(float(step) for step in text.split(","))
    except ValueError as error:
        raise InputError(f"--steps {text}: not numbers with commas between; as in 1,10,100") from error
    if not all(low < high for low, high in pairwise((0.0, *steps, math.nextafter(100, 101)))):
        raise InputError(
            f"--steps {text}: each has to be more than the one before, from above 0 to 100; as in 1,10,100"
        )
    return steps


def _login(arguments: argparse.Namespace) -> Login:
    password = os.environ.get("MASKGATE_MQTT_PASSWORD", "")
    host, port = address(arguments.broker)
    return Login(host, port, not arguments.no_tls, arguments.ca_file, arguments.user, password)


if __name__ == "__main__":
    sys.exit(main())
