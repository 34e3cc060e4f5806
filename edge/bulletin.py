"""What passes between the daemon and the programs that follow it, at the socket `share.socket`.

The socket keeps messages apart (SOCK_SEQPACKET). Each is a JSON object whose "type" says which of these it is, or a
picture: a JPEG file, which begins with FF D8. The daemon never waits for a follower: one that does not keep up misses
messages, which the bulletins' numbers show. Times of the daemon are seconds of the machine's monotonic clock, which all
programs share.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.settings import Fraction, Mode, Point

PICTURE = b"\xff\xd8"
LONGEST = 200_000
"""Bytes of a message at most."""
VIEW_SECONDS = 600.0
"""How long pictures are sent after they were asked for."""


class Seen(msgspec.Struct, frozen=True):
    """A face that counts. box: x_min, y_min, x_max, y_max in fractions of the frame. label, score: of its track."""

    id: int
    box: tuple[float, float, float, float]
    label: str
    score: float


class Bulletin(msgspec.Struct, frozen=True, tag="bulletin"):
    """A decision.

    number: counts up from 1 in one run of the daemon. time: of the frame. late: seconds from the frame to this message.
    state, signals, reason: as in `values.Decision`.
    stages: seconds that the frame spent in each, in their order: "check", "resize", "locate", "decode", "crop",
        "classify", "decide", "output".
    """

    number: int
    time: float
    late: float
    state: str
    reason: str
    signals: tuple[str, ...] = ()
    faces: tuple[Seen, ...] = ()
    stages: dict[str, float] = {}

    @property
    def kind(self) -> tuple[str, str]:
        """State, and a fault's reason but for its numbers: bulletins of one kind in a row are one event."""
        return self.state, re.sub(r"[0-9.]+", "#", self.reason) if self.state == "FAULT" else ""


class Drift(msgspec.Struct, frozen=True):
    """How unlike the models' tests the people at the door are.

    index: population stability index of each watched quantity, by name. people: how many of the last days it rests on.
    alarm: why that is an alarm, for people; "" when it is none.
    """

    index: dict[str, float] = {}
    people: int = 0
    alarm: str = ""


class About(msgspec.Struct, frozen=True, tag="about"):
    """What changes seldom; sent to each new follower, every 10 s, and whenever something of it has changed.

    bundle: NAME-VERSION of what judges. made: when it was made, ISO 8601 UTC, "" when unknown. version: of maskgate.
    runs_on: of the networks, for people. started: when the daemon started, its clock. mode: now.
    zone, min_face_height: in use. zone_can_change: whether `SetZone` works. override: whether `Override` does.
    view_until: until when pictures are sent, its clock; 0 when none are. brightness: of the last frame, 0 to 1.
    kept: crops for review. review: whether they are kept. missed: messages that followers missed so far.
    """

    bundle: str
    made: str
    version: str
    runs_on: str
    started: float
    mode: Mode
    zone: tuple[Point, ...] = ()
    min_face_height: float = 0.0
    zone_can_change: bool = False
    view: bool = False
    override: bool = False
    view_until: float = 0.0
    brightness: float = 0.0
    review: bool = False
    kept: int = 0
    missed: int = 0
    drift: Drift = Drift()


class View(msgspec.Struct, frozen=True, tag="view", forbid_unknown_fields=True):
    """Send pictures for VIEW_SECONDS, or no more."""

    on: bool


class SetZone(msgspec.Struct, frozen=True, tag="zone", forbid_unknown_fields=True):
    """Use this zone from now on, as in ZoneSettings."""

    polygon: tuple[Point, ...]
    min_face_height: Fraction


class Override(msgspec.Struct, frozen=True, tag="override", forbid_unknown_fields=True):
    """Release the door for `door.exit_seconds`, as somebody with a key does. by: who asks, for the log."""

    by: Annotated[str, Meta(max_length=80)]


class Contest(msgspec.Struct, frozen=True, tag="contest", forbid_unknown_fields=True):
    """The last verdict was wrong. by: who says so, for the log."""

    by: Annotated[str, Meta(max_length=80)]


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """To each request, in their order. fault: why it was refused, for people; "" when it was done."""

    fault: str = ""


Request = View | SetZone | Override | Contest
Told = Bulletin | About | Answer

_requests = msgspec.json.Decoder(Request)
_told = msgspec.json.Decoder(Told)


def read_request(data: bytes) -> Request:
    """Raises ValueError, whose text is for people."""
    request: Request = _requests.decode(data)
    return request


def read_told(data: bytes) -> Told | None:
    """What the daemon said; None for what this version does not know. Pictures are for the caller to tell apart."""
    try:
        told: Told = _told.decode(data)
    except ValueError:
        return None
    return told


def write(message: Request | Told) -> bytes:
    return msgspec.json.encode(message)
