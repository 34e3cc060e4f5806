"""What the page is told of the door, as one JSON object."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from edge.bulletin import About, Bulletin, Seen
from edge.serve.follow import Follower
from edge.serve.temperature import hottest
from edge.serve.today import Today


def status(
    name: str,
    follower: Follower,
    today: Today,
    clock: Callable[[], float] = time.monotonic,
    temperature: Callable[[], float | None] = hottest,
) -> dict[str, Any]:
    """All that the page shows. name: of this door. clock: the daemon's; its times become seconds ago, or left."""
    return {
        "name": name,
        "connected": follower.connected,
        "now": follower.bulletin and _now(follower.bulletin, clock()),
        "since": today.since and today.since.isoformat(timespec="seconds"),
        "today": today.counts,
        "faults": msgspec.to_builtins(today.faults),
        "temperature": temperature(),
        "about": follower.about and _about(follower.about, clock()),
    }


def _now(bulletin: Bulletin, now: float) -> dict[str, Any]:
    """age: seconds since the frame that it rests on. faces: those that count; height in fractions of the picture's."""
    return {
        "age": round(max(0.0, now - bulletin.time), 2),
        "state": bulletin.state,
        "reason": bulletin.reason,
        "signals": bulletin.signals,
        "faces": [_face(face) for face in bulletin.faces],
    }


def _face(seen: Seen) -> dict[str, Any]:
    return {"label": seen.label, "score": seen.score, "height": round(seen.box[3] - seen.box[1], 3)}


def _about(about: About, now: float) -> dict[str, Any]:
    """up: seconds since the daemon started. view_left: seconds for which pictures still come."""
    left = max(0, round(about.view_until - now))
    return {**msgspec.to_builtins(about), "up": round(now - about.started), "view_left": left}
