"""Virtual doors: light processes that tell a broker what real ones would, by the same `edge.serve.mqtt`.

They are forked, so that they share their program's memory, and hold what they tell the starter in shared memory too.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray, RawValue
from pathlib import Path
from typing import Any

import msgspec

from edge.bulletin import About, Bulletin, Request
from edge.serve import mqtt
from edge.settings import MqttSettings
from edge.update.poll import Index, offers
from edge.update.store import Shelf, State, packaged, version_of

PREFIX = "virtual"
OLD = version_of(packaged())
"""The version that all doors begin with."""
LOOK_SECONDS = 1.0
END_SECONDS = 10.0
ABOUT = About(f"maskgate-{OLD}", "2026-01-01T00:00:00Z", "0.1.0", "CPU", 0.0, "must_wear", brightness=0.5)
REASONS = {
    "IDLE": "nobody is in the zone",
    "CHECKING": "a face is being judged",
    "ALLOW": "everybody wears a mask",
    "DENY": "somebody wears no mask",
    "UNKNOWN": "a face cannot be judged",
    "FAULT": "camera: no frame for 1.2 s",
}
USUAL = {"ALLOW": 85, "DENY": 10, "UNKNOWN": 5}
"""Verdicts and how often they come, in percent."""
HARMS: tuple[dict[str, int], ...] = ({"ALLOW": 25, "DENY": 10, "UNKNOWN": 65}, {"FAULT": 100}, {})
"""What a bundle does to a door that it makes worse: one of these instead, or (the last) no sign of life any more."""


@dataclass(frozen=True)
class World:
    """What all doors share.

    doors: how many. host, port: of the broker. index: of the fleet, which they follow, or None.
    harmed: percent of the doors that a new bundle makes worse. stats_seconds: between two reports.
    pause: mean seconds between two changes of a door's state. changes, versions: of each door, by its number.
    """

    doors: int
    host: str
    port: int
    pause: Any
    changes: Any
    versions: Any
    index: Path | None = None
    harmed: float = 0.0
    stats_seconds: float = mqtt.STATS_SECONDS


def make_world(doors: int, host: str, port: int, pause: float, **more: Any) -> World:
    """A world whose shared memory lies ready."""
    versions = RawArray("i", [OLD] * doors)
    return World(doors, host, port, RawValue("d", pause), RawArray("L", doors), versions, **more)


def name_of(number: int) -> str:
    """Of a door, in topics."""
    return f"{PREFIX}-{number:04}"


@contextmanager
def crowd(world: World) -> Iterator[Sequence[int]]:
    """The doors' process ids, while they run. They end with us, however we end. No thread may run yet."""
    reader, writer = os.pipe()
    context = get_context("fork")
    gc.collect()
    gc.freeze()  # what is never looked at again stays shared
    processes = [context.Process(target=_live, args=(world, number, reader, writer)) for number in range(world.doors)]
    try:
        for process in processes:
            process.start()
        yield [process.pid or 0 for process in processes]
    finally:
        gc.unfreeze()
        os.close(writer)
        os.close(reader)
        _end(processes)


def _end(processes: Sequence[BaseProcess]) -> None:
    end = time.monotonic() + END_SECONDS
    for process in processes:
        if process.pid is not None:
            process.join(max(0.0, end - time.monotonic()))
            process.kill()
            process.join()
            process.close()


def _live(world: World, number: int, reader: int, writer: int) -> None:
    os.close(writer)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the starter tells us
    logging.disable()  # two hundred clients say little that is new
    with suppress(asyncio.CancelledError):
        asyncio.run(Door(world, number).live(reader))


async def _refuse(request: Request) -> str:
    return "this door is a virtual one"


class Door:
    """One virtual door."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self._number = world, number
        self._chance = random.Random(number)
        self._store, self._verdicts, self._told = State(models=Shelf(highest=OLD)), USUAL, 0
        settings = MqttSettings(host=world.host, port=world.port, tls=False, device=name_of(number))
        self._mqtt = mqtt.Mqtt(
            settings,
            _refuse,
            temperature=lambda: 50.0,
            stats_seconds=world.stats_seconds,
            say=lambda text: None,
        )

    async def live(self, reader: int) -> None:
        """Until the other end of the pipe `reader` is closed."""
        self._end_with(reader)
        self._mqtt.connected(True)
        self._mqtt.about(ABOUT)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._mqtt.run())
            group.create_task(self._people())
            if self._world.index:
                group.create_task(self._follow(self._world.index))

    async def _people(self) -> None:
        """People come and go."""
        while True:
            await self._wait()
            self._show(self._verdict())
            await self._wait()
            self._show("IDLE")

    async def _wait(self) -> None:
        # waiting is without memory, so that a new pause holds at once
        while (seconds := self._chance.expovariate(1 / self._world.pause.value)) > LOOK_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(seconds)

    def _show(self, state: str) -> None:
        self._told += 1
        self._mqtt.bulletin(Bulletin(self._told, time.monotonic(), 0.08, state, REASONS[state]))
        self._world.changes[self._number] = self._told

    def _verdict(self) -> str:
        return str(self._chance.choices(list(self._verdicts), list(self._verdicts.values()))[0])

    async def _follow(self, index: Path) -> None:
        """Look at the index again and again, as `maskgate bundle poll` does, and take what it offers this door."""
        while True:
            await asyncio.sleep(self._chance.uniform(0, 2 * LOOK_SECONDS))
            found = msgspec.json.decode(index.read_bytes(), type=Index)
            for kind, offer in offers(found, self._store, name_of(self._number)):
                if kind == "models":
                    self._take(offer.version)

    def _take(self, version: int) -> None:
        self._store = State(models=Shelf(highest=version))
        self._world.versions[self._number] = version
        self._mqtt.about(msgspec.structs.replace(ABOUT, bundle=f"maskgate-{version}"))
        if self._number * self._world.harmed % 100 >= 100 - self._world.harmed:
            self._verdicts = self._chance.choice(HARMS)
            if not self._verdicts:
                os.kill(os.getpid(), signal.SIGKILL)

    def _end_with(self, reader: int) -> None:
        """Once the pipe's other end is closed, all that this task does is cancelled."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end() -> None:
            loop.remove_reader(reader)
            if task:
                task.cancel()

        loop.add_reader(reader, end)
