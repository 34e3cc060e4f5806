"""Around every request: how many a client may make, what browsers may do with answers, a log of what was refused."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.serve.web.access import Allowance

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}
TELL_SECONDS = 10.0


class Refusals:
    """Tells on standard error what was refused, one line in ten seconds at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = 0.0
        self._untold = 0

    def add(self, what: str) -> None:
        if self._clock() < self._next:
            self._untold += 1
            return
        more = f" (and {self._untold} more before)" if self._untold else ""
        print(f"maskgate: web: refused {what}{more}", file=sys.stderr, flush=True)
        self._next, self._untold = self._clock() + TELL_SECONDS, 0


class Protect:
    """client: who sends a request, as far as allowances go."""

    def __init__(
        self, app: ASGIApp, client: Callable[[HTTPConnection], str], allowance: Allowance, refusals: Refusals
    ) -> None:
        self._app = app
        self._client = client
        self._allowance = allowance
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = self._client(HTTPConnection(scope))

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope, MutableHeaders(scope=message))
                if _worth_a_line(scope, message["status"]):
                    self._refusals.add(f"{client}: {scope['method']!a} {scope['path'][:80]!a}, {message['status']}")
            await send(message)

        allowed = self._allowance.take(client)
        app = self._app if allowed else PlainTextResponse("too many requests", 429, {"Retry-After": "1"})
        await app(scope, receive, protected)

    @staticmethod
    def _add_headers(scope: Scope, headers: MutableHeaders) -> None:
        headers.update(HEADERS)
        headers.setdefault("Cache-Control", "no-store")
        if scope["scheme"] == "https":
            headers.update(OVER_TLS)


def _worth_a_line(scope: Scope, status: int) -> bool:
    """A page that asks whether it is signed in yet is not."""
    asks = scope["path"] == "/status" and "authorization" not in Headers(scope=scope)
    return status >= 400 and not (status == 401 and asks)
