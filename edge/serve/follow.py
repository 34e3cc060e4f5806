"""Follows the daemon at its socket, see `edge.bulletin`: what it decided last, and what can be asked of it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from edge.bulletin import LONGEST, PICTURE, About, Answer, Bulletin, Request, read_told, write

RETRY_SECONDS = 1.0
ANSWER_SECONDS = 2.0
SILENCE = 15.0
"""Seconds without a word after which the daemon counts as gone; it speaks of itself every ten."""
AWAY = "the daemon does not answer; see `systemctl status maskgate`"


class Listener(Protocol):
    """What is told of the daemon; each method is quick and never raises."""

    def bulletin(self, bulletin: Bulletin) -> None: ...

    def about(self, about: About) -> None: ...

    def connected(self, on: bool) -> None: ...


class Follower:
    """One connection at a time, for one event loop.

    about, bulletin: the last ones, None before the first. connected: whether the daemon is there.
    picture: the bytes of the last JPEG file while pictures are sent, else None.
    """

    def __init__(self, path: Path, listeners: Sequence[Listener] = ()) -> None:
        self._path = path
        self._listeners = listeners
        self._socket: socket.socket | None = None
        self._asked: deque[asyncio.Future[str]] = deque()
        self.about: About | None = None
        self.bulletin: Bulletin | None = None
        self.picture: bytes | None = None

    @property
    def connected(self) -> bool:
        return self._socket is not None

    async def run(self) -> None:
        """Connect, and connect anew whenever the daemon goes; for ever."""
        while True:
            try:
                await self._follow()
            except (OSError, TimeoutError):
                pass
            await asyncio.sleep(RETRY_SECONDS)

    async def ask(self, request: Request) -> str:
        """Returns "" when it was done, else why not, for people."""
        if self._socket is None:
            return AWAY
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            self._socket.send(write(request), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return AWAY
        self._asked.append(answer)
        try:
            # shielded: the answer that comes too late still has its place in the order
            return await asyncio.wait_for(asyncio.shield(answer), ANSWER_SECONDS)
        except TimeoutError:
            return AWAY

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
            channel.setblocking(False)
            await loop.sock_connect(channel, str(self._path))
            self._set(channel)
            try:
                while data := await asyncio.wait_for(loop.sock_recv(channel, LONGEST), SILENCE):
                    self._take(data)
            finally:
                self._set(None)

    def _set(self, channel: socket.socket | None) -> None:
        self._socket, self.picture = channel, None
        while self._asked:
            self._answer(AWAY)
        for listener in self._listeners:
            listener.connected(channel is not None)

    def _take(self, data: bytes) -> None:
        if data.startswith(PICTURE):
            self.picture = data
            return
        match read_told(data):
            case Bulletin() as bulletin:
                self.bulletin = bulletin
                for listener in self._listeners:
                    listener.bulletin(bulletin)
            case About() as about:
                self.about = about
                self.picture = self.picture if about.view_until else None
                for listener in self._listeners:
                    listener.about(about)
            case Answer(fault):
                self._answer(fault)
            case None:
                print(f"maskgate: {self._path}: a message that this version does not know", file=sys.stderr)

    def _answer(self, fault: str) -> None:
        if self._asked and not (asked := self._asked.popleft()).done():
            asked.set_result(fault)
