"""What a door says over MQTT and what may be said to it: the topics below `maskgate/<device>/`, and their payloads.

All but events and commands is retained: who asks later is told the last of each. Nothing tells people apart.
"""

from __future__ import annotations

import msgspec

from edge.bulletin import About

AVAILABILITY = "availability"
"""ONLINE while the door's daemon answers, a FAULT included; OFFLINE when that or the device itself is gone."""
STATE = "state"
"""`Told`, at each change of state or signals and every 60 s."""
EVENT = "event"
"""`Told`, at each change of state or signals; the last ones are made up for after an outage."""
FAULT = "fault"
"""`Told`, at each fault; made up for likewise."""
STATS = "stats"
"""`Stats`, every 60 s."""
COMMAND = "command"
OVERRIDE, CONTEST = f"{COMMAND}/override", f"{COMMAND}/contest"
"""Release the door, where `share.override` permits it; the last verdict was wrong. Both take PRESS, not retained."""

ONLINE, OFFLINE, PRESS = b"online", b"offline", b"PRESS"


class Told(msgspec.Struct, frozen=True):
    """What the door shows. at: since when, ISO 8601 UTC. number, state, reason, signals: as in `bulletin.Bulletin`."""

    at: str
    number: int
    state: str
    reason: str
    signals: tuple[str, ...] = ()


class Stats(msgspec.Struct, frozen=True):
    """How the door does.

    at: now, ISO 8601 UTC. since: from when on changes are counted. changes: how often each state began since.
    frames_per_second, late: since the last stats; late is the mean time from a frame to its decision, seconds.
    temperature: degrees Celsius. None for what is not known.
    """

    at: str
    since: str
    changes: dict[str, int]
    frames_per_second: float | None
    late: float | None
    temperature: float | None
    about: About


def topic(device: str, what: str) -> str:
    """As in "maskgate/door1/state"; what: one of the constants above."""
    return f"maskgate/{device}/{what}"
