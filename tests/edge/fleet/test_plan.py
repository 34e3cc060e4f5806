import pytest

from edge.fleet.doors import Fleet, Limits
from edge.fleet.plan import Move, Plan, Rollout

PLAN = Plan((10.0, 50.0, 100.0), before_seconds=100, soak_seconds=200, patience_seconds=1000, blind_seconds=60)
DOORS = [f"door-{number}" for number in range(100)]


@pytest.fixture
def fleet():
    fleet = Fleet(5, Limits())
    for name in DOORS:
        fleet.availability(name, True)
        fleet.bundle(name, 4)
        fleet.verdicts(name, {"ALLOW": 90, "UNKNOWN": 10})
    return fleet


def take(fleet, doors):
    for name in doors:
        fleet.bundle(name, 5)


def spoil(fleet, doors):
    for name in doors:
        fleet.verdicts(name, {"UNKNOWN": 50})


def test_the_doors_are_watched_before_the_first_step(fleet):
    rollout = Rollout(PLAN, fleet)
    assert rollout.pass_time(99) is None
    assert rollout.pass_time(1) == Move(10.0)


def test_a_step_lasts_until_half_of_its_doors_took_it_and_they_were_watched(fleet):
    rollout = Rollout(PLAN, fleet)
    rollout.pass_time(100)
    take(fleet, DOORS[:4])
    assert rollout.pass_time(300) is None
    take(fleet, DOORS[:5])
    assert rollout.pass_time(1) == Move(50.0)
    take(fleet, DOORS[:50])
    assert rollout.pass_time(199) is None
    assert rollout.pass_time(1) == Move(100.0)


def test_after_the_last_step_it_is_done(fleet):
    rollout = Rollout(PLAN, fleet, percent=50.0)
    take(fleet, DOORS[:50])
    assert rollout.pass_time(200) == Move(100.0)
    take(fleet, DOORS)
    assert rollout.pass_time(200) is None and rollout.done


def test_it_stops_at_the_first_five_percent_that_get_worse(fleet):
    rollout = Rollout(PLAN, fleet, percent=50.0)
    take(fleet, DOORS[:41])
    spoil(fleet, DOORS[:2])
    assert rollout.pass_time(1) is None, "2 of 41 are less than 5 %"
    spoil(fleet, DOORS[2:3])
    assert rollout.pass_time(1) == Move(0.0, "3 of 41 doors that took it got worse")
    assert rollout.percent == 0.0


def test_a_door_that_got_worse_without_the_bundle_stops_nothing(fleet):
    rollout = Rollout(PLAN, fleet, percent=50.0)
    take(fleet, DOORS[:20])
    spoil(fleet, DOORS[50:60])
    assert rollout.pass_time(1) is None


def test_it_stops_when_all_that_took_it_are_worse_together(fleet):
    rollout = Rollout(PLAN, fleet, percent=50.0)
    take(fleet, DOORS[:40])
    for name in DOORS[:40]:
        fleet.verdicts(name, {"ALLOW": 2, "UNKNOWN": 1})
    move = rollout.pass_time(1)
    assert move is not None and move.percent == 0.0
    assert move.stopped.endswith("show together UNKNOWN for 33% of 120 people, 10% of 4000 before")


def test_it_stops_when_hardly_a_door_takes_it(fleet):
    rollout = Rollout(PLAN, fleet, percent=10.0)
    assert rollout.pass_time(1000) is None
    assert rollout.pass_time(1) == Move(0.0, "only 0 of about 10 doors took it in 1001 s")


def test_a_small_fleet_of_which_no_door_is_meant_goes_on():
    fleet = Fleet(5, Limits())
    fleet.availability("only", True)
    rollout = Rollout(PLAN, fleet, percent=10.0)
    assert rollout.pass_time(200) == Move(50.0)


def test_without_doors_nothing_is_offered():
    rollout = Rollout(PLAN, Fleet(5, Limits()))
    assert rollout.pass_time(160) is None
    assert rollout.pass_time(1) == Move(0.0, "not a door was heard of")


def test_while_the_broker_is_away_no_time_passes_for_the_doors(fleet):
    rollout = Rollout(PLAN, fleet, percent=10.0)
    take(fleet, DOORS[:10])
    assert rollout.pass_time(150) is None
    assert rollout.pass_time(59, seen=False) is None
    assert rollout.pass_time(49) is None
    assert rollout.pass_time(59, seen=False) is None, "it was back in between"
    assert rollout.pass_time(1) == Move(50.0)


def test_it_stops_when_nobody_can_see_the_doors(fleet):
    rollout = Rollout(PLAN, fleet, percent=10.0)
    move = rollout.pass_time(60, seen=False)
    assert move == Move(0.0, "the broker has been away for 60 s, and nobody sees the doors")


def test_before_the_first_step_a_broker_that_is_away_is_waited_for(fleet):
    assert Rollout(PLAN, fleet).pass_time(3600, seen=False) is None


def test_a_bundle_that_breaks_every_door_at_once_is_stopped(fleet):
    rollout = Rollout(PLAN, fleet, percent=10.0)
    for name in DOORS[:10]:
        fleet.availability(name, False)
    move = rollout.pass_time(301)
    assert move == Move(0.0, "10 of 10 doors that took it got worse")
