"""Tells a `Fleet` what its doors said, in the words of `edge.serve.topics`."""

from __future__ import annotations

import msgspec

from edge.fleet.doors import Fleet
from edge.serve.topics import AVAILABILITY, ONLINE, STATE, STATS


class _About(msgspec.Struct, frozen=True):
    bundle: str


class _Stats(msgspec.Struct, frozen=True):
    """As much of `topics.Stats` as counts here, so that doors of other versions are understood too."""

    since: str
    changes: dict[str, int]
    about: _About


class _Told(msgspec.Struct, frozen=True):
    """Likewise."""

    state: str


class Reports:
    """Understands messages. What makes no sense is left alone."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._last: dict[str, _Stats] = {}

    def hear(self, topic: str, payload: bytes) -> None:
        """topic: as in "maskgate/door1/state"."""
        _, name, what = topic.split("/")
        try:
            if what == AVAILABILITY:
                self._fleet.availability(name, payload == ONLINE)
            elif what == STATE:
                self._fleet.state(name, msgspec.json.decode(payload, type=_Told).state)
            elif what == STATS:
                self._stats(name, msgspec.json.decode(payload, type=_Stats))
        except (ValueError, RecursionError):
            return

    def _stats(self, name: str, stats: _Stats) -> None:
        last, self._last[name] = self._last.get(name), stats
        version = int(stats.about.bundle.rpartition("-")[2])
        if last is None:
            # what it counted earlier counts too, unless that may be of two bundles
            self._fleet.bundle(name, version)
            if not self._fleet.has(name):
                self._fleet.verdicts(name, stats.changes)
            return
        known = last.changes if last.since == stats.since else {}
        # of the minute in which the bundle changed most may be of the old one
        self._fleet.verdicts(name, {state: count - known.get(state, 0) for state, count in stats.changes.items()})
        self._fleet.bundle(name, version)
