"""Hears what the doors tell their broker."""

from __future__ import annotations

import queue
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Any, NamedTuple, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import InputError, in_one_line

TOPICS = "maskgate/+/+"
CONNECT_SECONDS = 30.0
LONGEST_QUEUE = 100_000
"""Messages that may wait; further ones are lost."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to reach a broker. ca_file: certificates to trust, PEM; "" for the system's. user: "" for nobody."""

    host: str
    port: int
    tls: bool = True
    ca_file: str = ""
    user: str = ""
    password: str = ""


class Heard(NamedTuple):
    """A message. time: when it came, of the monotonic clock, seconds."""

    topic: str
    payload: bytes
    time: float


class Ear:
    """A subscriber that comes back by itself whenever the broker was away; a context manager.

    connected: whether it hears at present. Entering raises InputError when the broker is away or refuses.
    """

    def __init__(self, login: Login, topics: str = TOPICS) -> None:
        self._login, self._topics = login, topics
        self._heard: queue.Queue[Heard] = queue.Queue(LONGEST_QUEUE)
        self._answered, self._refused = Event(), ""
        self.connected = False

    def __enter__(self) -> Self:
        where = f"{self._login.host}:{self._login.port}"
        self._client = self._made()
        try:
            self._client.connect(self._login.host, self._login.port)
        except (OSError, ValueError) as error:
            self.__exit__()
            raise InputError(f"{where}: no broker there ({in_one_line(error)}); see --broker") from error
        self._client.loop_start()
        self._answered.wait(CONNECT_SECONDS)
        if not self.connected:
            self.__exit__()
            raise InputError(f"{where}: the broker does not let us in ({self._refused or 'no answer'}); see --user")
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        del self._client  # only then it closes its sockets

    def messages(self, seconds: float) -> Iterator[Heard]:
        """What was heard and is heard in the next seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with suppress(queue.Empty):
                yield self._heard.get(timeout=left)

    def _made(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2)
        client.reconnect_delay_set(min_delay=1, max_delay=10)
        if self._login.tls:
            client.tls_set_context(_trusted(self._login.ca_file))
        if self._login.user:
            client.username_pw_set(self._login.user, self._login.password)
        client.on_connect, client.on_subscribe = self._in, self._listens
        client.on_disconnect, client.on_message = self._gone, self._hear
        return client

    def _in(self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, more: Properties | None) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            self._answered.set()
        else:
            client.subscribe(self._topics)

    def _listens(self, *_: object) -> None:
        self.connected = True
        self._answered.set()

    def _gone(self, *_: object) -> None:
        self.connected = False

    def _hear(self, client: Client, data: Any, message: MQTTMessage) -> None:
        with suppress(queue.Full):
            self._heard.put_nowait(Heard(message.topic, bytes(message.payload), time.monotonic()))


def _trusted(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise InputError(f"--ca-file {ca_file}: not certificates in PEM ({error.strerror or error})") from error


def address(text: str) -> tuple[str, int]:
    """HOST:PORT as a host and a port. Raises InputError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise InputError(f"--broker {text}: not HOST:PORT, with a port from 1 to 65535")
    return host.strip("[]"), int(port)
