"""Shows the clip to the daemon, breaks what the plan says, and writes down what was true.

truth.jsonl, times in seconds of the machine's monotonic clock:

    {"frame": 12.3, "faces": ["masked", "bare"], "healthy": true}       what was sent, and whether it proves anything
    {"fault": 0, "kind": "black", "effect": "safe", "begin": 12.3}      the effect as in faults.py
    {"fault": 0, "end": 14.5}

resources.jsonl: every second {"time", "daemon": {...}, "guard": {...}}, each with rss, in bytes and without the
pictures that the channel shares; cpu, in seconds; threads and files.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import numpy as np

from edge.values import Rgb
from tests.soak.channel import Channel
from tests.soak.faults import Fault
from tests.soak.scene import Clip, Course

RATE = 30.0
STAY_SECONDS = 6.0
"""After a fault, everybody in view is masked for this long, so that the door can be seen to recover."""
STAY_ON = 0.6
"""How often, 0 to 1, they then stay until the next fault, so that it strikes while the door is open."""
SAMPLE_SECONDS, TELL_SECONDS = 1.0, 60.0
TICKS = os.sysconf("SC_CLK_TCK")


class Injector:
    """Breaks the process `daemon`, whose guard is `guard`; its files lie in `folder`."""

    def __init__(self, folder: Path, channel: Channel, daemon: int, guard: int, seed: int, clip: Clip) -> None:
        self._folder, self._channel, self._daemon, self._guard = folder, channel, daemon, guard
        self._events = folder / "events.jsonl"
        self._chance = np.random.default_rng(seed)
        self._clip, self._course = clip, Course()
        self._fault: Fault | None = None
        self._last: Rgb = clip.picture(0.0)
        self._age = 0.0
        self.frames = self.faults = 0

    def run(self, faults: Sequence[Fault], seconds: float, alive: Callable[[], bool]) -> None:
        """Until the time is over, or the daemon has ended."""
        with (
            (self._folder / "truth.jsonl").open("w", 1 << 14) as truth,
            (self._folder / "resources.jsonl").open("w", 1) as samples,
        ):
            try:
                self._run(list(faults), seconds, alive, truth, samples)
            finally:
                if self._fault is not None:
                    self._end(truth)

    def _run(
        self, faults: list[Fault], seconds: float, alive: Callable[[], bool], truth: TextIO, samples: TextIO
    ) -> None:
        start = before = time.monotonic()
        next_sample, next_tell, go_on = start, start + TELL_SECONDS, 0.0
        while (now := time.monotonic()) - start < seconds and alive():
            if self._fault is None and faults and now - start >= faults[0].begin:
                self._begin(faults.pop(0), truth)
                go_on = 0.0
            elif self._fault is not None and now - start >= self._fault.end:
                self._end(truth)
                self._course.stay(self._chance.integers(2))
                go_on = math.inf if self._chance.random() < STAY_ON else now + STAY_SECONDS
            if now >= go_on:
                self._course.go_on()
            self._show(self._course.step(now - before), truth)
            before = now
            if now >= next_sample:
                next_sample = now + SAMPLE_SECONDS
                self._sample(samples)
            if now >= next_tell:
                next_tell += TELL_SECONDS
                print(f"{(now - start) / 60:5.1f} min  {self.frames} frames, {self.faults} faults", flush=True)
            time.sleep(max(0.0, now + 1 / RATE - time.monotonic()))

    def _show(self, seconds: float, truth: TextIO) -> None:
        """One frame, as the fault lets it be."""
        kind = self._fault.kind if self._fault else None
        name = kind.name if kind else ""
        if kind and not kind.delivered:
            return
        if name != "frozen":
            rgb = self._clip.picture(seconds)
            self._last = self._clip.noisy(kind.change(rgb)) if kind and kind.change else rgb
        moment = time.monotonic() - (self._age if name == "old frames" else 0.0)
        healthy = kind is None or kind.healthy
        # what is true is written first, as the daemon may be quicker
        _write(truth, {"frame": round(moment, 4), "faces": self._clip.faces(seconds), "healthy": healthy})
        self._channel.send(self._last, moment)
        self.frames += 1

    def _begin(self, fault: Fault, truth: TextIO) -> None:
        self._fault = fault
        kind = fault.kind
        self._age = self._chance.uniform(0.6, 3.0)
        begin = time.monotonic()
        self._channel.fault = kind.name
        with suppress(ProcessLookupError):  # that it has ended is found elsewhere
            self._break(kind.name)
        record = {"fault": self.faults, "kind": kind.name, "effect": kind.effect, "begin": round(begin, 4)}
        _write(truth, record)

    def _break(self, name: str) -> None:
        """What is broken from outside."""
        if name == "daemon stopped":
            os.kill(self._daemon, signal.SIGSTOP)
        elif name == "guard stopped":
            os.kill(self._guard, signal.SIGSTOP)
        elif name == "log disk full":
            self._limit(self._daemon, self._events.stat().st_size + int(self._chance.integers(300)))
        elif name == "log folder gone":
            self._events.rename(self._folder / "taken away")
            self._events.mkdir()
        elif name == "lines not writable":
            self._limit(self._guard, (self._folder / "outputs.jsonl").stat().st_size)

    def _end(self, truth: TextIO) -> None:
        assert self._fault is not None
        self._channel.fault = ""
        with suppress(ProcessLookupError):
            self._mend(self._fault.kind.name)
        _write(truth, {"fault": self.faults, "end": round(time.monotonic(), 4)})
        self._fault = None
        self.faults += 1

    def _mend(self, name: str) -> None:
        if name == "daemon stopped":
            os.kill(self._daemon, signal.SIGCONT)
        elif name == "guard stopped":
            os.kill(self._guard, signal.SIGCONT)
        elif name == "log disk full":
            self._limit(self._daemon, resource.RLIM_INFINITY)
        elif name == "log folder gone":
            self._events.rmdir()
            (self._folder / "taken away").rename(self._events)
        elif name == "lines not writable":
            self._limit(self._guard, resource.RLIM_INFINITY)

    def _limit(self, process: int, most: int) -> None:
        """No file of a process may grow beyond so many bytes."""
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def _sample(self, samples: TextIO) -> None:
        both = {"daemon": usage(self._daemon), "guard": usage(self._guard)}
        _write(samples, {"time": round(time.monotonic(), 3), **both})


def usage(process: int) -> dict[str, float]:
    """What a process uses; empty once it has ended."""
    folder = Path(f"/proc/{process}")
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        files = len(list((folder / "fd").iterdir()))
    except (OSError, ValueError):
        return {}
    kilobytes = sum(int(status[key].split()[0]) for key in ("RssAnon", "RssFile") if key in status)
    cpu = (int(times[11]) + int(times[12])) / TICKS
    return {"rss": kilobytes * 1024, "threads": int(status["Threads"]), "files": files, "cpu": round(cpu, 2)}


def _write(file: TextIO, record: dict[str, object]) -> None:
    file.write(json.dumps(record) + "\n")
