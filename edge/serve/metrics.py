"""What Prometheus scrapes at /metrics: counts of this door since this program started, and how it does now.

All names begin with `maskgate_`; seconds, degrees Celsius and fractions from 0 to 1. There are about 160 series, and no
more with time: the values of every label are known beforehand. What is not known just now is NaN.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from edge.bulletin import About, Bulletin
from edge.serve.temperature import hottest
from edge.values import Signal, State

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
STAGES = ("check", "resize", "locate", "decode", "crop", "classify", "decide", "output")
SIGNALS = tuple(signal for signal in Signal if signal != Signal.HEARTBEAT)
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
"""Seconds; a frame older than `decision.frame_age_limit`, 0.5 by default, is a fault."""

KINDS = {
    "picture": r"^(the picture|the lens|the camera was moved|the camera repeats|frames of)",
    "late": r"^the frame was",
    "log": r"^(the event log|EventLog)",
    "output": r"^(output|line \d+ \(|the guard)|the output lines",
    "camera": r"camera|/dev/video|v4l2",
    "model": r"bundle|classifier|locator|\.tflite|gives the same answer",
}
"""What a fault's reason tells of its kind; the first that matches."""
OTHER = "other"
"""Any other fault: memory, or a mistake in the program."""


def fault_kind(reason: str) -> str:
    """One of KINDS, or OTHER."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, reason)), OTHER)


class Metrics:
    """Listens to the daemon; called, it gives the text of /metrics, whose type is CONTENT_TYPE.

    clock: the machine's monotonic one. temperature: degrees Celsius, None when unknown.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        temperature: Callable[[], float | None] = hottest,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series
        self._registry = CollectorRegistry()
        self._clock = clock
        self._temperature = temperature
        self._counts = Counts(self._registry)
        self._present = Present(self._registry)
        self._on = False
        self._about: About | None = None
        self._last: Bulletin | None = None
        self._judged = clock()

    def bulletin(self, bulletin: Bulletin) -> None:
        self._counts.add(bulletin, self._last)
        self._last = bulletin
        if bulletin.state != State.FAULT:
            self._judged = bulletin.time

    def about(self, about: About) -> None:
        if self._about is None or about.started != self._about.started:
            self._counts.starts.inc()
        self._about = about

    def connected(self, on: bool) -> None:
        self._on = on

    def __call__(self) -> bytes:
        now = self._clock()
        degrees = self._temperature()
        self._present.frame_age.set(now - self._judged)
        self._present.temperature.set(math.nan if degrees is None else degrees)
        self._present.up.set(self._on)
        self._present.show(self._last if self._on else None)
        if self._about:
            self._present.describe(self._about, now, self._on)
        return generate_latest(self._registry)


class Counts:
    """What only grows. All of it is 0 at first, so that Prometheus sees the first of each too."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counters(name: str, text: str, label: str, values: Iterable[str]) -> dict[str, Counter]:
            counter = Counter(f"maskgate_{name}", text, [label], registry=registry)
            return {str(value): counter.labels(str(value)) for value in values}

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"maskgate_{name}", text, labels, registry=registry, buckets=BUCKETS)

        stage_seconds = histogram("stage_seconds", "Where the time of a frame goes.", "stage")
        self._stages = {stage: stage_seconds.labels(stage) for stage in STAGES}
        self._late = histogram("frame_to_decision_seconds", "From a frame to its decision; faults have none.")
        self._decisions = counters("decisions", "Decisions, one a frame.", "state", State)
        self._changes = counters("changes", "Changes to a state, as in the event log.", "state", State)
        self._signals = counters("signals", "How often a signal began to hold.", "signal", SIGNALS)
        self._faults = counters("faults", "Changes to FAULT, by what is broken.", "kind", [*KINDS, OTHER])
        self.starts = Counter(
            "maskgate_daemon_starts", "How often a daemon was found newly started.", registry=registry
        )

    def add(self, bulletin: Bulletin, before: Bulletin | None) -> None:
        """Count a bulletin. What this version does not know is not counted."""
        _count(self._decisions, bulletin.state)
        if before is None or bulletin.kind != before.kind:
            _count(self._changes, bulletin.state)
            if bulletin.state == State.FAULT:
                _count(self._faults, fault_kind(bulletin.reason))
        for signal in set(bulletin.signals) - set(before.signals if before else ()):
            _count(self._signals, signal)
        self._time(bulletin)

    def _time(self, bulletin: Bulletin) -> None:
        if bulletin.state != State.FAULT:
            self._late.observe(bulletin.late)
        for stage, seconds in bulletin.stages.items():
            if stage in self._stages:
                self._stages[stage].observe(seconds)


class Present:
    """What rises and falls, set when it is asked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"maskgate_{name}", text, labels, registry=registry)

        def unknown(name: str, text: str) -> Gauge:
            made = gauge(name, text)
            made.set(math.nan)
            return made

        self.up = gauge("daemon_up", "Whether the daemon answers.")
        self._state = gauge("state", "1 for the state that holds, while the daemon answers.", "state")
        self._signal = gauge("signal", "1 for the signals that hold, while the daemon answers.", "signal")
        self.frame_age = gauge("frame_age_seconds", "Age of the last frame that was judged; grows in a FAULT.")
        self.temperature = unknown("temperature_celsius", "Of the board's hottest sensor.")
        self._uptime = unknown("daemon_uptime_seconds", "How long the daemon runs.")
        self._brightness = unknown("brightness_ratio", "Of the last frame, 0 to 1.")
        self._version = unknown("bundle_version", "Version of the models that judge.")
        self._made = unknown("bundle_made_timestamp_seconds", "When the models were made.")
        self._drift = gauge("drift_index", "Population stability index of what is watched.", "quantity")
        self._drift_alarm = unknown("drift_alarm", "1 while the people at the door look unlike the models' tests.")
        self._drift_people = unknown("drift_people", "How many people the index rests on.")
        self._crops = unknown("review_crops", "Encrypted faces that wait to be reviewed.")
        self._view = unknown("view_on", "1 while pictures are shown on the page.")
        self._missed = unknown("missed_messages", "What followers of the daemon were too slow for, since it started.")
        self._info = Info("maskgate", "What runs: bundle, version of maskgate, mode, hardware.", registry=registry)

    def show(self, last: Bulletin | None) -> None:
        """The last decision; None while the daemon does not answer."""
        for state in State:
            self._state.labels(str(state)).set(last is not None and last.state == state)
        for signal in SIGNALS:
            self._signal.labels(str(signal)).set(last is not None and signal in last.signals)

    def describe(self, about: About, now: float, on: bool) -> None:
        """now: the daemon's clock. on: whether the daemon answers."""
        self._uptime.set(now - about.started if on else math.nan)
        self._brightness.set(about.brightness)
        self._version.set(_version(about.bundle))
        self._made.set(_timestamp(about.made))
        self._drift.clear()
        for quantity, index in about.drift.index.items():
            self._drift.labels(quantity).set(index)
        self._drift_alarm.set(bool(about.drift.alarm))
        self._drift_people.set(about.drift.people)
        self._crops.set(about.kept)
        self._view.set(on and now < about.view_until)
        self._missed.set(about.missed)
        self._info.info(
            {
                "bundle": about.bundle,
                "version": about.version,
                "mode": about.mode,
                "runs_on": about.runs_on.partition(":")[0],  # what follows is an error's text
            }
        )


def _count(counters: dict[str, Counter], name: str) -> None:
    if counter := counters.get(name):
        counter.inc()


def _version(bundle: str) -> float:
    """4 for "maskgate-4"; NaN for no bundle."""
    number = bundle.rpartition("-")[2]
    return float(number) if number.isdecimal() else math.nan


def _timestamp(made: str) -> float:
    """Seconds since 1970 of an ISO 8601 time; NaN for none."""
    try:
        return datetime.fromisoformat(made).timestamp()
    except ValueError:
        return math.nan
