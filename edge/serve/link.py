"""The connection to an MQTT broker: what waits for it, and a link that comes back whenever it is lost.

One message is on its way at a time and the next goes when the broker has it: so what a broker that is slow, frozen or
away leaves waiting lies in the `Outbox`, which is bounded, and nothing overtakes.
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import sys
import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.errors import SettingsError, in_one_line
from edge.settings import MqttSettings

EVENTS = 200
"""How many events wait for the broker at most; then the oldest is lost."""
KEEPALIVE = 20
"""Seconds of silence after which either side asks whether the other is there; after half as many more it is not."""
QUICKEST, SLOWEST = 1, (30, 60)
"""Seconds between tries, at first and in a long outage; that is drawn by lot, so that many doors come back in turn."""
STEADY_SECONDS = 10.0
"""A connection that is lost sooner is something wrong, and the next try comes later each time."""
LARGEST = 1024
"""Bytes of a message from the broker at most; it keeps larger ones for itself."""
GOODBYE_SECONDS = 2.0


class Message(NamedTuple):
    topic: str
    payload: bytes
    retain: bool = True


class Outbox:
    """What waits: the newest message of each retained topic, and the newest events, in the order of their coming."""

    def __init__(self, events: int = EVENTS) -> None:
        self.lost = 0
        self._events = events
        self._waiting: dict[Hashable, Message] = {}
        self._number = 0

    def keep(self, message: Message) -> None:
        """An older one of this topic is not worth sending any more."""
        self._waiting[message.topic] = message

    def add(self, message: Message) -> None:
        """Each of these counts, until there are too many."""
        self._waiting[self._number] = message
        self._number += 1
        queued = [key for key in self._waiting if isinstance(key, int)]
        if len(queued) > self._events:
            del self._waiting[queued[0]]
            self.lost += 1

    def first(self, messages: Iterable[Message]) -> None:
        """Send these, each of its own topic, before all others."""
        urgent: dict[Hashable, Message] = {message.topic: message for message in messages}
        self._waiting = urgent | {key: message for key, message in self._waiting.items() if key not in urgent}

    def next(self) -> Message | None:
        """Take out what is to be sent now; None when nothing waits."""
        return self._waiting.pop(next(iter(self._waiting)), None) if self._waiting else None


class Link:
    """Made, used and called back in the thread of one event loop; paho's own thread does the rest.

    name: of this client; another client of the same name takes its place. will: what the broker says, retained, once
    this side falls silent or ends. listen: a pattern of topics.
    on_up: what to say first on each new connection. on_message: in paho's thread, so that a flood is stopped there.
    say: takes a line for people. Raises SettingsError when there can be no connection.
    """

    def __init__(
        self,
        settings: MqttSettings,
        password: str,
        name: str,
        will: Message,
        listen: str,
        on_up: Callable[[], Iterable[Message]],
        on_message: Callable[[MQTTMessage], None],
        say: Callable[[str], None],
    ) -> None:
        self.outbox = Outbox()
        self._broker = f"the broker {settings.host}:{settings.port}"
        self._listen, self._on_up, self._say = listen, on_up, say
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up, self._on_its_way, self._why_down = False, False, ""
        self._down = asyncio.Event()
        self._down.set()
        self._name = name
        self._client = _client(settings, password, name)
        self._patience = Patience(self._client)
        self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = lambda *_: self.call(self._sent)
        self._client.on_message = lambda client, data, message: on_message(message)

    def start(self) -> None:
        """Connect, now and ever again. In the event loop; harmless when it was started before."""
        self._loop = asyncio.get_running_loop()
        self._client.loop_start()

    async def stop(self) -> None:
        """Let the broker say the will. Its thread ends by itself when the broker is away."""
        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._down.wait(), GOODBYE_SECONDS)

    def keep(self, message: Message) -> None:
        """Say this as soon as the broker is there, unless something newer replaces it."""
        self.outbox.keep(message)
        self._send()

    def add(self, message: Message) -> None:
        """Say this as soon as the broker is there."""
        lost = self.outbox.lost
        self.outbox.add(message)
        if self.outbox.lost > lost == 0:
            self._say(f"{self._broker} takes too little; more than {EVENTS} events wait, the oldest are lost")
        self._send()

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """From paho's thread into the event loop's."""
        with suppress(RuntimeError):  # the loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *arguments)

    def _send(self) -> None:
        if not self._up or self._on_its_way:
            return
        if message := self.outbox.next():
            self._on_its_way = True
            # paho keeps it until the broker has it, over a lost connection too
            self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        elif self.outbox.lost:
            self._say(f"{self.outbox.lost} event(s) were lost before {self._broker} took the others")
            self.outbox.lost = 0

    def _sent(self) -> None:
        self._on_its_way = False
        self._send()

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            return self.call(self._note_down, str(reason))
        self._patience.begin()
        # what was retained or waits is no command of now
        client.subscribe(self._listen, options=SubscribeOptions(qos=0, retainAsPublished=True, retainHandling=2))
        self.call(self._note_up)

    def _on_connect_fail(self, client: Client, data: Any) -> None:
        error = sys.exc_info()[1]  # paho calls from where it caught it
        self.call(self._note_down, in_one_line(error) if isinstance(error, Exception) else "no answer")

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        doubt = "" if self._patience.ends_well() else f"; or does another client call itself {self._name}?"
        self.call(self._note_lost, f"{reason}{doubt}")

    def _note_up(self) -> None:
        self._up, self._why_down = True, ""
        self._down.clear()
        self._say(f"{self._broker} is there")
        self.outbox.first(self._on_up())
        self._send()

    def _note_lost(self, why: str) -> None:
        if self._up:
            self._note_down(why)
        self._up = False
        self._down.set()

    def _note_down(self, why: str) -> None:
        """Told once for as long as the reason stays the same."""
        if why != self._why_down:
            self._say(f"{self._broker} is not there ({why}); trying again, the door goes on without it")
        self._why_down = why


class Patience:
    """How long paho waits between its tries, for paho's thread."""

    def __init__(self, client: Client) -> None:
        self._client, self._begun, self._longest = client, math.inf, random.randint(*SLOWEST)
        self._pause = 0
        self._wait(QUICKEST)

    def begin(self) -> None:
        """The broker has let us in."""
        self._begun = time.monotonic()

    def ends_well(self) -> bool:
        """The connection is lost; whether it had stood for a while. One that was refused had not."""
        steady = time.monotonic() - self._begun > STEADY_SECONDS
        self._begun = math.inf
        self._wait(QUICKEST if steady else min(2 * self._pause, self._longest))
        return steady

    def _wait(self, seconds: int) -> None:
        self._pause = seconds
        self._client.reconnect_delay_set(seconds, self._longest)


def _client(settings: MqttSettings, password: str, name: str) -> Client:
    """A client that has not begun to connect. Raises SettingsError."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    if settings.user:
        client.username_pw_set(settings.user, password)
    if settings.tls:
        client.tls_set_context(_tls(settings.ca_file))
    limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    limits.MaximumPacketSize = LARGEST
    client.connect_async(_host(settings.host), settings.port, KEEPALIVE, clean_start=True, properties=limits)
    return client


def _host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise SettingsError(f'mqtt.host is "{host}"; it must be a host name or an IP address') from error
    return host


def _tls(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise SettingsError(
            f'mqtt.ca_file is "{ca_file}"; cannot read certificates from it ({error.strerror}), name a PEM file of them'
        ) from error
