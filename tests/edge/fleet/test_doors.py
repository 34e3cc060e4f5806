from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from edge.fleet.doors import Fleet, Limits, luck, more, moved

LIMITS = Limits(away_seconds=300, fault_seconds=30)
HOUR = 3600.0
USUAL = {"ALLOW": 80, "DENY": 10, "UNKNOWN": 10}


def updated(**verdicts):
    """A fleet of one door that did well for an hour, took version 5, and then counted as told."""
    fleet = Fleet(5, LIMITS)
    fleet.availability("door", True)
    fleet.bundle("door", 4)
    fleet.verdicts("door", USUAL)
    fleet.pass_time(HOUR)
    fleet.begin()
    fleet.bundle("door", 5)
    fleet.verdicts("door", verdicts)
    return fleet


def test_a_door_that_goes_on_as_before_is_not_worse():
    fleet = updated(**USUAL)
    fleet.pass_time(HOUR)
    assert fleet.having() == ["door"] and fleet.worse() == {} and fleet.together() == ""


def test_a_door_with_more_unknown_than_before_is_worse():
    assert updated(ALLOW=50, DENY=10, UNKNOWN=40).worse() == {
        "door": "UNKNOWN for 40% of 100 people, 10% of 100 before"
    }


def test_a_door_that_denies_more_than_before_is_worse():
    assert updated(ALLOW=50, DENY=45, UNKNOWN=5).worse() == {"door": "DENY for 45% of 100 people, 10% of 100 before"}


def test_a_door_that_denies_nobody_any_more_is_worse():
    limits = LIMITS
    before, after = Counter(ALLOW=60, DENY=40), Counter(ALLOW=99, DENY=1)
    assert moved(before, after, limits) == "DENY for 1% of 100 people, 40% of 100 before"


def test_a_door_with_fewer_unknown_than_before_is_not_worse():
    assert moved(Counter(ALLOW=50, UNKNOWN=50), Counter(ALLOW=100), LIMITS) == ""


def test_a_few_people_are_no_proof():
    assert updated(UNKNOWN=1, ALLOW=2).worse() == {}


def test_a_door_whose_past_nobody_knows_is_not_worse_for_what_it_shows():
    assert moved(Counter(), Counter(UNKNOWN=100), LIMITS) == ""


def test_doors_with_few_people_each_are_judged_together():
    fleet = Fleet(5, LIMITS)
    for number in range(30):
        fleet.availability(f"door-{number}", True)
        fleet.verdicts(f"door-{number}", {"ALLOW": 9, "UNKNOWN": 1})
    fleet.begin()
    for number in range(30):
        fleet.bundle(f"door-{number}", 5)
        fleet.verdicts(f"door-{number}", {"ALLOW": 1, "UNKNOWN": 1})
    assert fleet.worse() == {}
    assert fleet.together() == "UNKNOWN for 50% of 60 people, 10% of 300 before"


def test_a_fault_that_lasts_makes_a_door_worse():
    fleet = updated()
    fleet.state("door", "FAULT")
    fleet.pass_time(30)
    assert fleet.worse() == {}
    fleet.pass_time(1)
    assert fleet.worse() == {"door": "in a FAULT for 31 of 31 s"}


def test_faults_that_come_and_go_are_summed_up():
    fleet = updated()
    for _ in range(40):
        fleet.state("door", "FAULT")
        fleet.pass_time(1)
        fleet.state("door", "IDLE")
        fleet.pass_time(1)
    assert fleet.worse() == {"door": "in a FAULT for 40 of 80 s"}


def test_a_door_that_was_in_a_fault_before_is_not_worse_for_that():
    fleet = Fleet(5, LIMITS)
    fleet.availability("door", True)
    fleet.state("door", "FAULT")
    fleet.pass_time(HOUR)
    fleet.begin()
    fleet.bundle("door", 5)
    fleet.pass_time(HOUR)
    assert fleet.having() == ["door"] and fleet.worse() == {}


def test_a_door_that_goes_back_to_its_old_bundle_is_worse():
    fleet = updated()
    fleet.bundle("door", 4)
    assert fleet.worse() == {"door": "went back to version 4"}


def test_a_door_that_goes_on_to_a_newer_bundle_is_not_worse():
    fleet = updated()
    fleet.bundle("door", 6)
    assert fleet.worse() == {}


def test_a_door_that_stays_away_is_worse():
    fleet = updated()
    fleet.availability("door", False)
    fleet.pass_time(300)
    assert fleet.worse() == {}
    fleet.pass_time(1)
    assert fleet.worse() == {"door": "went away 301 s ago"}


def test_a_door_that_is_away_again_and_again_is_worse():
    fleet = updated()
    for _ in range(4):
        fleet.availability("door", False)
        fleet.pass_time(100)
        fleet.availability("door", True)
        fleet.pass_time(100)
    assert fleet.worse() == {"door": "away for 400 of 800 s"}


def test_a_door_that_went_away_without_a_word_counts_as_one_that_took_the_bundle():
    fleet = Fleet(5, LIMITS)
    fleet.availability("door", True)
    fleet.bundle("door", 4)
    fleet.begin()
    fleet.availability("door", False)
    assert fleet.having() == []
    fleet.pass_time(301)
    assert fleet.having() == ["door"] and fleet.worse() == {"door": "went away 301 s ago"}


def test_a_door_that_was_away_before_does_not_count():
    fleet = Fleet(5, LIMITS)
    fleet.availability("door", True)
    fleet.availability("door", False)
    fleet.begin()
    fleet.availability("door", False)
    fleet.pass_time(HOUR)
    assert fleet.having() == []


def test_a_door_that_comes_back_is_forgiven():
    fleet = Fleet(5, LIMITS)
    fleet.availability("door", True)
    fleet.begin()
    fleet.availability("door", False)
    fleet.pass_time(301)
    fleet.availability("door", True)
    assert fleet.having() == []


@pytest.mark.parametrize(
    ("after", "before", "is_more"), [(30, 0, False), (31, 0, True), (60, 31, False), (60, 30, True), (60, 29, True)]
)
def test_more_means_over_the_limit_and_twice_as_much(after, before, is_more):
    assert more(after, HOUR, before, HOUR, 30) is is_more


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_luck_is_what_fishers_exact_test_says(before, before_rest, after, after_rest, rose):
    table = [[after, after_rest], [before, before_rest]]
    expected = fisher_exact(table, alternative="greater" if rose else "less").pvalue
    assert luck(before, before + before_rest, after, after + after_rest, rose) == pytest.approx(expected)
