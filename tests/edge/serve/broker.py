"""A real mosquitto for tests, on a free port and in a temporary folder; certificates for it; a client that listens.

with Broker(tmp_path) as broker:
    with Subscriber(broker.port) as heard:
        heard.wait(lambda: "on" in heard.at("maskgate/door1/state"))
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds that a busy machine may take for anything."""


class Broker:
    """A mosquitto that starts and stops as told, always on the same port.

    users: names and their passwords; without any, everybody may in. pair: its certificate; it then speaks TLS only.
    keep: whether it remembers retained messages over a restart. extra: more lines of mosquitto.conf.
    """

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str] | None = None,
        pair: Pair | None = None,
        keep: bool = True,
        extra: str = "",
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self._users, self._pair, self._keep, self._extra = users or {}, pair, keep, extra
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker does not run"
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has said so far."""
        return self._file("log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Returns once it takes connections."""
        with self._file("log").open("ab") as log:
            command = ["mosquitto", "-c", str(self._configured())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._listens, "mosquitto takes connections")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: by SIGTERM as a person does, or by SIGKILL as a power cut does. Nothing when it has ended."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.stop(how)
        self.start()

    def freeze(self) -> None:
        """As a cable that is pulled: its connections stand, and nothing comes of them. `thaw` ends that."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def present(self, pair: Pair) -> None:
        """From the next start on, show another certificate."""
        self._pair = pair

    def _file(self, name: str) -> Path:
        return self.folder / f"mosquitto.{name}"

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended: {self.log}"
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def _configured(self) -> Path:
        lines = [f"listener {self.port} {HOST}", "user root", "set_tcp_nodelay true"]
        lines += [f"allow_anonymous {str(not self._users).lower()}"]
        if self._users:
            lines += [f"password_file {self._passwords()}"]
        if self._pair:
            lines += [f"certfile {self._pair.certificate}", f"keyfile {self._pair.key}"]
        if self._keep:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
        self._file("conf").write_text("\n".join([*lines, self._extra, ""]))
        return self._file("conf")

    def _passwords(self) -> Path:
        file = self._file("passwords")
        file.write_text("".join(f"{name}:{password}\n" for name, password in self._users.items()))
        file.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True)
        return file


class Subscriber:
    """A client that keeps what it is told: `heard` holds every message, topic and payload, in their order.

    While it is away, a broker that was ended in good order keeps what it misses.
    """

    def __init__(self, port: int, topics: str = "#", **login: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.retained: list[str] = []
        self._topics, self._ready = topics, threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, f"subscriber-{id(self)}", clean_session=False)
        if login:
            self._client.username_pw_set(**login)
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(0.05, 0.1)
        self._client.connect(HOST, port)

    def __enter__(self) -> Subscriber:
        self._client.loop_start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def at(self, topic: str) -> list[str]:
        """The payloads heard at one topic."""
        return [payload.decode() for at, payload in list(self.heard) if at == topic]

    def last(self, topic: str) -> str:
        """The last payload heard at one topic, "" before any."""
        return (self.at(topic) or [""])[-1]

    def say(self, topic: str, payload: bytes | str = b"", retain: bool = False) -> None:
        """Returns once the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE)

    def wait(self, condition: Callable[[], bool]) -> None:
        until(condition, f"heard: {self.heard[-10:]}")

    def _hear(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload))
        if message.retain:
            self.retained.append(message.topic)


class Pair(NamedTuple):
    """PEM files of a certificate and its private key."""

    certificate: Path
    key: Path


class Authority:
    """One that vouches for servers. file: its own certificate, PEM, for those who trust it."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, _named(name)
        self._key = generate_private_key(SECP256R1())
        self.file = folder / f"{name}.pem"
        made = _certificate(self._name, self._name, self._key, days=3650)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def pair(self, host: str = HOST, days: float = 30) -> Pair:
        """A server's certificate that holds for an IP address or a host name; expired when days is negative."""
        key = generate_private_key(SECP256R1())
        made = _certificate(_named(host), self._name, key, days).add_extension(_alternative(host), False)
        pair = Pair(self._folder / f"{host}{days}.pem", self._folder / f"{host}{days}.key")
        pair.certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair


def until(condition: Callable[[], bool], what: str = "it happens", seconds: float = PATIENCE) -> None:
    """Wait for a condition; AssertionError when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s: {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.SubjectAlternativeName:
    is_address = host.replace(".", "").isdigit()
    return x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address(host)) if is_address else x509.DNSName(host)]
    )


def _certificate(subject: x509.Name, issuer: x509.Name, key: Any, days: float) -> x509.CertificateBuilder:
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    begin = min(end, datetime.datetime.now(datetime.UTC)) - datetime.timedelta(days=1)
    serial = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key.public_key(), serial, begin, end)
