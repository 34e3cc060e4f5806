"""Tells each decision: to the outputs first, then to the observers, which can neither delay nor change it."""

from __future__ import annotations

import math
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from edge.errors import OutputError, in_one_line
from edge.laps import Laps
from edge.notify import Status, notify
from edge.values import Decision, Frame, State

Observer = Callable[[Decision, Frame | None], None]
"""Gets each finished decision with its frame; a fault may have none."""

BACKLOG = 64
"""Decisions that wait for a slow observer; then it misses some."""
PATIENCE = 0.5
"""Seconds for which an observer may be busy with one decision before it counts as stuck."""
FAREWELL = 1.0
"""Seconds for which the observers may finish at the end."""


class Shows(Protocol):
    """What drives the lamps: `edge.output.Outputs`, or a stand-in."""

    def show(self, decision: Decision, valid_until: float) -> None: ...


class Announcer:
    """Tells each decision to the outputs, then to the observers.

    valid_seconds: how long a decision stands from the time of its frame on. A fault stands until the next decision.
    laps: where the frame's time goes, for the observers.
    """

    def __init__(
        self, outputs: Shows, observers: Iterable[Observer], valid_seconds: float, laps: Laps | None = None
    ) -> None:
        self._outputs = outputs
        self._observers = list(observers)
        self._valid_seconds = valid_seconds
        self._laps = laps or Laps()

    def show(self, decision: Decision, frame: Frame | None = None) -> None:
        """Raises OutputError when the outputs are lost, once the observers know."""
        faulty = decision.state == State.FAULT
        try:
            self._outputs.show(decision, math.inf if faulty else decision.time + self._valid_seconds)
        except OutputError as error:
            self._tell(Decision(decision.time, State.FAULT, in_one_line(error)), None)
            raise
        self._laps.lap("output")
        self._tell(replace(decision, stages=self._laps.taken()), frame)

    def _tell(self, decision: Decision, frame: Frame | None) -> None:
        for observer in tuple(self._observers):
            try:
                observer(decision, frame)
            except Exception as error:
                self._observers.remove(observer)
                print(f"maskgate: {type(observer).__name__} is dropped: {in_one_line(error)}", file=sys.stderr)


class Apart:
    """An observer in a thread of its own: one that hangs, fails or is slow harms nobody but itself.

    It gets every decision as long as it keeps up; otherwise the oldest that wait are left out. It gets no frames, since
    those that wait would fill the memory; but one that wants only the `newest` decision gets that one's frame, and
    misses what comes while it is busy. clock: seconds.
    """

    def __init__(
        self, observer: Observer, clock: Callable[[], float] = time.monotonic, *, newest: bool = False
    ) -> None:
        self._observer = observer
        self._newest = newest
        self._clock = clock
        self._busy_since = math.inf
        self._name = type(observer).__name__
        self._waiting: queue.Queue[tuple[Decision, Frame | None] | None] = queue.Queue(1 if newest else BACKLOG)
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._late = newest

    def __enter__(self) -> Apart:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._put(None)
        self._thread.join(FAREWELL)

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        self._put((decision, frame if self._newest else None))

    def stuck(self) -> str | None:
        """Why what it keeps is not complete, or None: it has been busy with one decision for too long."""
        busy = self._clock() - self._busy_since
        return f"{self._name} has been busy for {busy:.1f} s" if busy > PATIENCE else None

    def _put(self, item: tuple[Decision, Frame | None] | None) -> None:
        while True:
            try:
                self._waiting.put_nowait(item)
                return
            except queue.Full:
                if not self._late:
                    print(f"maskgate: {self._name} does not keep up; it misses decisions", file=sys.stderr)
                self._late = True
                try:
                    self._waiting.get_nowait()
                except queue.Empty:
                    pass

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                self._busy_since = self._clock()
                self._observer(*item)
                self._busy_since = math.inf
                item = None  # a frame is not kept until the next one comes
            except Exception as error:
                print(f"maskgate: {self._name} is dropped: {in_one_line(error)}", file=sys.stderr)
                return


class NoOutputs:
    """Drives nothing."""

    def show(self, decision: Decision, valid_until: float) -> None:
        pass


class Terminal:
    """Prints a line at each change of state, and of a fault's reason."""

    def __init__(self) -> None:
        self._told: tuple[object, ...] = ()

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        if (told := (decision.state, decision.kind[-1])) != self._told:
            self._told = told
            print(f"{decision.time:.1f} s  {decision.state:<8}  {decision.reason}", flush=True)


class ServiceStatus:
    """Tells the service manager what is going on, for `systemctl status`, `maskgate doctor` and trials of bundles.

    At each change of state and every EVERY seconds, such as "maskgate-4: IDLE, 14.9 frames/s, 21 ms from frame to
    decision"; in a fault its reason. name: what is in use. notify: takes the message. clock: that of the decisions.
    """

    EVERY = 5.0

    def __init__(
        self, name: str, notify: Callable[[str], None] = notify, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._notify = notify
        self._clock = clock
        self._told: tuple[object, ...] = ()
        self._since = clock()
        self._latencies: list[float] = []
        self._pace = "no frame yet"

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        now = self._clock()
        faulty = decision.state == State.FAULT
        if not faulty:
            self._latencies.append(now - decision.time)
        due = now - self._since >= self.EVERY
        if due:
            self._pace = self._measured(now - self._since)
            self._since, self._latencies = now, []
        told = decision.state, decision.kind[-1]
        if due or told != self._told:
            self._told = told
            self._notify(f"STATUS={Status(self._name, decision.state, decision.reason if faulty else self._pace)}")

    def _measured(self, seconds: float) -> str:
        if not self._latencies:
            return "no frame judged"
        late = statistics.median(self._latencies)
        return f"{len(self._latencies) / seconds:.1f} frames/s, {late * 1000:.0f} ms from frame to decision"
