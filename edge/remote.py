"""What those who follow the decisions may ask of the door: pictures for a while, another zone, a release, a contest."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from edge.bulletin import VIEW_SECONDS, Contest, Override, Request, SetZone, View
from edge.settings import Settings
from edge.values import Inputs
from edge.zone import Zone

CONTEST_SECONDS = 1.0
"""How long a contest is told, as if a button were held."""


class Remote:
    """Does requests, or says why not. clock: seconds, the daemon's."""

    def __init__(self, settings: Settings, zone: Zone, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._zone = zone
        self._clock = clock
        self._released_until = self._wrong_until = -math.inf
        self._view_until = 0.0

    @property
    def view_until(self) -> float:
        """Until when pictures are sent; 0 when none are."""
        return self._view_until if self._clock() < self._view_until else 0.0

    def joined(self, inputs: Inputs) -> Inputs:
        """What the door's own inputs say, and what is asked from afar."""
        now = self._clock()
        return replace(
            inputs,
            override=inputs.override or now < self._released_until,
            wrong=inputs.wrong or now < self._wrong_until,
        )

    def do(self, request: Request) -> str:
        """Returns why it was refused, for people, or ""."""
        match request:
            case View(on):
                return self._show(on)
            case SetZone(polygon, min_face_height):
                return self._told(f"the zone is drawn anew: {polygon}", self._zone.draw(polygon, min_face_height))
            case Override(by):
                return self._release(by)
            case Contest(by):
                self._wrong_until = self._clock() + CONTEST_SECONDS
                return self._told(f"the last verdict was wrong, says {by!r}")

    def _show(self, on: bool) -> str:
        if on and not self._settings.share.view:
            return "share.view is false; nobody may see pictures of this door"
        if on != bool(self.view_until):
            self._told("pictures are shown" if on else "pictures are shown no longer")
        self._view_until = self._clock() + VIEW_SECONDS if on else 0.0
        return ""

    def _release(self, by: str) -> str:
        if not self._settings.share.override:
            return "share.override is false; the door is released by its own inputs alone"
        self._released_until = self._clock() + self._settings.door.exit_seconds
        return self._told(f"the door is released for {self._settings.door.exit_seconds:g} s by {by!r}")

    def _told(self, what: str, fault: str = "") -> str:
        if not fault:
            print(f"maskgate: {what}", file=sys.stderr)
        return fault
