from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.schedule import mode_at
from edge.settings import DoorSettings, Mode, ScheduleSettings, Settings

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
ALL_DAYS = (*WEEKDAYS, "sat", "sun")
MONDAY = datetime(2024, 1, 1)
"""A Monday, at midnight."""


def at(day: str, clock: str) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + timedelta(days=ALL_DAYS.index(day), hours=hours, minutes=minutes)


def entry(days: tuple[str, ...], begin: str, end: str, mode: Mode = "remind") -> ScheduleSettings:
    return ScheduleSettings(days, begin, end, mode)


def mode(when: datetime, *entries: ScheduleSettings) -> Mode:
    return mode_at(Settings(schedule=entries), when)


OFFICE = entry(WEEKDAYS, "08:00", "17:30")
SUNDAY_NIGHT = entry(("sun",), "22:00", "06:00")


def test_without_a_schedule_the_doors_own_mode_holds() -> None:
    assert mode_at(Settings(door=DoorSettings(mode="indicate")), at("mon", "12:00")) == "indicate"


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        ("mon", "07:59", "must_wear"),
        ("mon", "08:00", "remind"),
        ("fri", "17:29", "remind"),
        ("fri", "17:30", "must_wear"),
        ("sat", "12:00", "must_wear"),
    ],
)
def test_an_entry_holds_on_its_days_from_its_begin_until_before_its_end(day: str, clock: str, expected: Mode) -> None:
    assert mode(at(day, clock), OFFICE) == expected


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        ("sun", "05:00", "must_wear"),
        ("sun", "21:59", "must_wear"),
        ("sun", "22:00", "remind"),
        ("mon", "00:00", "remind"),
        ("mon", "05:59", "remind"),
        ("mon", "06:00", "must_wear"),
        ("mon", "22:00", "must_wear"),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins_even_over_the_weeks_end(
    day: str, clock: str, expected: Mode
) -> None:
    assert mode(at(day, clock), SUNDAY_NIGHT) == expected


def test_an_end_at_the_begin_is_the_next_days() -> None:
    whole = entry(("wed",), "07:00", "07:00")
    assert [mode(at(*when), whole) for when in (("wed", "06:59"), ("wed", "07:00"), ("thu", "06:59"))] == [
        "must_wear",
        "remind",
        "remind",
    ]
    assert mode(at("thu", "07:00"), whole) == "must_wear"


def test_an_end_at_midnight_is_the_end_of_the_day() -> None:
    evening = entry(("sat",), "18:00", "00:00")
    assert mode(at("sat", "23:59"), evening) == "remind"
    assert mode(at("sun", "00:00"), evening) == "must_wear"


def test_seconds_belong_to_their_minute() -> None:
    assert mode(at("mon", "17:29") + timedelta(seconds=59.9), OFFICE) == "remind"


def test_of_two_entries_that_hold_the_first_counts() -> None:
    lunch = entry(("mon",), "12:00", "13:00", "indicate")
    assert mode(at("mon", "12:30"), lunch, OFFICE) == "indicate"
    assert mode(at("mon", "12:30"), OFFICE, lunch) == "remind"
    assert mode(at("mon", "13:00"), lunch, OFFICE) == "remind"


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


@settings(max_examples=5)
@given(st.sampled_from(ALL_DAYS), clocks, clocks)
def test_an_entry_for_one_day_holds_for_its_length_within_a_week(day: str, begin: str, end: str) -> None:
    one = entry((day,), begin, end)
    held = sum(mode(MONDAY + timedelta(minutes=minute), one) == "remind" for minute in range(7 * 24 * 60))
    length = (at("mon", end) - at("mon", begin)) // timedelta(minutes=1)
    assert held == (length if length > 0 else length + 24 * 60)
