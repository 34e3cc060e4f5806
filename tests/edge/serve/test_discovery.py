import json
import re

import msgspec
import pytest
from jinja2 import Environment, StrictUndefined

from edge.bulletin import About, Drift
from edge.serve import mqtt
from edge.serve.discovery import EXPIRE_SECONDS, discovery
from edge.serve.topics import CONTEST, FAULT, OVERRIDE, PRESS, STATE, STATS, Stats, Told, topic

ABOUT = About("maskgate-4", "", "0.1.0", "cpu", started=1.0, mode="must_wear", override=True)
TOLD = Told("2026-05-01T09:30:00.125Z", 7, "IDLE", "")
COUNTS = {"ALLOW": 5, "FAULT": 2}
DRIFTS = Drift({"brightness": 0.4}, 200, "it is darker")
MEASURED = Stats(TOLD.at, TOLD.at, COUNTS, 14.9, 0.03, 51.5, msgspec.structs.replace(ABOUT, drift=DRIFTS))


def components(about=ABOUT):
    return json.loads(discovery("door1", about)[1])["components"]


def shown(key, **told):
    """What Home Assistant shows for a component, by its own template language."""
    component = components()[key]
    messages = {
        topic("door1", STATE): msgspec.structs.replace(TOLD, **told),
        topic("door1", FAULT): msgspec.structs.replace(TOLD, state="FAULT", reason="x" * 300),
        topic("door1", STATS): MEASURED,
    }
    value = json.loads(msgspec.json.encode(messages[component["state_topic"]]))
    return Environment(undefined=StrictUndefined).from_string(component["value_template"]).render(value_json=value)


@pytest.mark.parametrize(
    ("key", "told", "expected"),
    [
        ("state", {"state": "DENY"}, "DENY"),
        ("allowed", {"state": "ALLOW"}, "ON"),
        ("allowed", {"state": "UNKNOWN"}, "OFF"),
        ("fault", {"state": "FAULT"}, "ON"),
        ("fault", {"state": "ALLOW"}, "OFF"),
        ("released", {"signals": ("RELEASE",)}, "ON"),
        ("released", {"state": "ALLOW"}, "OFF"),
        ("tamper", {"signals": ("RELEASE", "TAMPER")}, "ON"),
        ("held_open", {"signals": ("HELD_OPEN",)}, "ON"),
        ("forced_open", {"signals": ("HELD_OPEN",)}, "OFF"),
        ("last_fault", {}, "x" * 255),
        ("count_allow", {}, "5"),
        ("count_deny", {}, "0"),
        ("count_unknown", {}, "0"),
        ("count_fault", {}, "2"),
        ("temperature", {}, "51.5"),
        ("frames", {}, "14.9"),
        ("bundle", {}, "maskgate-4"),
        ("drift", {}, "ON"),
    ],
)
def test_home_assistant_shows_what_the_door_says(key, told, expected):
    assert shown(key, **told) == expected


def test_every_sensor_is_shown_in_some_test():
    tested = {case[0] for case in test_home_assistant_shows_what_the_door_says.pytestmark[0].args[1]}
    assert tested == {key for key, component in components().items() if "state_topic" in component}


def test_what_comes_regularly_expires_when_it_has_not_come_twice():
    for component in components().values():
        if component.get("state_topic") in (topic("door1", STATE), topic("door1", STATS)):
            assert component["expire_after"] == EXPIRE_SECONDS > 2 * mqtt.STATS_SECONDS


def test_the_buttons_press_what_the_door_obeys():
    pressed = {c["command_topic"]: c["payload_press"] for c in components().values() if c["platform"] == "button"}
    assert pressed == {topic("door1", what): PRESS.decode() for what in (CONTEST, OVERRIDE)}


def test_the_override_has_a_button_only_where_it_is_permitted():
    forbidden = components(msgspec.structs.replace(ABOUT, override=False))
    assert forbidden["override"] == {"platform": "button"}


def test_each_component_is_told_apart_from_those_of_other_doors():
    here = [component["unique_id"] for component in components().values()]
    there = [c["unique_id"] for c in json.loads(discovery("door2", ABOUT)[1])["components"].values()]
    assert len({*here, *there}) == len(here) + len(there)


@pytest.mark.parametrize("device", ["door1", "-", "A_b-9" * 12])
def test_the_topic_is_one_that_home_assistant_reads(device):
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", discovery(device, ABOUT)[0])
