"""What each door of a fleet was like before it took a bundle and is since, and which of them got worse."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

SHARES = {"UNKNOWN": (1,), "DENY": (1, -1)}
"""States whose share of the verdicts must not rise (1) or fall (-1): where fewer are denied, bare faces may pass."""
VERDICTS = ("ALLOW", "DENY", "UNKNOWN")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a door got worse.

    away_seconds, fault_seconds: it was away or in a FAULT for longer than this in sum, and twice as much as before.
    margin, chance: the share of DENY or UNKNOWN among its verdicts moved by more than `margin`, 0 to 1, and such a move
        has a probability below `chance` where nothing has changed.
    """

    away_seconds: float = 300.0
    fault_seconds: float = 30.0
    margin: float = 0.1
    chance: float = 1e-6


@dataclass(slots=True)
class Period:
    """What a door did in a time. seconds: how long it was watched; away, fault: of these. verdicts: by state."""

    seconds: float = 0.0
    away: float = 0.0
    fault: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Door:
    """One door. version: of its bundle, as told last. took: it was ever the one that is rolled out.

    gone: for how many seconds it has been away, None while it is not or when it was before that began.
    """

    online: bool = False
    state: str = ""
    version: int = 0
    took: bool = False
    gone: float | None = None
    before: Period = field(default_factory=Period)
    after: Period = field(default_factory=Period)


class Fleet:
    """All doors that were heard of, as a version of the bundle reaches one after the other.

    A door that goes away after `begin` without having said which version it runs may have been broken by it, and counts
    as one that took it. One that was away before does not.
    """

    def __init__(self, version: int, limits: Limits) -> None:
        self.doors: dict[str, Door] = {}
        self._version = version
        self._limits = limits
        self._begun = False

    def begin(self) -> None:
        """The version is offered from now on."""
        self._begun = True

    def availability(self, name: str, online: bool) -> None:
        door = self._door(name)
        if online:
            door.gone = None
        elif door.online and self._begun:
            door.gone = 0.0
        door.online = online

    def bundle(self, name: str, version: int) -> None:
        """The version of the bundle that judges there now."""
        door = self._door(name)
        door.version = version
        door.took |= version == self._version

    def state(self, name: str, state: str) -> None:
        """What the door shows now."""
        self._door(name).state = state

    def verdicts(self, name: str, counted: dict[str, int]) -> None:
        """How often each state was shown since the door told it last."""
        door = self._door(name)
        self._period(door).verdicts.update({state: max(0, counted.get(state, 0)) for state in VERDICTS})

    def pass_time(self, seconds: float) -> None:
        """It went on like this for some seconds."""
        for door in self.doors.values():
            period = self._period(door)
            period.seconds += seconds
            if not door.online:
                period.away += seconds
            elif door.state == "FAULT":
                period.fault += seconds
            if door.gone is not None:
                door.gone += seconds

    @property
    def present(self) -> int:
        return sum(door.online for door in self.doors.values())

    def has(self, name: str) -> bool:
        """Whether the door told that it took the version."""
        return self._door(name).took

    def having(self) -> list[str]:
        """The doors that took the version, or may have."""
        return [name for name, door in self.doors.items() if door.took or self._lost(door)]

    def worse(self) -> dict[str, str]:
        """The doors among them that got worse, each with the reason."""
        reasons = {name: self._reason(self.doors[name]) for name in self.having()}
        return {name: reason for name, reason in reasons.items() if reason}

    def together(self) -> str:
        """Why the others that took it got worse, though each saw too few people to tell; "" if they did not."""
        before, after = Counter[str](), Counter[str]()
        for door in self.doors.values():
            if door.took and not self._reason(door):
                before.update(door.before.verdicts)
                after.update(door.after.verdicts)
        return moved(before, after, self._limits)

    def _door(self, name: str) -> Door:
        return self.doors.setdefault(name, Door())

    def _lost(self, door: Door) -> bool:
        return door.gone is not None and door.gone > self._limits.away_seconds

    def _period(self, door: Door) -> Period:
        return door.after if door.took else door.before

    def _reason(self, door: Door) -> str:
        before, after, limits = door.before, door.after, self._limits
        if self._lost(door):
            return f"went away {door.gone:.0f} s ago"
        if door.version < self._version:
            return f"went back to version {door.version}"
        if more(after.away, after.seconds, before.away, before.seconds, limits.away_seconds):
            return f"away for {after.away:.0f} of {after.seconds:.0f} s"
        if more(after.fault, after.seconds, before.fault, before.seconds, limits.fault_seconds):
            return f"in a FAULT for {after.fault:.0f} of {after.seconds:.0f} s"
        return moved(before.verdicts, after.verdicts, limits)


def more(after: float, after_seconds: float, before: float, before_seconds: float, limit: float) -> bool:
    """Whether something lasted longer than the limit, and for at least twice the share of the time as before."""
    return after > limit and after * before_seconds >= 2 * before * after_seconds


def moved(before: Counter[str], after: Counter[str], limits: Limits) -> str:
    """Which state's share of the verdicts is out of line with before; "" for none."""
    for state, directions in SHARES.items():
        was, now = (count[state] / max(1, count.total()) for count in (before, after))
        rose = now > was
        if (1 if rose else -1) not in directions or abs(now - was) <= limits.margin:
            continue
        if luck(before[state], before.total(), after[state], after.total(), rose) < limits.chance:
            return f"{state} for {now:.0%} of {after.total()} people, {was:.0%} of {before.total()} before"
    return ""


def luck(before: int, before_all: int, after: int, after_all: int, rose: bool) -> float:
    """The probability of so many afterwards, or more (or fewer, unless `rose`), by chance: Fisher's exact test."""
    total, marked = before_all + after_all, before + after
    counts = range(after, min(marked, after_all) + 1) if rose else range(max(0, marked - before_all), after + 1)
    whole = _ways(total, after_all)
    return sum(math.exp(_ways(marked, n) + _ways(total - marked, after_all - n) - whole) for n in counts)


def _ways(many: int, some: int) -> float:
    """The logarithm of the number of ways to choose some of many."""
    return math.lgamma(many + 1) - math.lgamma(some + 1) - math.lgamma(many - some + 1)
