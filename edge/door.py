"""From a frame to a decision: is the frame to be trusted, who is in it, and what does that mean for the door."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from edge.calm import Calm
from edge.decide import DoorPolicy
from edge.errors import in_one_line
from edge.health import FrameHealth
from edge.laps import Laps
from edge.movement import Movement
from edge.schedule import mode_at
from edge.settings import Settings, ZoneSettings
from edge.track import Tracker
from edge.values import Decision, Frame, Inputs, Judged, Rgb, State

Clock = Callable[[], float]
Check = Callable[[], str | None]
"""Why nothing can be trusted just now, for people; None when all is well."""


class FaceJudge(Protocol):
    """What finds and classifies faces: `edge.judge.Judge`, or a stand-in."""

    def judge(self, rgb: Rgb) -> Sequence[Judged]: ...


class Door:
    """From frame to decision: judge, track, decide. Frames must come in the order of their times.

    inputs: what the door's input lines say. local_time: of the wall clock, for the weekly schedule alone. zone: which
    faces count, by default as the settings say; it may change. empty: whether nobody is in view, near or far.
    """

    def __init__(
        self,
        judge: FaceJudge,
        settings: Settings,
        inputs: Callable[[], Inputs] = Inputs,
        local_time: Callable[[], datetime] = datetime.now,
        zone: Callable[[], ZoneSettings] | None = None,
    ) -> None:
        self._judge = judge
        self._settings = settings
        self._zone = zone or (lambda: settings.zone)
        self._inputs = inputs
        self._local_time = local_time
        self._tracker = Tracker(settings.decision)
        self._movement = Movement()
        self._policy = DoorPolicy(self._zone(), settings.decision, settings.door)
        self.empty = True

    def see(self, frame: Frame, shows_nobody: bool = False) -> Decision:
        """The decision that rests on this frame. shows_nobody: that is known already, so that it is not judged."""
        faces = () if shows_nobody else self._judge.judge(frame.rgb)
        tracks = self._movement.update(self._tracker.update(faces, frame.time), frame)
        self.empty = not tracks
        height, width = frame.rgb.shape[:2]
        mode = mode_at(self._settings, self._local_time())
        self._policy.zone = self._zone()
        return self._policy.update(tracks, (width, height), frame.time, self._inputs(), mode)


class LiveDoor:
    """A door that judges only what can be trusted; whatever is wrong is the state FAULT, with its reason.

    new_door: gives a door where nobody has been seen yet; after a fault all begins anew. checks: what else can be
    wrong, asked for every frame. clock: that of the frames' times. laps: gets what each frame's time was spent on.
    calm: where it is told whether all is calm, for whoever takes the frames.
    """

    def __init__(
        self,
        new_door: Callable[[], Door],
        settings: Settings,
        checks: Sequence[Check] = (),
        clock: Clock = time.monotonic,
        laps: Laps | None = None,
        calm: Calm | None = None,
    ) -> None:
        self._calm = calm or Calm(settings.decision)
        self._new_door = new_door
        self._laps = laps or Laps()
        self._door: Door | None = None
        self._age_limit = settings.decision.frame_age_limit
        self._health = FrameHealth(settings.health)
        self._checks = checks
        self._clock = clock

    def see(self, frame: Frame) -> Decision | None:
        """The decision that rests on this frame; what the judge raises is a fault too.

        None for a frame that only repeats the one before, or is left out while all is calm: nothing rests on it, and
        the decision before it grows old.
        """
        if not self._calm.wants(frame.time):
            return None
        self._laps.begin()
        reason = self._distrust(frame)
        self._laps.lap("check")
        if reason is None and self._health.repeated:
            return None
        if reason is None:
            try:
                decision = self._judge(frame)
            except Exception as error:
                reason = in_one_line(error)
            else:
                self._laps.lap("decide")
                reason = self._late(frame, "judged")
        if reason is None:
            return decision
        return self.fault(reason)

    def fault(self, reason: str) -> Decision:
        """The decision while nothing can be judged."""
        self._door = None
        self._calm.forget()
        return Decision(self._clock(), State.FAULT, reason)

    def _judge(self, frame: Frame) -> Decision:
        self._door = self._door or self._new_door()
        edges = self._health.picture.edges if self._health.picture else None
        shows_nobody = edges is not None and self._calm.shows_nobody(edges, frame.time)
        decision = self._door.see(frame, shows_nobody)
        if not shows_nobody:
            self._calm.located(self._door.empty, edges, frame.time)
        return decision

    def _distrust(self, frame: Frame) -> str | None:
        reasons = (check() for check in (lambda: self._late(frame, "here"), *self._checks))
        # the picture's health is looked at in any case, as it depends on the frames before
        picture = self._health.check(frame)
        return next((reason for reason in reasons if reason), picture)

    def _late(self, frame: Frame, what: str) -> str | None:
        age = self._clock() - frame.time
        if age <= self._age_limit:
            return None
        return f"the frame was {age:.2f} s old when it was {what}, the limit is {self._age_limit:g} s"


class Unchanged:
    """A check that files are what they were at the start: not replaced, written to or removed."""

    def __init__(self, files: Sequence[Path], every: float = 0.25, clock: Clock = time.monotonic) -> None:
        self._files = [(file, _identity(file)) for file in files]
        self._every = every
        self._clock = clock
        self._looked = -every
        self._reason: str | None = None

    def __call__(self) -> str | None:
        """See Check; looks at the files every so many seconds."""
        now = self._clock()
        if now - self._looked >= self._every:
            self._looked = now
            changed = [file for file, identity in self._files if _identity(file) != identity]
            self._reason = f"{changed[0]} was changed on disk; restart to check and load it" if changed else None
        return self._reason


def _identity(file: Path) -> tuple[int, ...] | None:
    try:
        known = file.stat()
    except OSError:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns
