"""A page for this machine alone, on which each pulled face gets its label by one key: python -m train review.

The address that it prints holds a secret after its #, so that other users of this machine do not see the faces. Every
label is on the disk at once; Ctrl-C ends.
"""

from __future__ import annotations

import argparse
import secrets
import socket
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge.errors import InputError
from train.review.desk import NEW, Desk

HERE = Path(__file__).parent
FILES = {"/": "page.html", "/page.js": "page.js", "/page.css": "page.css"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LONGEST = 1000
"""Bytes of a request."""


class Put(msgspec.Struct, frozen=True):
    """A label for a face that waits; see `Desk.put`."""

    name: str
    place: str


class Page:
    """What the page asks for; token: what every request for more than the bare page bears."""

    def __init__(self, desk: Desk, token: str) -> None:
        self._desk, self._token = desk, token

    def app(self) -> Starlette:
        """As an ASGI application; only for requests that name this machine."""
        routes = [
            *(Route(path, self.file) for path in FILES),
            Route("/now", self.now),
            Route("/crop/{name}", self.crop),
            Route("/put", self.put, methods=["POST"]),
            Route("/undo", self.undo, methods=["POST"]),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        return Starlette(routes=routes, middleware=[hosts], exception_handlers={HTTPException: _refused})

    async def file(self, request: Request) -> Response:
        return FileResponse(HERE / FILES[request.url.path], headers=HEADERS)

    async def now(self, request: Request) -> Response:
        self._check(request)
        waiting = self._desk.waiting
        return JSONResponse({"name": waiting[0] if waiting else None, "counts": self._desk.counts}, headers=HEADERS)

    async def crop(self, request: Request) -> Response:
        self._check(request)
        try:
            return FileResponse(self._desk.file(request.path_params["name"]), headers=HEADERS)
        except KeyError as error:
            raise HTTPException(404, "no such face; load the page anew") from error

    async def put(self, request: Request) -> Response:
        self._check(request)
        try:
            given = msgspec.json.decode(await _body(request), type=Put)
            self._desk.put(given.name, given.place)
        except (KeyError, msgspec.MsgspecError) as error:
            raise HTTPException(409, "that face does not wait for such a label; load the page anew") from error
        except OSError as error:
            raise HTTPException(500, f"the face cannot be moved ({error.strerror})") from error
        return await self.now(request)

    async def undo(self, request: Request) -> Response:
        self._check(request)
        self._desk.undo()
        return await self.now(request)

    def _check(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise HTTPException(401, "open the address that the terminal shows")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code, headers=HEADERS)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise HTTPException(413, "too long")
    return body


def run(arguments: argparse.Namespace) -> None:
    """The command. Raises InputError."""
    desk, token = Desk(arguments.site), secrets.token_urlsafe(32)
    with socket.socket() as at:
        at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            at.bind(("127.0.0.1", arguments.port))
            at.listen()  # whoever opens the address at once waits for the server
        except OSError as error:
            raise InputError(f"--port {arguments.port}: {error.strerror}; give another one, or 0 for any") from error
        print(f"open http://127.0.0.1:{at.getsockname()[1]}/#{token}\nCtrl-C ends", flush=True)
        server = uvicorn.Server(uvicorn.Config(Page(desk, token).app(), log_level="warning", access_log=False))
        try:
            server.run(sockets=[at])
        except KeyboardInterrupt:  # the way to end it
            pass
    done = ", ".join(f"{count} {place}" for place, count in desk.counts.items() if count and place != NEW)
    print(f"labelled: {done or 'none'}; {desk.counts[NEW]} wait. `make retrain` learns from them")
