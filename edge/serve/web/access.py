"""Who may see the page: whoever has the token. Of the token, only the SHA-256 is kept; of browsers, nothing on disk.

The token is 256 random bits, so that a plain hash is enough: there is nothing to guess it by.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from edge.errors import InputError

HASH_FILE, METRICS_FILE = "token.sha256", "metrics.sha256"
"""Of the token for everything; and of one for /metrics alone, so that Prometheus need not hold the other."""
SESSIONS = 50
"""Browsers that are signed in at most; then the one that has been away for longest goes."""
SESSION_SECONDS = 30 * 86400.0
CLIENTS = 1000
"""Addresses whose requests are counted at most; then the one that has been away for longest is forgotten."""


def new_token(folder: Path, name: str = HASH_FILE) -> str | None:
    """Make a token and keep its hash in the file `name` of `folder`; None when there is one already.

    It cannot be told again: whoever lost it removes the file and starts anew. Raises InputError.
    """
    token = secrets.token_urlsafe(32)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return None
    except OSError as error:
        raise InputError(f"{folder}: cannot keep the token's hash there ({error.strerror})") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(hash_of(token))
    return token


def kept_hash(folder: Path, name: str = HASH_FILE) -> str:
    """Raises InputError when there is none, or a damaged one."""
    file = folder / name
    try:
        kept = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: the token's hash cannot be read ({error})") from error
    if not re.fullmatch("[0-9a-f]{64}", kept):
        raise InputError(f"{file}: not the hash of a token; remove the file and start again for a new token")
    return kept


def hash_of(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


class Allowance:
    """So many at once, and so many a second, for each client. clock: seconds."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def has(self, client: str) -> bool:
        """Whether this client may have one more."""
        return self._now_left(client) >= 1

    def take(self, client: str) -> bool:
        """Whether this client may have one more, which is then taken."""
        left, now = self._now_left(client), self._clock()
        self._left[client] = (left - 1 if left >= 1 else left, now)
        self._left.move_to_end(client)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return left >= 1

    def _now_left(self, client: str) -> float:
        now = self._clock()
        left, then = self._left.get(client, (self._burst, now))
        return min(self._burst, left + (now - then) * self._per_second)


class Gate:
    """Checks tokens and remembers who has shown one. hash: of the token. clock: seconds."""

    def __init__(self, hash: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._hash = hash
        self._clock = clock
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self.cookie = f"maskgate-{hash[:8]}"
        """Each door's own: two doors that are reached through one host by two ports share its cookies."""

    def fits(self, token: str) -> bool:
        return hmac.compare_digest(hash_of(token), self._hash)

    def begin(self) -> str:
        """A new session, to be kept by a browser."""
        session = secrets.token_urlsafe(32)
        self._sessions[hash_of(session)] = self._clock() + SESSION_SECONDS
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def knows(self, session: str) -> bool:
        """Looked up by its hash, whose timing tells nothing of the session."""
        key = hash_of(session)
        if self._sessions.get(key, 0.0) <= self._clock():
            self._sessions.pop(key, None)
            return False
        self._sessions.move_to_end(key)
        return True

    def end(self, session: str) -> None:
        self._sessions.pop(hash_of(session), None)
