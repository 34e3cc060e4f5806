import msgspec
import pytest

from edge.bulletin import About
from edge.fleet.doors import Fleet, Limits
from edge.fleet.reports import Reports
from edge.serve.topics import Stats, Told, topic


@pytest.fixture
def fleet():
    return Fleet(5, Limits())


@pytest.fixture
def reports(fleet):
    return Reports(fleet)


def stats(bundle="maskgate-4", since="2026-05-01T00:00:00Z", **changes):
    about = About(bundle, "", "0.1.0", "CPU", 0.0, "must_wear")
    return msgspec.json.encode(Stats("2026-05-01T09:00:00Z", since, changes, 15.0, 0.1, None, about))


def test_a_door_is_heard_of(fleet, reports):
    reports.hear(topic("hall", "availability"), b"online")
    reports.hear(topic("hall", "state"), msgspec.json.encode(Told("2026-05-01T09:00:00Z", 1, "ALLOW", "everybody")))
    reports.hear(topic("hall", "stats"), stats(ALLOW=3))
    door = fleet.doors["hall"]
    assert (door.online, door.state, door.version) == (True, "ALLOW", 4)
    reports.hear(topic("hall", "availability"), b"offline")
    assert not door.online


def test_what_a_door_counted_before_we_listened_counts_too(fleet, reports):
    reports.hear("maskgate/hall/stats", stats(ALLOW=30, DENY=2, IDLE=99))
    assert fleet.doors["hall"].before.verdicts == {"ALLOW": 30, "DENY": 2, "UNKNOWN": 0}


def test_but_not_when_it_has_the_new_bundle_already(fleet, reports):
    reports.hear("maskgate/hall/stats", stats("maskgate-5", ALLOW=30))
    assert fleet.doors["hall"].after.verdicts.total() == 0


def test_what_it_counts_after_the_bundle_came_counts_as_after(fleet, reports):
    reports.hear("maskgate/hall/stats", stats(ALLOW=30))
    reports.hear("maskgate/hall/stats", stats("maskgate-5", ALLOW=35))
    reports.hear("maskgate/hall/stats", stats("maskgate-5", ALLOW=36, UNKNOWN=4))
    door = fleet.doors["hall"]
    assert door.before.verdicts["ALLOW"] == 35, "of the minute of the change"
    assert door.after.verdicts == {"ALLOW": 1, "DENY": 0, "UNKNOWN": 4}


def test_a_door_that_began_to_count_anew_is_understood(fleet, reports):
    reports.hear("maskgate/hall/stats", stats(ALLOW=30))
    reports.hear("maskgate/hall/stats", stats(since="2026-05-01T08:59:00Z", ALLOW=2))
    assert fleet.doors["hall"].before.verdicts["ALLOW"] == 32


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"state": 3}', stats("maskgate-x")])
@pytest.mark.parametrize("what", ["state", "stats", "event", "other"])
def test_what_makes_no_sense_changes_nothing(fleet, reports, what, payload):
    reports.hear(f"maskgate/hall/{what}", payload)
    assert fleet.having() == [] and fleet.worse() == {}
