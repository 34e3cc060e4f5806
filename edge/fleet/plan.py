"""Decides when a bundle is offered to more doors, and when to none any more: no clock, no broker, no index."""

from __future__ import annotations

from dataclasses import dataclass

from edge.fleet.doors import Fleet

STEPS = (1.0, 5.0, 10.0, 25.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a rollout goes.

    steps: percentages, each higher than the one before, 0 to 100.
    before_seconds: how long the doors are watched before the first.
    soak_seconds: how long a step lasts at least. Doors look at the index once an hour: in two, each is watched for one.
    patience_seconds: how long half of the doors that a step is meant for may need to take the bundle.
    worse: the fraction of the doors that took it which stops everything.
    blind_seconds: so does a broker that is away for this long.
    """

    steps: tuple[float, ...] = STEPS
    before_seconds: float = 3600.0
    soak_seconds: float = 7200.0
    patience_seconds: float = 86_400.0
    worse: float = 0.05
    blind_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Move:
    """What to do now. percent: to be written into the index. stopped: why that is 0; "" when it is a step."""

    percent: float
    stopped: str = ""


class Rollout:
    """One rollout.

    percent: offered so far; when it is not 0 at the start, an earlier rollout goes on. done: the last step went well.
    """

    def __init__(self, plan: Plan, fleet: Fleet, percent: float = 0.0) -> None:
        self.percent = percent
        self.done = False
        self._plan, self._fleet = plan, fleet
        self._seconds = self._blind_seconds = 0.0
        if percent:
            fleet.begin()

    def pass_time(self, seconds: float, seen: bool = True) -> Move | None:
        """Some seconds went by in which the doors could be `seen`, or not; the move to make, if any."""
        if not seen:
            return self._grope(seconds)
        self._blind_seconds = 0.0
        self._seconds += seconds
        self._fleet.pass_time(seconds)
        if why := self._why_stop():
            return self._to(0.0, why)
        if self._seconds < self._wait_seconds or not self._taken:
            return None
        return self._next()

    def _grope(self, seconds: float) -> Move | None:
        self._blind_seconds += seconds
        if self._blind_seconds < self._plan.blind_seconds or not self.percent:
            return None
        return self._to(0.0, f"the broker has been away for {self._blind_seconds:.0f} s, and nobody sees the doors")

    def _why_stop(self) -> str:
        if not self.percent:
            late = self._seconds > self._plan.before_seconds + self._plan.blind_seconds
            return "not a door was heard of" if late and not self._fleet.present else ""
        having, worse = len(self._fleet.having()), len(self._fleet.worse())
        if worse and worse >= self._plan.worse * having:
            return f"{worse} of {having} doors that took it got worse"
        if together := self._fleet.together():
            return f"{having} doors took it, and those without a fault of their own show together {together}"
        if self._seconds > self._plan.patience_seconds and not self._taken:
            return f"only {having} of about {self.expected:.0f} doors took it in {self._seconds:.0f} s"
        return ""

    @property
    def expected(self) -> float:
        """How many doors the present step is meant for."""
        return self._fleet.present * self.percent / 100

    @property
    def _taken(self) -> bool:
        return self._fleet.present > 0 and len(self._fleet.having()) >= int(self.expected / 2)

    @property
    def _wait_seconds(self) -> float:
        return self._plan.soak_seconds if self.percent else self._plan.before_seconds

    def _next(self) -> Move | None:
        higher = [step for step in self._plan.steps if step > self.percent]
        if not higher:
            self.done = True
            return None
        self._fleet.begin()
        return self._to(higher[0])

    def _to(self, percent: float, stopped: str = "") -> Move:
        self.percent, self._seconds = percent, 0.0
        return Move(percent, stopped)
