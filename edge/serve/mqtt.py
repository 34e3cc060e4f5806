"""Tells an MQTT broker how the door does, and takes two commands from it; `topics` says what and where."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.bulletin import About, Bulletin, Contest, Override, Request
from edge.errors import SettingsError
from edge.serve.discovery import discovery
from edge.serve.link import Link, Message
from edge.serve.temperature import hottest
from edge.serve.topics import (
    AVAILABILITY,
    COMMAND,
    CONTEST,
    EVENT,
    FAULT,
    OFFLINE,
    ONLINE,
    OVERRIDE,
    PRESS,
    STATE,
    STATS,
    Stats,
    Told,
    topic,
)
from edge.settings import MqttSettings
from edge.values import Signal, State

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

STATS_SECONDS = 60.0
COMMANDS, COMMAND_SECONDS = 3, 10.0
"""So many of one kind in so many seconds at most."""
TELL_SECONDS = 10.0
"""How far lines about refused commands are apart."""
CREDENTIAL = "mqtt-password"
REQUESTS: Mapping[str, Request] = {OVERRIDE: Override(by="MQTT"), CONTEST: Contest(by="MQTT")}

Ask = Callable[[Request], Awaitable[str]]
Say = Callable[[str], None]


def device_name(settings: MqttSettings, host: str | None = None) -> str:
    """The door's name in topics: as set, else the host's."""
    return settings.device or re.sub(r"[^A-Za-z0-9_-]", "-", host or socket.gethostname())[:64] or "door"


def read_password(settings: MqttSettings, environment: Mapping[str, str]) -> str:
    """From systemd's credential, "" for nobody. Raises SettingsError when a user has none."""
    if not settings.user:
        return ""
    try:
        return (Path(environment.get("CREDENTIALS_DIRECTORY", "")) / CREDENTIAL).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            f'mqtt.user is "{settings.user}", but its password cannot be read; '
            f"give it to the service as the credential {CREDENTIAL}"
        ) from error


class Mqtt:
    """A listener to the daemon that tells a broker, for as long as `run` runs; a broker that is away delays nothing.

    ask: hands a request to the daemon; why it was refused, "" when it was done. temperature: degrees Celsius, None when
    unknown. wall_clock: seconds since 1970. stats_seconds: between two of the topic `stats`. say: takes a line for
    people. Made and called in one thread. Raises SettingsError for a host or ca_file that cannot be used.
    """

    def __init__(
        self,
        settings: MqttSettings,
        ask: Ask,
        password: str = "",
        temperature: Callable[[], float | None] = hottest,
        wall_clock: Callable[[], float] = time.time,
        stats_seconds: float = STATS_SECONDS,
        say: Say = lambda text: print(f"maskgate: mqtt: {text}", file=sys.stderr),
    ) -> None:
        self.device = device_name(settings)
        self._stats_seconds = stats_seconds
        self._ask, self._temperature, self._wall_clock, self._say = ask, temperature, wall_clock, say
        self._gate, self._tasks = Gate(say), set[asyncio.Task[None]]()
        self._since, self._changes, self._pace = self._now(), Counter[str](), Pace()
        self._on, self._about = False, None  # type: bool, About | None
        self._before: tuple[tuple[str, str], tuple[str, ...]] | None = None
        self._told: Told | None = None
        will = self._message(AVAILABILITY, OFFLINE)
        self._link = Link(
            settings, password, f"maskgate-{self.device}", will, topic(self.device, f"{COMMAND}/+"),
            self._all, self._command, say,
        )  # fmt: skip

    async def run(self) -> None:
        """Connect and stay so; cancelled, it says that the door is offline."""
        try:
            while True:
                self._link.start()
                await asyncio.sleep(self._stats_seconds)
                for message in self._regular():
                    self._link.keep(message)
        finally:
            await self._link.stop()

    def connected(self, on: bool) -> None:
        self._on = on
        self._link.keep(self._availability())

    def about(self, about: About) -> None:
        before, self._about = self._about, about
        if before is None or _lasting(before) != _lasting(about):
            for message in self._description():
                self._link.keep(message)

    def bulletin(self, bulletin: Bulletin) -> None:
        self._pace.add(bulletin)
        signals = tuple(signal for signal in bulletin.signals if signal != Signal.HEARTBEAT)
        before, self._before = self._before, (bulletin.kind, signals)
        if self._before == before:
            return
        self._told = Told(self._now(), bulletin.number, bulletin.state, bulletin.reason, signals)
        self._link.keep(self._message(STATE, self._told))
        self._link.add(self._message(EVENT, self._told, retain=False))
        if before is None or bulletin.kind != before[0]:
            self._changes[bulletin.state] += 1
            if bulletin.state == State.FAULT:
                self._link.add(self._message(FAULT, self._told))

    def _all(self) -> Iterator[Message]:
        """What a broker may have forgotten, and what may have changed while it was away."""
        yield self._availability()
        if self._told:
            yield self._message(STATE, self._told)
        yield from self._description()

    def _regular(self) -> Iterator[Message]:
        """What is told every `stats_seconds`, so that who hears nothing knows that something is wrong."""
        if self._told:
            yield self._message(STATE, self._told)
        if self._about:
            yield self._message(STATS, self._stats(self._about))

    def _description(self) -> Iterator[Message]:
        if self._about:
            yield Message(*discovery(self.device, self._about))
            yield self._message(STATS, self._stats(self._about))

    def _availability(self) -> Message:
        return self._message(AVAILABILITY, ONLINE if self._on else OFFLINE)

    def _stats(self, about: About) -> Stats:
        pace, late = self._pace.taken()
        return Stats(self._now(), self._since, dict(self._changes), pace, late, self._temperature(), about)

    def _message(self, what: str, payload: bytes | msgspec.Struct, retain: bool = True) -> Message:
        data = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        return Message(topic(self.device, what), data, retain)

    def _now(self) -> str:
        now = datetime.fromtimestamp(self._wall_clock(), UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _command(self, message: MQTTMessage) -> None:
        """In paho's thread."""
        what = _topic(message).removeprefix(topic(self.device, ""))
        if self._gate.lets(what, bytes(message.payload), message.retain):
            self._link.call(self._begin, what)

    def _begin(self, what: str) -> None:
        task = asyncio.get_running_loop().create_task(self._obey(what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _obey(self, what: str) -> None:
        fault = await self._ask(REQUESTS[what])
        self._say(f"{what}: refused, {fault}" if fault else f"{what}: done")


class Gate:
    """Which commands are let through, and a line about the others from time to time. clock: seconds."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._last = {what: deque[float](maxlen=COMMANDS) for what in REQUESTS}
        self._refused, self._quiet_until = 0, 0.0

    def lets(self, what: str, payload: bytes, retained: bool) -> bool:
        if why := self._fault(what, payload, retained):
            self._refuse(f"{ascii(what)[:80]}: {why}")
        return not why

    def _fault(self, what: str, payload: bytes, retained: bool) -> str:
        if what not in REQUESTS:
            return f"no such command; there are {' and '.join(REQUESTS)}"
        if payload != PRESS:
            return f"the payload is {payload[:20]!a}, {len(payload)} bytes; it must be {PRESS.decode()}"
        if retained:
            return "it is retained; publish it without"
        last, now = self._last[what], self._clock()
        if len(last) == COMMANDS and now - last[0] < COMMAND_SECONDS:
            return f"more than {COMMANDS} in {COMMAND_SECONDS:g} s"
        last.append(now)
        return ""

    def _refuse(self, why: str) -> None:
        self._refused += 1
        if self._clock() >= self._quiet_until:
            self._say(f"{self._refused} command(s) refused; the last, {why}")
            self._refused, self._quiet_until = 0, self._clock() + TELL_SECONDS


class Pace:
    """Frames a second and how late their decisions come, since it was last asked."""

    def __init__(self) -> None:
        self._first: Bulletin | None = None
        self._last: Bulletin | None = None
        self._late: list[float] = [0.0, 0.0]

    def add(self, bulletin: Bulletin) -> None:
        if self._first is None or self._last is None or bulletin.number < self._last.number:  # a new daemon
            self._first = bulletin
        self._last = bulletin
        if bulletin.state != State.FAULT:
            self._late[0] += bulletin.late
            self._late[1] += 1

    def taken(self) -> tuple[float | None, float | None]:
        """Frames a second and mean seconds from a frame to its decision; None for what nobody heard of."""
        first, last, (late, count) = self._first, self._last, self._late
        self._first, self._late = last, [0.0, 0.0]
        seconds = last.time - first.time if first and last else 0.0
        frames = last.number - first.number if first and last else 0
        return round(frames / seconds, 2) if seconds > 0 else None, round(late / count, 4) if count else None


def _topic(message: MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:  # no broker should let that pass
        return "?"


def _lasting(about: About) -> tuple[object, ...]:
    """What of it is worth telling at once."""
    return about.bundle, about.version, about.mode, about.override, about.drift.alarm
