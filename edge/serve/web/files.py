"""The page's own files, all read at the start: no path that a browser sends ever reaches the disk."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE = "index.html"


def routes() -> list[Route]:
    """One for each file of the folder `static`."""
    return [
        _route("/" if file.name == PAGE else f"/{file.name}", file.read_bytes(), TYPES[file.name.rpartition(".")[2]])
        for file in files("edge.serve.web").joinpath("static").iterdir()
    ]


def _route(path: str, content: bytes, kind: str) -> Route:
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    async def give(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return Route(path, give)
