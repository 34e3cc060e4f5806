"""Watches what is on trial: it stays when it does well for long enough, else what was before comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.notify import notify
from edge.update.change import back, locked, save, sweep
from edge.update.service import Service
from edge.update.store import State, Trial, load
from edge.update.trial import after, after_boot, ailment, failure, passed

INTERVAL = 2.0
SAVED = 60.0
"""Seconds of a trial that a power cut may make it repeat; more often would wear out the card."""


class Watch:
    """One trial after the other, until none is left.

    store: folder. service: what is watched. boot: id of this start of the machine. clock: seconds; sleep: for so many.
    """

    def __init__(
        self,
        store: Path,
        service: Service,
        boot: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._service, self._boot = store, service, boot
        self._clock, self._sleep = clock, sleep

    def run(self) -> bool:
        """Watch to the end; whether all stayed. Raises BundleError when the store cannot be read."""
        trial, all_stayed = self._begin(), True
        # only now does systemd start the service: a boot counts even if the release brings the machine down at once
        notify("READY=1")
        while trial is not None:
            all_stayed &= self._one(trial)
            trial = self._begin()
        return all_stayed

    def _begin(self) -> Trial | None:
        with locked(self._store, wait=True):
            state = load(self._store)
            if state.trial is None:
                sweep(self._store, state)
                return None
            trial = after_boot(state.trial, self._boot)
            self._keep(state, trial)
        return trial

    def _one(self, trial: Trial) -> bool:
        """Whether it stayed, or was ended by somebody else."""
        seen, then = self._service.look(), self._clock()
        saved, ill = then, ""
        while not passed(trial) and not failure(trial):
            self._sleep(INTERVAL)
            last, (seen, now) = seen, (self._service.look(), self._clock())
            # a count that fell began anew
            restarts = seen.restarts - last.restarts if seen.restarts >= last.restarts else seen.restarts
            trial = after(trial, seen, min(now - then, 2 * INTERVAL), restarts)
            ill, then = ailment(trial, seen) or ill, now
            if not _is_of(load(self._store), trial):
                return True
            if now - saved > SAVED:
                self._update(trial)
                saved = now
        return self._end(trial, failure(trial, ill))

    def _update(self, trial: Trial) -> None:
        with locked(self._store, wait=True):
            if _is_of(state := load(self._store), trial):
                self._keep(state, trial)

    def _end(self, trial: Trial, reason: str) -> bool:
        with locked(self._store, wait=True):
            if not _is_of(state := load(self._store), trial):
                return True
            if reason:
                state = back(self._store, state, trial.kind, reason, now_text())
            else:
                self._keep(state, None)
        if not reason:
            print(f"{trial.release}: did well; it stays", flush=True)
            return True
        print(f"{trial.release}: {reason}; back to {used(state, trial)}", flush=True)
        self._service.restart()
        return False

    def _keep(self, state: State, trial: Trial | None) -> None:
        if trial != state.trial:
            save(self._store, msgspec.structs.replace(state, trial=trial))


def used(state: State, trial: Trial) -> str:
    """What is in use now of the trial's kind, for people."""
    return state.shelf(trial.kind).current or "what came with the package"


def now_text() -> str:
    """The device's own idea of the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_of(state: State, trial: Trial) -> bool:
    """Whether that is still what is on trial."""
    known = state.trial
    return known is not None and (known.kind, known.release) == (trial.kind, trial.release)
