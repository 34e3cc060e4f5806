"""Bytes from a file or from an HTTPS address, no more and no longer than agreed."""

from __future__ import annotations

import hashlib
import http.client
import math
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urljoin, urlsplit

from edge.errors import BundleError, InputError

PATIENCE = 30.0
"""Seconds for which the network may be silent."""
LONGEST = 600.0
"""Seconds that fetching may take."""


class Reads(Protocol):
    """An open file, or an answer from the network."""

    def read(self, size: int, /) -> bytes: ...


class Stream:
    """Reads on, and counts and hashes what it has read.

    raw: what is read. name: where that is, for errors. limit: bytes that there may be. seconds: for all of them.
    sha256: of the whole, where it is known beforehand; then its end is not reached with anything else.
    """

    def __init__(
        self,
        raw: Reads,
        name: str,
        limit: int,
        seconds: float = math.inf,
        sha256: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._raw, self._name, self._limit, self._clock = raw, name, limit, clock
        self._end, self._size = clock() + seconds, 0
        self._expected, self._found = sha256, hashlib.sha256()

    def __str__(self) -> str:
        return self._name

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end. Raises InputError, and BundleError when it is not what it should be."""
        found = b""
        while len(found) < size and (more := self._some(size - len(found))):
            found += more
        self._found.update(found)
        if len(found) < size and self._expected not in ("", self._found.hexdigest()):
            raise BundleError(f"{self._name}: not the file of that sha256, or cut off; fetch it again")
        return found

    def _some(self, size: int) -> bytes:
        try:
            some = self._raw.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(f"{self._name}: cannot be read ({_reason(error)}); try again later") from error
        self._size += len(some)
        if self._size > self._limit:
            raise BundleError(f"{self._name}: has more than {self._limit} bytes; more are not taken")
        if self._clock() > self._end:
            raise InputError(f"{self._name}: takes too long; try again later")
        return some


@contextmanager
def opened(source: str, limit: int, ca_file: str = "") -> Iterator[Stream]:
    """A file, or what is at an HTTPS address, as a stream. Raises InputError."""
    if "://" in source:
        with fetched(source, ca_file) as answer:
            yield Stream(answer, source, limit, LONGEST)
        return
    file = Path(source)
    if not file.is_file():
        raise InputError(f"{file}: no such file; give a release NAME-VERSION.tar, or its https:// address")
    try:
        raw = file.open("rb")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    with raw:
        yield Stream(raw, source, limit)


@contextmanager
def fetched(url: str, ca_file: str = "", etag: str = "") -> Iterator[http.client.HTTPResponse]:
    """The answer of an HTTPS server; its status is 200, or 304 when it is still what `etag` names. Raises InputError.

    ca_file: certificates to trust, PEM; "" for the system's.
    """
    opener = _opener(ca_file)
    headers = {"User-Agent": "maskgate"} | ({"If-None-Match": etag} if etag else {})
    _check(url)
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != http.client.NOT_MODIFIED:
            error.close()
            raise InputError(f"{url}: the server answers {error.code} {_line(error.reason)}") from error
        answer = error
    except InputError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(f"{url}: cannot be reached ({_reason(error)})") from error
    with answer:
        yield answer


def _opener(ca_file: str) -> urllib.request.OpenerDirector:
    """Knows HTTPS alone: no other scheme, wherever it is redirected."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"{ca_file}: not a file of certificates, PEM ({_reason(error)})") from error
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpsOnly(),
    ):
        opener.add_handler(handler)
    return opener


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _check(newurl)
        except InputError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def resolved(url: str, base: str) -> str:
    """An address that may be relative to another. Raises InputError."""
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise _not_https(url) from error


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise _not_https(url) from error
    if not fits:
        raise _not_https(url)


def _not_https(url: str) -> InputError:
    return InputError(f"{_line(url)}: not an https:// address; only those are fetched")


def _reason(error: Exception) -> str:
    """What is wrong with the network or file, in one line."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _reason(error.reason)
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    told = error.strerror if isinstance(error, OSError) else None
    return _line(told or error or type(error).__name__)


def _line(text: object) -> str:
    return " ".join(str(text).split())
