"""All that observes the daemon's decisions, as the settings ask; none of it can delay or change the signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from edge import __version__
from edge.announce import Apart, Observer, ServiceStatus, Terminal
from edge.bulletin import About, Drift
from edge.contract import Bundle
from edge.door import Check
from edge.drift import DriftWatch, read_reference
from edge.events import open_events
from edge.people import Consumer, People
from edge.remote import Remote
from edge.review import forget, open_review
from edge.schedule import mode_at
from edge.settings import Settings
from edge.share import Share
from edge.view import View
from edge.zone import Zone


class Bystanders:
    """The observers, and what those who follow may ask. bundle: what judges. runs_on: where, for people."""

    def __init__(
        self, settings: Settings, bundle: Bundle | None = None, runs_on: Callable[[], str] = lambda: ""
    ) -> None:
        self._settings = settings
        self._bundle = bundle
        self._contract = bundle.contract if bundle else None
        self._runs_on = runs_on
        self._started = time.monotonic()
        self._brightness: Callable[[], float] = lambda: 0.0
        self._drift: Callable[[], Drift] = Drift
        self._kept: Callable[[], int] = lambda: 0
        share = settings.share
        self.zone = Zone(settings.zone, Path(share.zone_file) if share.zone_file else None)
        self.remote = Remote(settings, self.zone)

    @property
    def name(self) -> str:
        """Of what judges, NAME-VERSION."""
        return f"{self._contract.name}-{self._contract.version}" if self._contract else "no-bundle"

    def enter(self, stack: ExitStack) -> tuple[list[Observer], list[Check]]:
        """The observers, at work until the stack is left; and what can be wrong with those that the door needs."""
        observers: list[Observer] = [ServiceStatus(self.name), stack.enter_context(Apart(Terminal()))]
        checks: list[Check] = []
        if self._settings.events.file:
            log, checks = self._log(stack)
            observers.append(log)
        if self._settings.share.socket:
            observers += self._shared(stack)
        if consumers := self._consumers(stack):
            people = People(consumers, keep_crops=self._settings.review.enabled)
            observers.append(stack.enter_context(Apart(people, newest=True)))
        return observers, checks

    def _log(self, stack: ExitStack) -> tuple[Observer, list[Check]]:
        settings = self._settings.events
        events = stack.enter_context(open_events(Path(settings.file), True, settings.max_megabytes))
        log = stack.enter_context(Apart(events))
        return log, [lambda: events.fault, log.stuck] if settings.required else []

    def _shared(self, stack: ExitStack) -> list[Observer]:
        share = stack.enter_context(Share(Path(self._settings.share.socket), self.about, self.remote.do))
        view = View(lambda: self.remote.view_until > 0, share.picture)
        self._brightness = lambda: view.brightness
        return [stack.enter_context(Apart(share)), stack.enter_context(Apart(view, newest=True))]

    def _consumers(self, stack: ExitStack) -> list[Consumer]:
        """Who learns of each person that was here; they end after the last one."""
        consumers: list[Consumer] = []
        if self._settings.drift.file and self._bundle is not None:
            drift = self._settings.drift
            watch = DriftWatch(Path(drift.file), self.name, read_reference(self._bundle), drift.alarm_above)
            stack.callback(watch.save)
            self._drift = watch.report
            consumers.append(watch)
        if self._settings.review.enabled:
            review = stack.enter_context(open_review(self._settings.review))
            self._kept = lambda: review.kept
            consumers.append(review)
        else:
            forget(Path(self._settings.review.folder))
        return consumers

    def about(self, missed: int) -> About:
        """What is told of the daemon. missed: messages that followers did not take."""
        settings, zone = self._settings, self.zone
        return About(
            bundle=self.name,
            made=self._contract.made if self._contract else "",
            version=__version__,
            runs_on=self._runs_on(),
            started=self._started,
            mode=mode_at(settings, datetime.now()),
            zone=zone.now.polygon,
            min_face_height=zone.now.min_face_height,
            zone_can_change=zone.can_change,
            view=settings.share.view,
            override=settings.share.override,
            view_until=self.remote.view_until,
            brightness=self._brightness(),
            review=settings.review.enabled,
            kept=self._kept(),
            missed=missed,
            drift=self._drift(),
        )
