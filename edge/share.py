"""The socket at which other programs on this device follow the decisions, see `edge.bulletin`.

Nobody waits for a follower: what it does not take at once, it misses. What followers ask is handled in a thread, few
requests a second.
"""

from __future__ import annotations

import os
import selectors
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from edge.bulletin import About, Answer, Bulletin, Request, Seen, Told, read_request, write
from edge.errors import InputError, in_one_line
from edge.values import Decision, Frame, Track

FOLLOWERS = 8
"""At once, at most."""
LONGEST_REQUEST = 8192
PAUSE = 0.05
"""Seconds after each request, so that no flood of them takes the processor from the door."""
LOOK = 0.5
"""Seconds between two looks at whether what is told of the daemon has changed."""
EVERY = 10.0
"""Seconds after which it is told again."""


class Share:
    """The socket at `path`, open in its `with` block; an observer of decisions.

    about: what is to be told of the daemon. handle: does what a follower asks, and returns why not, for people, or "".
    Raises InputError when the socket cannot be had.
    """

    def __init__(self, path: Path, about: Callable[[int], About], handle: Callable[[Request], str]) -> None:
        self._path = path
        self._about = about
        self._handle = handle
        self._socket = _listen(path)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._followers: frozenset[socket.socket] = frozenset()
        self._lock = threading.Lock()
        self._number = 0
        self._missed = 0
        self._told: tuple[float, About] | None = None
        self._open = True
        self._thread = threading.Thread(target=self._work, name="share", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._thread.join(2 * LOOK)
        with suppress(OSError):
            self._path.unlink()

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        """Tell a decision; the frame is of no interest here."""
        self._number += 1
        if self._followers:
            self._send(bulletin(self._number, decision, time.monotonic()))

    def picture(self, jpeg: bytes) -> None:
        """Send a picture, the bytes of a JPEG file."""
        for follower in self._followers:
            self._put(follower, jpeg)

    def _send(self, message: Told) -> None:
        data = write(message)
        for follower in self._followers:
            self._put(follower, data)

    def _put(self, follower: socket.socket, data: bytes) -> bool:
        """Whether it was taken."""
        try:
            follower.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            return True
        except BlockingIOError:
            self._missed += 1
        except OSError:
            self._drop(follower)
        return False

    def _work(self) -> None:
        try:
            while self._open:
                for key, _ in self._selector.select(LOOK):
                    self._answer(key.fileobj)  # type: ignore[arg-type]
                self._tell()
        except Exception as error:
            print(f"maskgate: {self._path} is given up: {in_one_line(error)}", file=sys.stderr)
        finally:
            for each in (*self._followers, self._socket):
                each.close()
            self._selector.close()

    def _answer(self, channel: socket.socket) -> None:
        if channel is self._socket:
            self._accept()
            return
        try:
            data = channel.recv(LONGEST_REQUEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(channel)
            return
        if not self._put(channel, write(Answer(self._done(data)))):
            self._drop(channel)  # later answers would be taken for this one
        time.sleep(PAUSE)

    def _done(self, data: bytes) -> str:
        try:
            return self._handle(read_request(data))
        except ValueError as error:
            return f"no request: {in_one_line(error)}"

    def _accept(self) -> None:
        follower, _ = self._socket.accept()
        if len(self._followers) >= FOLLOWERS:
            follower.close()
            return
        with self._lock:
            self._followers |= {follower}
        self._selector.register(follower, selectors.EVENT_READ)
        self._told = None

    def _drop(self, follower: socket.socket) -> None:
        """Once, from whichever thread finds out first."""
        with self._lock:
            if follower not in self._followers:
                return
            self._followers -= {follower}
        with suppress(KeyError, ValueError):
            self._selector.unregister(follower)
        follower.close()

    def _tell(self) -> None:
        """About the daemon: to all, when it has changed or was not told for long."""
        about, now = self._about(self._missed), time.monotonic()
        if self._told is None or self._told[1] != about or now - self._told[0] >= EVERY:
            self._told = now, about
            self._send(about)


def bulletin(number: int, decision: Decision, now: float) -> Bulletin:
    """A decision as followers get it, `now` on the daemon's clock."""
    return Bulletin(
        number,
        decision.time,
        now - decision.time,
        decision.state,
        decision.reason,
        tuple(sorted(decision.signals)),
        tuple(_seen(track, decision.size) for track in decision.tracks),
        dict(decision.stages),
    )


def _seen(track: Track, size: tuple[int, int]) -> Seen:
    width, height = size
    box = track.box
    fractions = box.x_min / width, box.y_min / height, box.x_max / width, box.y_max / height
    # numpy's numbers are no JSON
    x_min, y_min, x_max, y_max = (round(float(edge), 4) for edge in fractions)
    return Seen(track.id, (x_min, y_min, x_max, y_max), track.label, round(float(track.score), 3))


def _listen(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        _clear(path)
        channel.bind(str(path))
        os.chmod(path, 0o660)
        channel.listen(FOLLOWERS)
        channel.setblocking(False)
    except OSError as error:
        channel.close()
        raise InputError(f"share.socket {path}: cannot be had ({error.strerror or error})") from error
    return channel


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens at any more. Raises OSError when somebody does, or it is something else."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(17, "there is a file that is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            try:
                other.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
                return
        raise OSError(98, "another daemon offers it")
