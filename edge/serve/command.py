"""`maskgate serve`: the status page, /metrics and MQTT, from what the daemon tells at its socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from edge.errors import InputError
from edge.serve.follow import Follower, Listener
from edge.settings import Settings

STOP_SIGNALS = signal.SIGTERM, signal.SIGINT
WAITING = 64
"""Connections that may wait to be taken up."""

Task = Callable[[], Coroutine[Any, Any, object]]


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; at once nothing, where the settings ask for nothing. Raises MaskgateError."""
    if not (settings.web.listen or settings.mqtt.host):
        print("maskgate: web.listen and mqtt.host are empty; there is nothing to serve")
        return
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    """Until one of the tasks ends, which is the one that waits for a signal, or one that fails."""
    stopped = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    listeners: list[Listener] = []
    follower = Follower(Path(settings.share.socket), listeners)
    tasks: list[Task] = [stopped.wait, follower.run]
    if settings.web.listen:
        tasks += _web(settings, follower, listeners)
    if settings.mqtt.host:
        tasks += _mqtt(settings, follower, listeners)
    running = [asyncio.ensure_future(task()) for task in tasks]
    done, rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for each in rest:
        each.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for each in done:
        each.result()


def _web(settings: Settings, follower: Follower, listeners: list[Listener]) -> list[Task]:
    try:
        from edge.serve.metrics import Metrics
        from edge.serve.today import Today
        from edge.serve.web.access import METRICS_FILE, new_token
        from edge.serve.web.app import make_app
        from edge.serve.web.server import address, server
    except ModuleNotFoundError as error:
        raise _missing("web.listen", error, "web") from error
    folder = Path(settings.web.folder)
    if token := new_token(folder):
        print(f"maskgate: the token of the status page, told this once only: {token}", flush=True)
    if token := new_token(folder, METRICS_FILE):
        print(f"maskgate: the token for /metrics alone, told this once only: {token}", flush=True)
    metrics, today = Metrics(), Today(folder / "today.json")
    listeners += [metrics, today]
    page = server(make_app(settings, follower, today, metrics), settings.web)
    channel = _listen(*address(settings.web.listen))
    return [lambda: page.serve([channel]), today.run]


def _mqtt(settings: Settings, follower: Follower, listeners: list[Listener]) -> list[Task]:
    try:
        from edge.serve.mqtt import Mqtt, read_password
    except ModuleNotFoundError as error:
        raise _missing("mqtt.host", error, "fleet") from error
    mqtt = Mqtt(settings.mqtt, follower.ask, read_password(settings.mqtt, os.environ))
    listeners.append(mqtt)
    return [mqtt.run]


def _listen(host: str, port: int) -> socket.socket:
    """Bound by ourselves, since uvicorn would only log what is wrong, and exit."""
    channel = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        channel.bind((host, port))
        channel.listen(WAITING)
    except OSError as error:
        channel.close()
        raise InputError(
            f"web.listen {host}, port {port}: cannot be had ({error.strerror}); name another port"
        ) from error
    print(f"maskgate: the status page is at {host}, port {port}", file=sys.stderr)
    return channel


def _missing(key: str, error: ModuleNotFoundError, extra: str) -> InputError:
    return InputError(f"{key} is set, but {error.name} is not installed; pip install 'maskgate[{extra}]'")
