from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.bulletin import Drift
from edge.contract import Bundle, load_bundle
from edge.drift import (
    KEPT_DAYS,
    LEAST_ACCEPTED,
    Day,
    DriftWatch,
    Reference,
    accept,
    accepted_file,
    compare,
    read_kept,
    read_reference,
)
from edge.errors import BundleError, InputError
from edge.people import Person
from edge.stability import QUANTITIES, Counts, stability_index
from edge.values import UNKNOWN, WITH_MASK

LIMIT = 0.25
REFERENCE = read_reference(load_bundle())
SHARES = {name: np.array(bins) / sum(bins) for name, bins in REFERENCE.counts.items()}
Shares = dict[str, np.ndarray]


class Calendar:
    """A device's date, which goes on when it is told to."""

    def __init__(self) -> None:
        self.day = date(2026, 5, 1)

    def __call__(self) -> str:
        return self.day.isoformat()

    def go_on(self, days: int = 1) -> None:
        self.day += timedelta(days)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def watch(tmp_path: Path, calendar: Calendar) -> Callable[..., DriftWatch]:
    """A watch on the same file each time."""

    def make(bundle: str = "maskgate-4", reference: Reference | None = REFERENCE) -> DriftWatch:
        return DriftWatch(tmp_path / "drift.json", bundle, reference, LIMIT, calendar)

    return make


def crowd(people: int, seed: int, light: float = 1.0, unknown: float = 0.01) -> Iterator[Person]:
    """People as on the photos that the bundle was tested with, in another light."""
    chance = np.random.default_rng(seed)
    drawn = {
        quantity.name: [place(quantity, k) for k in chance.choice(quantity.bins, people, p=SHARES[quantity.name])]
        for quantity in QUANTITIES
    }
    for number in range(people):
        label = UNKNOWN if chance.random() < unknown else WITH_MASK
        score, brightness, sharpness, height = (
            drawn[name][number] for name in ("score", "brightness", "sharpness", "height")
        )
        yield Person(number, label, score, height, brightness * light, sharpness, None, float(number))


def place(quantity, number: int) -> float:
    """The middle of a bin."""
    part = (number + 0.5) / quantity.bins
    if quantity.ratios:
        return quantity.low * (quantity.high / quantity.low) ** part
    return quantity.low + part * (quantity.high - quantity.low)


def spend(watch: DriftWatch, calendar: Calendar, days: int, people: int, seed: int = 0, **looks: float) -> DriftWatch:
    for day in range(days):
        for person in crowd(people, 1000 * seed + day, **looks):
            watch(person, False)
        calendar.go_on()
    return watch


def traffic(shares: Shares, people: int, days: int, seed: int) -> list[Day]:
    """Whole days of counts."""
    chance = np.random.default_rng(seed)
    return [
        Day(str(number), {name: chance.multinomial(people, each).tolist() for name, each in shares.items()})
        for number in range(days)
    ]


def moved(name: str, by: int) -> Shares:
    """The reference's people, one of their quantities moved by so many bins."""
    old, new = SHARES[name], np.zeros_like(SHARES[name])
    np.add.at(new, np.clip(np.arange(len(old)) + by, 0, len(old) - 1), old)
    return SHARES | {name: new}


def first_alarm(normal: Counts, days: list[Day], name: str) -> int | None:
    """After how many days a quantity's index is above the limit."""
    indices = (compare(normal, days[: end + 1])[name].index for end in range(len(days)))
    return next((end + 1 for end, index in enumerate(indices) if index > LIMIT), None)


def test_nobody_is_no_drift(watch):
    assert watch().report() == Drift()


@pytest.mark.parametrize("people", [50, 2000])
@pytest.mark.parametrize("seed", range(5))
def test_a_door_like_the_photos_raises_no_alarm_in_ninety_days(people: int, seed: int):
    days = traffic(SHARES, people, 90, seed)
    indices = [each.index for end in range(90) for each in compare(REFERENCE.counts, days[: end + 1][-30:]).values()]
    assert len(indices) == 90 * len(QUANTITIES) and max(indices) <= LIMIT


SHIFTS = [("brightness", -3), ("brightness", 3), ("sharpness", -2), ("sharpness", 2), ("height", -2), ("height", 2)]


@pytest.mark.parametrize("people", [50, 200, 2000])
@pytest.mark.parametrize(("name", "by"), SHIFTS)
def test_no_shift_stays_quiet_for_thirty_days(name: str, by: int, people: int):
    shares = moved(name, by)
    assert LIMIT < stability_index(*((1e6 * each[name]).astype(int).tolist() for each in (SHARES, shares))) < 3
    assert all(first_alarm(REFERENCE.counts, traffic(shares, people, 30, seed), name) for seed in range(10))


@pytest.mark.parametrize("people", [50, 200, 2000])
def test_nor_does_one_from_what_few_people_made_normal(people: int):
    for seed in range(10):
        (few,) = traffic(SHARES, LEAST_ACCEPTED, 1, 100 + seed)
        assert first_alarm(few.counts, traffic(moved("brightness", -3), people, 30, seed), "brightness")


@pytest.mark.parametrize("people", [50, 200, 2000])
@pytest.mark.parametrize("seed", range(3))
def test_more_unknown_faces_raise_an_alarm(people: int, seed: int):
    shares = SHARES | {"unknown": np.array([0.85, 0.15])}
    assert first_alarm(REFERENCE.counts, traffic(shares, people, 30, seed), "unknown")


@pytest.mark.parametrize("people", [50, 200, 2000])
def test_a_light_that_fades_slowly_is_noticed_too(people: int):
    chance = np.random.default_rng(people)
    days = []
    for number in range(60):
        share = number / 60  # of the people, those who come in the dark
        mixed = {name: (1 - share) * SHARES[name] + share * each for name, each in moved("brightness", -8).items()}
        days.append(Day(str(number), {name: chance.multinomial(people, each).tolist() for name, each in mixed.items()}))
    assert 10 < first_alarm(REFERENCE.counts, days, "brightness") < 50


def test_half_the_light_is_an_alarm_as_soon_as_the_day_is_over(watch, calendar):
    door = spend(watch(), calendar, 9, people=50)
    assert door.report().alarm == ""
    spend(door, calendar, 1, people=50, seed=1, light=0.5)
    report = door.report()
    assert report.alarm.startswith("faces are darker (brightness ")
    assert "than in the photos the models were tested on" in report.alarm and "maskgate drift accept" in report.alarm
    assert report.index["brightness"] > LIMIT and report.people == 500


def test_today_counts_only_when_it_is_over(watch, calendar):
    door = watch()
    for person in crowd(200, 0, light=0.4):
        door(person, False)
    assert door.report() == Drift()
    calendar.go_on()
    assert door.report().alarm


def test_a_shift_never_becomes_normal_by_itself(watch, calendar):
    door = spend(watch(), calendar, 60, people=60, light=0.5)
    assert door.report().alarm


def test_surer_verdicts_and_fewer_unknown_faces_are_no_alarm(watch, calendar):
    unsure = Reference(800, {"score": [40] * 10 + [400], "unknown": [400, 400]})
    door = spend(watch(reference=unsure), calendar, 3, people=200, unknown=0.0)
    report = door.report()
    assert min(report.index.values()) > LIMIT and report.alarm == ""


def test_less_sure_verdicts_are(watch, calendar):
    sure = Reference(800, {"score": [0] * 10 + [800]})
    unsure = (Person(0, WITH_MASK, 0.5, 0.3, 0.5, 20.0, None, 0.0) for _ in range(60))
    door = watch(reference=sure)
    for person in unsure:
        door(person, False)
    calendar.go_on()
    assert door.report().alarm.startswith("verdicts are less sure (score ")


def test_five_people_a_day_are_put_together(watch, calendar):
    door = spend(watch(), calendar, 5, people=5, light=0.3)
    assert door.report().index == {}
    assert spend(door, calendar, 15, people=5, light=0.3, seed=1).report().alarm


def test_who_is_contested_is_not_counted_twice(watch, calendar):
    door = watch()
    for person in crowd(50, 0):
        door(person, True)
        door(person, False)
    calendar.go_on()
    assert door.report().people == 50


def test_a_bundle_without_reference_has_nothing_to_compare_with(watch, calendar):
    report = spend(watch(reference=None), calendar, 2, people=100, light=0.3).report()
    assert report == Drift({}, 200, "")


def test_a_restart_loses_nothing_that_was_saved(watch, calendar):
    before = spend(watch(), calendar, 2, people=100, light=0.5)
    before.save()
    assert watch().report() == before.report()


def test_counts_are_saved_every_ten_minutes(watch, tmp_path):
    door = watch()
    for person in crowd(1500, 0):  # one a second
        door(person, False)
    assert read_kept(tmp_path / "drift.json").days[0].people == 1201


def test_a_monotonic_clock_that_began_anew_delays_no_saving(watch, tmp_path):
    door = watch()
    for time in (5000.0, 10.0):
        door(replace(next(crowd(1, 0)), time=time), False)
    assert read_kept(tmp_path / "drift.json").days[0].people == 2


def test_a_clock_that_jumps_loses_and_doubles_nobody(watch, calendar):
    door, real = watch(), calendar.day
    for jump in (0, -20_000, 0, 4000, 0, 1, 0, 1):
        calendar.day = real + timedelta(jump)
        for person in crowd(10, jump + 20_000):
            door(person, False)
    calendar.go_on()
    assert door.report().people == 80
    assert [day.date for day in door._days] == ["1971-07-29", "2037-04-13", "2026-05-01", "2026-05-02"]


def test_a_clock_that_runs_wild_fills_no_disk(watch, calendar, tmp_path):
    spend(watch(), calendar, 3 * KEPT_DAYS, people=1).save()
    assert len(read_kept(tmp_path / "drift.json").days) == KEPT_DAYS
    assert (tmp_path / "drift.json").stat().st_size < 10_000


def test_a_disk_that_is_full_is_told_once_and_tried_again(tmp_path, calendar, capsys):
    folder = tmp_path / "later"
    door = DriftWatch(folder / "drift.json", "maskgate-4", REFERENCE, LIMIT, calendar)
    spend(door, calendar, 3, people=3)
    door.save()
    assert capsys.readouterr().err.count("the counts of people cannot be kept (No such file or directory)") == 1
    folder.mkdir()
    door.save()
    assert sum(day.people for day in read_kept(folder / "drift.json").days) == 9


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xff", b'{"bundle":"x","days":[{"date":"y"}]}'])
def test_a_broken_file_is_told_and_the_door_counts_anew(content: bytes, watch, tmp_path, calendar, capsys):
    (tmp_path / "drift.json").write_bytes(content)
    door = spend(watch(), calendar, 1, people=40)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "drift.json: not what `maskgate run` writes" in error
    assert door.report().people == 40


def test_odd_counts_are_left_out(watch, tmp_path):
    days = [
        Day("2026-04-01", {"brightness": [1, 2, 3]}),
        Day("2026-04-02", {"unknown": [-5, 2]}),
        Day("2026-04-03", {}),
    ]
    (tmp_path / "drift.json").write_bytes(msgspec.json.encode({"bundle": "maskgate-4", "days": days}))
    assert watch().report() == Drift({}, 0, "")


def test_what_was_accepted_is_normal_from_then_on(watch, calendar, tmp_path):
    door = spend(watch(), calendar, 9, people=50, light=0.5)
    assert door.report().alarm
    door.save()
    normal = accept(tmp_path / "drift.json", 7)
    assert (normal.people, normal.since) == (350, "2026-05-03")
    assert spend(door, calendar, 5, people=50, light=0.5, seed=1).report().alarm == ""
    alarm = spend(door, calendar, 1, people=50, light=1.0, seed=2).report().alarm
    assert alarm.startswith("faces are brighter") and "than was accepted as normal here" in alarm


def test_what_came_before_the_accepted_days_counts_no_longer(watch, calendar, tmp_path):
    door = spend(watch(), calendar, 20, people=300)
    spend(door, calendar, 1, people=300, light=0.5, seed=1)
    door.save()
    accept(tmp_path / "drift.json", 1)
    report = door.report()
    assert report.alarm == "" and report.people == 300


def test_a_link_that_lies_in_wait_is_not_followed(watch, calendar, tmp_path):
    spend(watch(), calendar, 5, people=60).save()
    (tmp_path / "drift.json.accepted.part").symlink_to(tmp_path / "elsewhere")
    accept(tmp_path / "drift.json", 7)
    assert not (tmp_path / "elsewhere").exists() and not accepted_file(tmp_path / "drift.json").is_symlink()


def test_few_people_are_not_yet_normal(watch, calendar, tmp_path):
    spend(watch(), calendar, 3, people=60).save()
    with pytest.raises(InputError, match="180 people so far; wait until there are 200"):
        accept(tmp_path / "drift.json", 7)
    assert not accepted_file(tmp_path / "drift.json").exists()


def test_a_single_day_reaches_back_as_far_as_it_must(watch, calendar, tmp_path):
    spend(watch(), calendar, 9, people=60).save()
    assert accept(tmp_path / "drift.json", 1).people == 240


def test_nothing_to_accept_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"drift.json: cannot be read \(No such file"):
        accept(tmp_path / "drift.json", 7)


def test_a_broken_acceptance_counts_as_none(watch, calendar, tmp_path):
    door = spend(watch(), calendar, 1, people=60)
    before = door.report()
    accepted_file(tmp_path / "drift.json").write_bytes(b"{}")
    assert door.report() == before


def test_other_models_start_with_verdicts_of_their_own(watch, calendar, tmp_path):
    spend(watch(), calendar, 5, people=60, light=0.5, unknown=0.5).save()
    accept(tmp_path / "drift.json", 7)
    assert watch().report().alarm == ""
    newer = watch("maskgate-5")
    assert newer.report().alarm == "" and "unknown" not in newer.report().index
    spend(newer, calendar, 2, people=60, light=0.5, unknown=0.5, seed=1)
    assert newer.report().alarm.startswith("more faces stay unknown (unknown ")


def test_a_reference_that_is_none_is_refused(tmp_path):
    (tmp_path / "reference.json").write_bytes(b'{"people":-1,"counts":{}}')
    contract = load_bundle().contract
    with pytest.raises(BundleError, match=r"reference\.json: no counts of people \(Expected `int` >= 0"):
        read_reference(Bundle(tmp_path, contract))


def test_the_shipped_reference_knows_every_quantity():
    assert {name: len(bins) for name, bins in REFERENCE.counts.items()} == {each.name: each.bins for each in QUANTITIES}
    assert REFERENCE.people == sum(REFERENCE.counts["brightness"]) > 500
