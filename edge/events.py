"""The event log: one JSON object a line at each change of state or signals, chained as `edge.ledger` tells."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.errors import InputError
from edge.ledger import Ledger
from edge.values import Decision, Frame, Track

RETRY_SECONDS = 0.5
"""How long to wait, in the decisions' time, before a file that could not be written is tried again."""

WallClock = Callable[[], datetime]


class EventLog:
    """Writes an event whenever the state, the signals or a fault's reason differ from the ones before.

    A failing write never stops the caller: it is told on standard error and by `fault`, the event waits, and any
    later decision lets it be tried again. wall_clock: tells people the time of an event; without it they are not told.
    """

    def __init__(self, ledger: Ledger, name: str = "events", wall_clock: WallClock | None = None) -> None:
        self._ledger = ledger
        self._name = name
        self._wall_clock = wall_clock
        self._told: tuple[object, ...] | None = None
        self._failed = -math.inf
        self._fault: str | None = None

    @property
    def fault(self) -> str | None:
        """Why events cannot be written at present; None while they can."""
        return self._fault

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        """Take note of a decision; the frame is of no interest here."""
        if decision.kind != self._told:
            self._told = decision.kind
            at = {"at": iso(self._wall_clock())} if self._wall_clock else {}
            self._ledger.add(at | event(decision))
        if self._ledger.behind and not self._failed <= decision.time < self._failed + RETRY_SECONDS:
            self._flush(decision.time)

    def close(self) -> None:
        """Try once more to write what waits, and say what is lost."""
        if self._ledger.behind:
            self._flush(math.inf)
        if self._ledger.waiting:
            print(f"maskgate: {self._name}: {self._ledger.waiting} event(s) were lost", file=sys.stderr)
        self._ledger.close()

    def _flush(self, time: float) -> None:
        try:
            self._ledger.flush()
        except OSError as error:
            if self._fault is None:
                print(f"maskgate: {self._explain(error)}", file=sys.stderr)
            self._failed, self._fault = time, self._explain(error)
        else:
            self._failed, self._fault = -math.inf, None

    def _explain(self, error: OSError) -> str:
        return f"the event log {self._name} cannot be written ({error.strerror})"


@contextmanager
def open_events(file: Path, append: bool = True, max_megabytes: float = math.inf) -> Iterator[EventLog]:
    """An event log in a file, which is added to or, without `append`, begun anew and without the time of day.

    max_megabytes: as in EventSettings. Raises InputError when the file cannot be had; torn or altered, it can.
    """
    ledger = Ledger(file, max_megabytes * 1e6)
    try:
        ledger.open()
        if not append:
            ledger.clear()
    except OSError as error:
        raise InputError(f"{file}: cannot write the events there ({error.strerror}); name another file") from error
    log = EventLog(ledger, str(file), (lambda: datetime.now(UTC)) if append else None)
    try:
        yield log
    finally:
        log.close()


def event(decision: Decision) -> dict[str, Any]:
    """A decision as one object of the log: time to the millisecond, boxes to a tenth of a pixel, scores to 3 digits."""
    return {
        "time": round(decision.time, 3),
        "state": decision.state,
        "signals": sorted(decision.signals),
        "reason": decision.reason,
        "faces": [_face(track) for track in decision.tracks],
    }


def iso(moment: datetime) -> str:
    """As in 2026-05-01T09:30:00.125Z: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _face(track: Track) -> dict[str, Any]:
    box = [round(edge, 1) for edge in track.box]
    return {"id": track.id, "box": box, "label": track.label, "score": round(track.score, 3)}
