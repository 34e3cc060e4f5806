"""Where the time of a frame goes: a stopwatch whose laps have names."""

from __future__ import annotations

import time
from collections.abc import Callable


class Laps:
    """Each lap ends where the next begins. For one thread. clock: seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._laps: dict[str, float] = {}
        self._since = clock()

    def begin(self) -> None:
        """What was before belongs to nothing."""
        self._laps.clear()
        self._since = self._clock()

    def lap(self, stage: str) -> None:
        """The time since the last lap was spent on this stage."""
        now = self._clock()
        self._laps[stage] = self._laps.get(stage, 0.0) + now - self._since
        self._since = now

    def taken(self) -> tuple[tuple[str, float], ...]:
        """The stages so far, (name, seconds), in their order."""
        return tuple(self._laps.items())
