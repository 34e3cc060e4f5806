"""A status page for tests: the real application and server, before a daemon that is only played."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edge.bulletin import About, Bulletin, Drift, Request, Seen, SetZone, View
from edge.serve.follow import AWAY, Follower
from edge.serve.today import Today
from edge.serve.web.access import METRICS_FILE, new_token
from edge.serve.web.app import make_app
from edge.serve.web.server import server
from edge.settings import MqttSettings, Settings, WebSettings

ABOUT = About(
    bundle="maskgate-4",
    made="2026-11-02T10:00:00Z",
    version="0.1.0",
    runs_on="processor",
    started=0.0,
    mode="must_wear",
    zone=((0.1, 0.1), (0.9, 0.1), (0.9, 0.95), (0.1, 0.95)),
    min_face_height=0.12,
    zone_can_change=True,
    view=True,
    override=True,
    drift=Drift(people=412),
)
SLOW = 20.0
"""Seconds that a busy machine may take."""


class Played(Follower):
    """Follows a daemon that does what it is asked. refusal: its answer to everything, if not empty."""

    def __init__(self, today: Today | None = None) -> None:
        super().__init__(Path("nowhere"), [today] if today else [])
        self.here = True
        self.asked: list[Request] = []
        self.refusal = ""
        self.about = ABOUT

    @property
    def connected(self) -> bool:
        return self.here

    def say(
        self,
        state: str,
        reason: str = "",
        signals: tuple[str, ...] = (),
        age: float = 0.0,
        faces: tuple[Seen, ...] = (),
    ) -> None:
        self.bulletin = Bulletin(1, time.monotonic() - age, 0.02, state, reason, signals, faces)
        for listener in self._listeners:
            listener.bulletin(self.bulletin)

    def tell(self, **changes: object) -> None:
        assert self.about is not None
        self.about = msgspec.structs.replace(self.about, **changes)

    async def ask(self, request: Request) -> str:
        self.asked.append(request)
        if self.refusal or not self.here:
            return self.refusal or AWAY
        match request:
            case View(on):
                self.tell(view_until=time.monotonic() + 600 if on else 0.0)
            case SetZone(polygon, least):
                self.tell(zone=polygon, min_face_height=least)
        return ""


class Site:
    """A page at `url`, which opens with `token`."""

    def __init__(self, folder: Path, **web: str) -> None:
        token = new_token(folder)
        new_token(folder, METRICS_FILE)
        assert token is not None
        self.token = token
        self.port = free_port()
        listen = f"127.0.0.1:{self.port}"
        self.url = f"http{'s' if web.get('certificate') else ''}://{listen}"
        self.settings = Settings(
            web=WebSettings(listen=listen, folder=str(folder), **web), mqtt=MqttSettings(device="front-door")
        )
        self.today = Today(folder / "today.json")
        self.follower = Played(self.today)
        self.app = make_app(self.settings, self.follower, self.today, lambda: b"maskgate_up 1\n")

    @contextmanager
    def served(self) -> Iterator[None]:
        """By the real server, in a thread."""
        running = server(self.app, self.settings.web)
        thread = threading.Thread(target=lambda: asyncio.run(running.serve()))
        thread.start()
        deadline = time.monotonic() + SLOW
        while not running.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield
        finally:
            running.should_exit = True
            thread.join(SLOW)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
