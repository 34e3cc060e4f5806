"""Everything at once that somebody in the network, or on the device, can do to `maskgate serve` and to the socket.

10,000 requests without a token, with wrong ones, of every wrong kind, in part over connections of their own; bombs and
other bad pictures from somebody who has the token; connections that never say what they want; malformed and flooding
MQTT commands; at the daemon's socket, a follower that never reads, and one that only talks.

    python -m tests.load.attack SITE REQUESTS

SITE: `door.Site` as JSON. Prints how many answers came of each status, to the requests and to the pictures.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException, HTTPSConnection
from itertools import cycle
from threading import Event

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.edge.serve.broker import HOST
from tests.load.door import DEVICE, Site

CONNECTIONS, SILENT = 8, 40
"""That ask, and that only hold the line."""
FRESH = 20
"""Each so many requests come over a new connection."""
JSON = {"Content-Type": "application/json"}
REQUESTS: tuple[tuple[str, str, bytes | None, dict[str, str]], ...] = (
    ("GET", "/status", None, {}),
    ("GET", "/metrics", None, {"Authorization": "Bearer " + 43 * "A"}),
    ("POST", "/login", b'{"token": "' + 43 * b"A" + b'"}', JSON),
    ("POST", "/login", b"{" * 100_000, JSON),
    ("GET", "/../../../etc/passwd", None, {}),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, {}),
    ("POST", "/ask", b'{"type": "override", "by": "me"}', JSON),
    ("POST", "/try", b"\xff\xd8\xff" + bytes(10_000), {"Content-Type": "image/jpeg"}),
    ("GET", "/", None, {}),
    ("BREW", "/status", None, {}),
    ("GET", "/view.jpg", None, {"Cookie": "maskgate=" + 8000 * "A"}),
    ("GET", "/metrics", None, {"Authorization": "Bearer " + 30_000 * "A"}),
)
COMMANDS = (
    ("override", b"PRESS"), ("contest", b"PRESS"), ("override", b""), ("override", b"press"), ("contest", bytes(1000)),
    ("contest", bytes(300_000)), ("open", b"PRESS"), ("\u20ac" * 200, b"{}"), ("override", b'{"type": "override"}'),
)  # fmt: skip
Answers = Counter[int]
"""How many answers came of each status; 0 stands for a connection that was closed."""


def attack(site: Site, requests: int) -> tuple[Answers, Answers]:
    """Until all of the requests are answered: the answers to them, and those to the pictures."""
    done, pictures = Event(), Counter[int]()
    insider = signed_in(site)
    works = [
        lambda: hold_the_line(site, done),
        lambda: command(site, done),
        lambda: say_nothing(site, done),
        lambda: talk(site, done),
        lambda: upload(insider, pictures, done),
    ]
    with ThreadPoolExecutor(len(works) + CONNECTIONS) as pool:
        rest = [pool.submit(work) for work in works]
        parts = list(pool.map(lambda number: ask(site, requests // CONNECTIONS), range(CONNECTIONS)))
        done.set()
    for each in rest:
        each.result()
    return sum(parts, Counter()), pictures


def ask(site: Site, requests: int) -> Answers:
    answers, connection = Counter[int](), site.connection()
    for number, (method, path, body, headers) in zip(range(requests), cycle(REQUESTS), strict=False):
        if number % FRESH == 0:
            connection.close()
        answers[status(connection, method, path, body, headers)] += 1
    connection.close()
    return answers


def status(connection: HTTPSConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, HTTPException):
        connection.close()
        return 0


def signed_in(site: Site) -> tuple[HTTPSConnection, dict[str, str]]:
    """A connection, and the headers of somebody who has the token."""
    connection = site.connection()
    connection.request("POST", "/login", f'{{"token": "{site.token}"}}', JSON)
    answer = connection.getresponse()
    answer.read()
    return connection, {"Cookie": answer.headers["Set-Cookie"].partition(";")[0], "Content-Type": "image/png"}


def upload(insider: tuple[HTTPSConnection, dict[str, str]], answers: Answers, done: Event) -> None:
    connection, headers = insider
    for picture in cycle(
        (png(60_000, 60_000), png(5000, 5000), b"GIF89a", png(20_000, 20_000), png(5001, 5000)[:-999])
    ):
        if done.is_set():
            return
        answers[status(connection, "POST", "/try", picture, headers)] += 1


def png(width: int, height: int) -> bytes:
    """A black picture of few bytes, of one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def hold_the_line(site: Site, done: Event) -> None:
    """Connections that say nothing, begun anew as they are closed."""
    held: list[socket.socket] = []
    while not done.wait(0.1):
        with suppress(OSError):
            held.append(socket.create_connection((HOST, site.port), 1))
        while len(held) > SILENT:
            held.pop(0).close()
    for each in held:
        each.close()


def command(site: Site, done: Event) -> None:
    """As fast as the broker takes them."""
    client = Client(CallbackAPIVersion.VERSION2, "flood")
    client.tls_set(str(site.authority))
    client.connect(HOST, site.broker_port)
    client.loop_start()
    for what, payload in cycle(COMMANDS):
        if done.is_set():
            break
        client.publish(f"maskgate/{DEVICE}/command/{what}", payload, qos=1, retain=False).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


def say_nothing(site: Site, done: Event) -> None:
    """A follower that never reads."""
    with follower(site):
        done.wait()


def talk(site: Site, done: Event) -> None:
    """A follower that only talks, and comes again when it is thrown out."""
    while not done.is_set():
        with suppress(OSError), follower(site) as channel:
            for words in cycle((b'{"type": "view", "on": true}', b"{", b"\xff" * 9000, b'{"type": "zone"}')):
                channel.send(words)
                if done.is_set():
                    return
        time.sleep(0.05)


def follower(site: Site) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel.settimeout(0.5)
    channel.connect(str(site.socket))
    return channel


if __name__ == "__main__":
    print(json.dumps(attack(Site(**json.loads(sys.argv[1])), int(sys.argv[2]))))
