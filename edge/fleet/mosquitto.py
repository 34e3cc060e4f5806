"""A mosquitto of our own, for trials: on this machine alone, and nothing of it stays."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import InputError

HOST = "127.0.0.1"
START_SECONDS = 10.0
PLACES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"


@contextmanager
def mosquitto() -> Iterator[tuple[int, int]]:
    """Its port and its process id. Raises InputError when it does not start."""
    program = shutil.which("mosquitto", path=PLACES)
    if program is None:
        raise InputError("mosquitto: not found; `sudo apt install mosquitto`, or name another broker with --broker")
    with tempfile.TemporaryDirectory(prefix="maskgate-") as folder:
        port = _free_port()
        config = Path(folder) / "mosquitto.conf"
        config.write_text(f"listener {port} {HOST}\nallow_anonymous true\nset_tcp_nodelay true\n")
        with subprocess.Popen(
            [program, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                _wait(process, port)
                yield port, process.pid
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    raise InputError(f"mosquitto: does not listen at {HOST}:{port}; try `mosquitto -v -p {port}`")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
