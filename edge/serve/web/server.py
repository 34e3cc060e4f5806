"""The web server: who may connect, and for how long nothing may come of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.errors import SettingsError
from edge.serve.web.protect import Refusals
from edge.settings import WebSettings

CONNECTIONS = 32
"""At once; more are closed at the door."""
HEAD_SECONDS = 10.0
"""From a request's first byte to the end of its head."""
LONGEST_HEAD = 16_384


def server(app: ASGIApp, settings: WebSettings) -> uvicorn.Server:
    """A server that `await server.serve()` starts. Raises SettingsError."""
    host, port = address(settings.listen)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Patient,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        ssl_certfile=settings.certificate or None,
        ssl_keyfile=settings.key or None,
    )
    logging.getLogger("uvicorn.error").addFilter(Grumbles())
    try:
        config.load()
    except OSError as error:
        raise SettingsError(
            f"web.certificate {settings.certificate}, web.key {settings.key}: cannot be used ({error.strerror}); "
            "give PEM files that this user may read and that belong together"
        ) from error
    return uvicorn.Server(config)


def address(listen: str) -> tuple[str, int]:
    """Host and port of `web.listen`, which the settings have checked."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


class Grumbles(logging.Filter):
    """uvicorn's complaints of what is no HTTP go where refusals go: a flood of them must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._refusals = Refusals()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        self._refusals.add(record.getMessage())
        return False


class Patient(H11Protocol):
    """uvicorn's, but who connects and then is slow to ask cannot keep others out."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
