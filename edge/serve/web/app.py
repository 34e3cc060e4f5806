"""The status page's answers. Whoever asks must be signed in with the token, or send it along as a bearer's.

| | |
|---|---|
| GET /, /*.js, /*.css, /*.svg | the page itself, for everybody; it holds nothing of the door |
| POST /login, /logout | {"token": ...} for a cookie |
| GET /status | what the page shows, JSON |
| GET /view.jpg | the last picture while the view is on, else 404 |
| POST /ask | a request of `edge.bulletin`, JSON, for the daemon |
| POST /try | a picture, to be judged |
| GET /metrics | for Prometheus, which has a token that is good for this alone |
"""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.bulletin import Contest, Override, read_request
from edge.serve.follow import Follower
from edge.serve.today import Today
from edge.serve.web import files
from edge.serve.web.access import METRICS_FILE, SESSION_SECONDS, Allowance, Gate, kept_hash
from edge.serve.web.protect import Protect, Refusals
from edge.serve.web.status import status
from edge.serve.web.upload import Trial
from edge.settings import Settings

LONGEST = 8192
"""Bytes of a request other than a picture."""
BY = "the status page"
METRICS = "/metrics"
Endpoint = Callable[[Request], Awaitable[Response]]


class Login(msgspec.Struct, forbid_unknown_fields=True):
    token: str


def make_app(
    settings: Settings, follower: Follower, today: Today, metrics: Callable[[], bytes] | None = None
) -> Starlette:
    """metrics: gives what Prometheus reads. Raises InputError where a token is missing, see `access.new_token`."""
    page = Page(settings, follower, today, metrics)
    protect = Middleware(
        Protect, client=page.client, allowance=Allowance(burst=100, per_second=20), refusals=Refusals()
    )
    handlers = {HTTPException: tell_fault}
    app = Starlette(routes=[*files.routes(), *page.routes()], middleware=[protect], exception_handlers=handlers)
    app.router.redirect_slashes = False  # it would send a browser wherever the request's Host header says
    return app


class Page:
    """The endpoints. Each but the login's is for those alone who have shown the token."""

    def __init__(
        self, settings: Settings, follower: Follower, today: Today, metrics: Callable[[], bytes] | None
    ) -> None:
        self._name = settings.mqtt.device or platform.node()
        self._follower = follower
        self._today = today
        self._metrics = metrics
        folder = Path(settings.web.folder)
        self._gate, self._metrics_gate = Gate(kept_hash(folder)), Gate(kept_hash(folder, METRICS_FILE))
        self._attempts = Allowance(burst=10, per_second=1 / 6)
        self._trial = Trial(settings.model.bundle)

    def routes(self) -> list[Route]:
        asked: dict[str, tuple[str, Endpoint]] = {
            "/logout": ("POST", self._logout),
            "/status": ("GET", self._status),
            "/view.jpg": ("GET", self._view),
            "/ask": ("POST", self._ask),
            "/try": ("POST", self._try),
            METRICS: ("GET", self._tell_metrics),
        }
        private = [Route(path, self._private(endpoint), methods=[method]) for path, (method, endpoint) in asked.items()]
        return [Route("/login", self._login, methods=["POST"]), *private]

    def client(self, connection: HTTPConnection) -> str:
        """A name for whoever is signed in, so that a flood from their own address does not keep them out; else that."""
        session = connection.cookies.get(self._gate.cookie, "")
        return f"browser {session[:4]}" if self._gate.knows(session) else address(connection)

    def _private(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if not self._signed_in(request):
                raise HTTPException(401, "sign in first", {"WWW-Authenticate": "Bearer"})
            return await endpoint(request)

        return guarded

    def _signed_in(self, request: Request) -> bool:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._check(request, token)
        # a cookie comes along whoever asks: another port of this host is the same site
        own = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        return own and self._gate.knows(request.cookies.get(self._gate.cookie, ""))

    def _check(self, request: Request, token: str) -> bool:
        """Whether the token fits; after many that did not, none is looked at for a while."""
        if not self._attempts.has(address(request)):
            raise HTTPException(429, "too many tokens that do not fit; wait a minute", {"Retry-After": "60"})
        if self._gate.fits(token) or (request.url.path == METRICS and self._metrics_gate.fits(token)):
            return True
        self._attempts.take(address(request))
        return False

    async def _login(self, request: Request) -> Response:
        try:
            token = msgspec.json.decode(await body(request), type=Login).token.strip()
        except ValueError as error:
            raise HTTPException(400, f"no token: {error}") from error
        if not self._check(request, token):
            raise HTTPException(401, "that is not this door's token")
        answer = Response(status_code=204)
        self._set_cookie(request, answer, self._gate.begin(), int(SESSION_SECONDS))
        return answer

    async def _logout(self, request: Request) -> Response:
        self._gate.end(request.cookies.get(self._gate.cookie, ""))
        answer = Response(status_code=204)
        self._set_cookie(request, answer, "", 0)
        return answer

    def _set_cookie(self, request: Request, answer: Response, value: str, seconds: int) -> None:
        secure = request.url.scheme == "https"
        answer.set_cookie(self._gate.cookie, value, seconds, secure=secure, httponly=True, samesite="strict")

    async def _status(self, request: Request) -> Response:
        told = status(self._name, self._follower, self._today)
        return Response(msgspec.json.encode(told), media_type="application/json")

    async def _view(self, request: Request) -> Response:
        if self._follower.picture is None:
            raise HTTPException(404, "no picture; the camera's view is off")
        return Response(self._follower.picture, media_type="image/jpeg")

    async def _ask(self, request: Request) -> Response:
        try:
            asked = read_request(await body(request))
        except ValueError as error:
            raise HTTPException(400, f"not a request: {error}") from error
        if isinstance(asked, Override | Contest):
            asked = msgspec.structs.replace(asked, by=BY)
        if refused := await self._follower.ask(asked):
            raise HTTPException(409, refused)
        return Response(status_code=204)

    async def _try(self, request: Request) -> Response:
        return Response(await self._trial.answer(request), media_type="application/json")

    async def _tell_metrics(self, request: Request) -> Response:
        if self._metrics is None:
            raise HTTPException(404, "metrics are off")
        return Response(self._metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def body(request: Request) -> bytes:
    """Of a request that no other site's page can make a browser send. Raises HTTPException."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "not application/json")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST:
            raise HTTPException(413, f"the request is too long; {LONGEST} bytes at most")
    return bytes(data)


def address(connection: HTTPConnection) -> str:
    """The client's; with IPv6 its network, since each has a great many there."""
    host = connection.client.host if connection.client else ""
    try:
        ip = ip_address(host)
    except ValueError:
        return host
    return str(ip) if ip.version == 4 else str(ip_network(f"{host.partition('%')[0]}/64", strict=False))


async def tell_fault(request: Request, error: Exception) -> Response:
    """For the page, and for people."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"fault": error.detail}, error.status_code, error.headers)
