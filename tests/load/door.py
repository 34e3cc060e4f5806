"""A whole device: the daemon alone, or all on: `maskgate serve`, a broker, and whoever looks at the page."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Self

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.contract import load_bundle
from tests.edge.serve.broker import HOST, Authority, Broker, Pair, free_port
from tests.load.subject import RECORD
from tests.load.usage import family

DEVICE = "door1"
NICER = 15
"""By how much `maskgate serve` comes after the daemon, as in their systemd units."""
START_SECONDS = 60.0
EVERY = {"/view.jpg": 0.2, "/status": 1.0, "/metrics": 15.0}
"""Seconds after which the page asks for a picture and for the state, and Prometheus for metrics."""


class Process:
    """A program whose words go to a file, in its `with` block."""

    def __init__(self, name: str, folder: Path, command: Sequence[str], nicer: int = 0) -> None:
        self.name = name
        self._file = folder / f"{name}.txt"
        with self._file.open("wb") as out:
            self._process = subprocess.Popen(
                ["nice", f"-n{nicer}", sys.executable, "-m", *command], stdout=out, stderr=out
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def words(self) -> str:
        return self._file.read_text()

    @property
    def family(self) -> list[int]:
        return family(self._process.pid)

    def signal(self, number: int) -> None:
        for process in self.family:
            os.kill(process, number)

    def wait(self, ready: Callable[[], object]) -> None:
        end = time.monotonic() + START_SECONDS
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"it does not start; see {self._file}")
            time.sleep(0.05)


class Device:
    """The programs of one device, and what the daemon did with each frame."""

    def __init__(self, diary: Path, programs: Sequence[Process]) -> None:
        self.programs = programs
        self._diary = diary

    @property
    def processes(self) -> list[int]:
        return [process for program in self.programs for process in program.family]

    def halt(self) -> None:
        for program in self.programs:
            program.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        for program in self.programs:
            program.signal(signal.SIGCONT)

    def frames(self, begin: float, end: float) -> np.ndarray[Any, np.dtype[np.void]]:
        """The `RECORD`s of those that were done from one time to another."""
        whole = self._diary.stat().st_size // RECORD.itemsize
        records = np.fromfile(self._diary, RECORD, whole)
        return records[(records["told"] >= begin) & (records["told"] < end)]


@dataclass(frozen=True)
class Site:
    """Where a device with everything on is reached, and by what token. authority: PEM file of whom its hosts trust."""

    socket: str
    port: int
    broker_port: int
    authority: str
    token: str = ""

    def connection(self) -> HTTPSConnection:
        """To the page."""
        return HTTPSConnection(HOST, self.port, timeout=30, context=ssl.create_default_context(cafile=self.authority))


@contextmanager
def alone(folder: Path, clip: Path, rate: float = 0.0) -> Iterator[Device]:
    """The daemon, with lines and an event log, and nothing else."""
    with _daemon(folder, clip, rate, "") as (diary, daemon):
        yield Device(diary, [daemon])


@contextmanager
def with_everything(folder: Path, clip: Path, rate: float = 0.0) -> Iterator[tuple[Device, Site]]:
    """The same with all that can be switched on, over TLS, and a broker."""
    folder.mkdir(parents=True)
    authority = Authority(folder)
    with Broker(folder, pair=authority.pair()) as broker:
        site = Site(str(folder / "door.sock"), free_port(), broker.port, str(authority.file))
        settings = _everything(folder, site, authority.pair(days=31))
        command = "edge", "serve", "--config", str(folder / "door.toml")
        with (
            _daemon(folder, clip, rate, settings) as (diary, daemon),
            Process("serve", folder, command, NICER) as serve,
        ):
            serve.wait(lambda: "is at" in serve.words)
            token = serve.words.partition("only: ")[2].split()[0]
            yield Device(diary, [daemon, serve]), replace(site, token=token)


@contextmanager
def _daemon(folder: Path, clip: Path, rate: float, more: str) -> Iterator[tuple[Path, Process]]:
    folder.mkdir(parents=True, exist_ok=True)
    # a copy, so that whoever works on the models meanwhile does not end the run
    bundle = shutil.copytree(load_bundle().locator_file.parent, folder / "bundle")
    (folder / "door.toml").write_text(
        f'[model]\nbundle = "{bundle}"\n[events]\nfile = "{folder}/events.jsonl"\n'
        f'[output]\nfile = "{folder}/outputs.jsonl"\n{more}'
    )
    diary = folder / "diary"
    command = "tests.load.subject", str(folder / "door.toml"), str(clip), str(rate), str(diary)
    with Process("daemon", folder, command) as daemon:
        daemon.wait(lambda: diary.exists() and diary.stat().st_size)
        yield diary, daemon


def _everything(folder: Path, site: Site, pair: Pair) -> str:
    public = X25519PrivateKey.generate().public_key()
    (folder / "review.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return f"""
[share]
socket = "{site.socket}"
zone_file = "{folder}/zone.json"
override = true
[web]
listen = "{HOST}:{site.port}"
folder = "{folder}/serve"
certificate = "{pair.certificate}"
key = "{pair.key}"
[mqtt]
host = "{HOST}"
port = {site.broker_port}
ca_file = "{site.authority}"
device = "{DEVICE}"
[drift]
file = "{folder}/drift.json"
[review]
enabled = true
folder = "{folder}/review"
key = "{folder}/review.pem"
"""


class Visitor:
    """Looks at the page with the view on, as a browser does, and scrapes the metrics; in its `with` block.

    answers: how many came of each status; 0 stands for a connection that was lost.
    """

    def __init__(self, site: Site) -> None:
        self.answers: Counter[int] = Counter()
        self._connection = site.connection()
        self._headers = {"Content-Type": "application/json"}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(site.token,), name="visitor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._connection.close()

    def _look(self, token: str) -> None:
        cookie = self._ask("POST", "/login", f'{{"token": "{token}"}}')
        self._headers["Cookie"] = cookie.partition(";")[0]
        self._ask("POST", "/ask", '{"type": "view", "on": true}')
        due = dict.fromkeys(EVERY, 0.0)
        while not self._done.wait(0.02):
            for path, seconds in EVERY.items():
                if time.monotonic() >= due[path]:
                    due[path] = time.monotonic() + seconds
                    self._ask("GET", path)

    def _ask(self, method: str, path: str, body: str | None = None) -> str:
        """The cookie that came along with the answer, if any."""
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            self._connection.close()
            self.answers[0] += 1
            return ""
        self.answers[answer.status] += 1
        return answer.getheader("Set-Cookie", "")
