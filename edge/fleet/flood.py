"""Messages by the thousand, told and heard by mosquitto's own clients: they cost less than the broker that is tried."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Self

from edge.errors import InputError

TOPIC = "maskgate/flood/state/told"
"""Deeper than the doors' own topics, so that nobody else hears it."""
TALKERS = 12
PULSE_SECONDS = 0.02
CHUNK = 1 << 16


class Flood:
    """Tells a broker `rate` messages a second, 0 at first, and hears them; a context manager.

    payload: of each message, one line. heard: how many came back so far. Raises InputError without mosquitto's clients.
    """

    def __init__(self, host: str, port: int, payload: bytes) -> None:
        self.rate = 0.0
        self.heard = 0
        self._line, self._over = payload + b"\n", threading.Event()
        self._at = ["-h", host, "-p", str(port), "-t", TOPIC, "-q", "1"]
        self._threads: list[threading.Thread] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for program in ("mosquitto_pub", "mosquitto_sub"):
            if not shutil.which(program):
                raise InputError(f"{program}: not found; `sudo apt install mosquitto-clients`")
        listener = self._start(["mosquitto_sub", *self._at], stdout=subprocess.PIPE)
        assert listener.stdout is not None
        self._work(self._listen, listener.stdout)
        for _ in range(TALKERS):
            talker = self._start(["mosquitto_pub", *self._at, "-l"], stdin=subprocess.PIPE)
            assert talker.stdin is not None
            self._work(self._talk, talker.stdin)
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.wait()

    def _start(
        self, command: list[str], stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, bufsize=0, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    def _work(self, work: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> None:
        self._threads.append(threading.Thread(target=work, args=(pipe,)))
        self._threads[-1].start()

    def _talk(self, pipe: IO[bytes]) -> None:
        """A talker that does not keep up blocks us here."""
        owed, before = 0.0, time.monotonic()
        with pipe, suppress(BrokenPipeError):
            while not self._over.wait(PULSE_SECONDS):
                now = time.monotonic()
                owed, before = owed + self.rate / TALKERS * (now - before), now
                pipe.write(self._line * int(owed))
                owed %= 1

    def _listen(self, pipe: IO[bytes]) -> None:
        with pipe:
            while data := pipe.read(CHUNK):
                self.heard += data.count(b"\n")
