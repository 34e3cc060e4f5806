"""Whether the people at the door come to look unlike those that the models were tested on, told by counts alone.

Whole days are held against what is normal: the bundle's reference, counted on the photos that it was tested with, or
what the owner has accepted instead. A door is no photo album, so a new door may well differ from the first day on: look
why, and if it does well all the same, accept it. A change for the better (surer, fewer unknown) is no alarm.

FILE           each day's counts, no pictures; the daemon alone writes it, every ten minutes while people come
FILE.accepted  what the owner accepted; `maskgate drift accept` alone writes it, deleting it undoes that
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.bulletin import Drift
from edge.contract import Bundle
from edge.disk import replace_file
from edge.errors import BundleError, InputError
from edge.people import Person
from edge.stability import OF_THE_MODELS, QUANTITIES, Counts, Shift, add, fitting, shift, together

WINDOWS = (1, 7, 30)
"""Days that are looked at together; the highest index counts."""
KEPT_DAYS = 31
LEAST_PEOPLE = 30
"""Fewer tell nothing; a window that holds fewer reaches further back."""
LEAST_ACCEPTED = 200
"""What rests on fewer is too uncertain to tell a shift by."""
SAVE_SECONDS = 600.0

Many = Annotated[int, Meta(ge=0)]


class Reference(msgspec.Struct, frozen=True):
    """What is normal: `reference.json` of a bundle, or FILE.accepted.

    people: how many it rests on. bundle: NAME-VERSION of what judged them. since: the first accepted day.
    """

    people: Many
    counts: Counts
    bundle: str = ""
    since: str = ""


class Day(msgspec.Struct, frozen=True):
    """The people of a day, YYYY-MM-DD of the device's clock."""

    date: str
    counts: Counts

    @property
    def people(self) -> int:
        return sum(self.counts.get("brightness", ()))


class Kept(msgspec.Struct, frozen=True):
    """The whole of FILE: what judged, NAME-VERSION, and the days, that which was added to last at the end."""

    bundle: str
    days: list[Day] = []


@dataclass(frozen=True, slots=True)
class Normal:
    """What the days are held against. since: the first day that is; "" for all. accepted: by the owner."""

    counts: Counts
    since: str = ""
    accepted: bool = False


class DriftWatch:
    """Counts people, as a consumer of `people.People`, and tells how unlike the normal ones they are.

    file: its counts, taken up again. bundle: NAME-VERSION of what judges. reference: of that bundle, if it has one.
    today: the date, YYYY-MM-DD, by default the device's; it may jump. A disk that fails is told, and tried again.
    """

    def __init__(
        self,
        file: Path,
        bundle: str,
        reference: Reference | None,
        alarm_above: float,
        today: Callable[[], str] = lambda: date.today().isoformat(),
    ) -> None:
        self._file = file
        self._bundle = bundle
        self._reference = reference
        self._alarm_above = alarm_above
        self._today = today
        self._lock = threading.Lock()
        self._days = _taken_up(file, bundle)
        self._saved = -math.inf
        self._told = ""
        self._reported: tuple[object, Drift] | None = None

    def __call__(self, person: Person, contested: bool) -> None:
        """Count somebody who has left; who is contested is counted on leaving, too."""
        if contested:
            return
        with self._lock:
            add(self._day().counts, person)
        if not 0 <= person.time - self._saved < SAVE_SECONDS:
            self._saved = person.time
            self.save()

    def save(self) -> None:
        """Write the counts to the disk. Never raises."""
        with self._lock:
            content = msgspec.json.encode(Kept(self._bundle, self._days))
        fault = ""
        try:
            replace_file(self._file, content)
        except OSError as error:
            fault = f"{self._file}: the counts of people cannot be kept ({error.strerror})"
        if fault != self._told and fault:
            print(f"maskgate: {fault}", file=sys.stderr)
        self._told = fault

    def shifts(self) -> dict[str, Shift]:
        """How far each quantity has moved, as of the last whole day; without what there is nothing to compare of."""
        return self._compare()[2]

    def report(self) -> Drift:
        """The same for people; it changes with the day, and when something is accepted. Cheap to ask for often."""
        known = self._today(), _version(accepted_file(self._file))
        if self._reported is None or self._reported[0] != known:
            self._reported = known, self._new_report()
        return self._reported[1]

    def _new_report(self) -> Drift:
        normal, days, shifts = self._compare()
        index = {name: round(each.index, 3) for name, each in shifts.items()}
        return Drift(index, sum(day.people for day in days), alarm(shifts, self._alarm_above, normal))

    def _compare(self) -> tuple[Normal, Sequence[Day], dict[str, Shift]]:
        normal = self._normal()
        with self._lock:
            whole = [day for day in self._days if day.date != self._today()]
            days = _from(normal.since, whole)[-max(WINDOWS) :]
            return normal, days, compare(normal.counts, days)

    def _day(self) -> Day:
        """Today, as the last of the days."""
        today = self._today()
        if not self._days or self._days[-1].date != today:
            same = [day for day in self._days if day.date == today]
            others = [day for day in self._days if day.date != today]
            self._days = [*others, *(same or [Day(today, {})])][-KEPT_DAYS:]
        return self._days[-1]

    def _normal(self) -> Normal:
        """The bundle's reference, and what was accepted instead of it."""
        counts = fitting(self._reference.counts) if self._reference else {}
        accepted = read_accepted(self._file)
        if accepted is None:
            return Normal(counts)
        own = _of_bundle(accepted.counts, accepted.bundle == self._bundle)
        return Normal(counts | fitting(own), accepted.since, True)


def compare(normal: Counts, days: Sequence[Day]) -> dict[str, Shift]:
    """Of each quantity that both know, the largest shift of all WINDOWS."""
    shifts: dict[str, Shift] = {}
    for window in WINDOWS:
        found = together(day.counts for day in recent(days, window, LEAST_PEOPLE))
        for quantity in QUANTITIES:
            if (name := quantity.name) in normal and sum(found.get(name, ())) >= LEAST_PEOPLE:
                new = shift(quantity, normal[name], found[name])
                shifts[name] = max(shifts.get(name, new), new, key=lambda each: each.index)
    return shifts


def recent(days: Sequence[Day], at_least: int, people: int) -> Sequence[Day]:
    """The last days: at least so many, and so many people, if there are."""
    count = min(at_least, len(days))
    while count < len(days) and sum(day.people for day in days[-count:]) < people:
        count += 1
    return days[-count:] if count else []


def alarm(shifts: dict[str, Shift], above: float, normal: Normal) -> str:
    """Why the shifts are an alarm, for people; "" when they are none."""
    harmless = {quantity.harmless for quantity in QUANTITIES}
    bad = {name: each for name, each in shifts.items() if each.index > above and each.said not in harmless}
    if not bad:
        return ""
    said = ", ".join(f"{each.said} ({name} {each.index:.2f})" for name, each in bad.items())
    usual = "than was accepted as normal here" if normal.accepted else "than in the photos the models were tested on"
    return (
        f"{said} {usual}; an index above {above:g} is an alarm. If the door does well all the same, "
        f"`maskgate drift accept` makes this its normal"
    )


def read_reference(bundle: Bundle) -> Reference | None:
    """What the bundle's models were tested on; None when it does not say. Raises BundleError."""
    if bundle.contract.reference is None:
        return None
    file = bundle.folder / bundle.contract.reference.file
    try:
        return msgspec.json.decode(file.read_bytes(), type=Reference)
    except (OSError, ValueError) as error:
        raise BundleError(f"{file}: no counts of people ({error}); convert the models again") from error


def read_accepted(file: Path) -> Reference | None:
    """What the owner accepted; None when nothing is to be found. file: of the counts."""
    try:
        return msgspec.json.decode(accepted_file(file).read_bytes(), type=Reference)
    except (OSError, ValueError):
        return None


def accept(file: Path, days: int) -> Reference:
    """Make the last `days` days, and as many more as LEAST_ACCEPTED people take, what is normal at this door.

    Raises InputError when the counts cannot be read, are of too few people or days, or the answer cannot be written.
    """
    if not 1 <= days <= KEPT_DAYS:
        raise InputError(f"--days {days}: it must be from 1 to {KEPT_DAYS}")
    kept = read_kept(file)
    pooled = recent(kept.days, days, LEAST_ACCEPTED)
    people = sum(day.people for day in pooled)
    if people < LEAST_ACCEPTED:
        raise InputError(f"{file}: {people} people so far; wait until there are {LEAST_ACCEPTED} to accept as normal")
    normal = Reference(people, together(day.counts for day in pooled), kept.bundle, pooled[0].date)
    try:
        replace_file(accepted_file(file), msgspec.json.encode(normal))
    except OSError as error:
        raise InputError(f"{accepted_file(file)}: cannot be written ({error.strerror}); try it with sudo") from error
    return normal


def read_kept(file: Path) -> Kept:
    """The counts of each day. Raises InputError."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Kept)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); `maskgate run` writes it") from error
    except ValueError as error:
        raise InputError(f"{file}: not what `maskgate run` writes ({error}); delete it to begin anew") from error
    days = [Day(day.date, fitting(day.counts)) for day in kept.days]
    return Kept(kept.bundle, [day for day in days if day.people])


def accepted_file(file: Path) -> Path:
    """Where what the owner accepted lies, beside the counts."""
    return file.with_name(file.name + ".accepted")


def _version(file: Path) -> tuple[int, int]:
    """Differs from before when the file was replaced."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _taken_up(file: Path, bundle: str) -> list[Day]:
    """The days that the file holds; of other models only what does not depend on them."""
    if not file.exists():
        return []
    try:
        kept = read_kept(file)
    except InputError as error:
        print(f"maskgate: {error}; until then the door counts anew", file=sys.stderr)
        return []
    same = kept.bundle == bundle
    return [Day(day.date, _of_bundle(day.counts, same)) for day in kept.days]


def _of_bundle(counts: Counts, same: bool) -> Counts:
    return {name: bins for name, bins in counts.items() if same or name not in OF_THE_MODELS}


def _from(since: str, days: Sequence[Day]) -> Sequence[Day]:
    """The days from the one of this date on; all where it is not among them. The clock may have jumped between."""
    dates = [day.date for day in days]
    return days[dates.index(since) :] if since in dates else days
