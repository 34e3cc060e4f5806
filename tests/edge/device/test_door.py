"""The settings with which the package and the card begin."""

from pathlib import Path

import pytest

from edge.settings import load_settings

DOOR = Path(__file__).parents[3] / "edge/device/door.toml"


@pytest.fixture(scope="module")
def settings():
    return load_settings(DOOR)


@pytest.fixture(scope="module")
def lines(settings):
    return {line.name: line for line in settings.output.lines}


def test_a_new_door_watches_whatever_camera_there_is_and_drives_real_lines(settings):
    assert (settings.camera.source, settings.output.kind, settings.output.chip) == ("auto", "gpio", "auto")


def test_a_new_door_is_released_for_proper_masks_alone(settings, lines):
    assert settings.door.mode == "must_wear"
    assert [name for name, line in lines.items() if "RELEASE" in line.on] == ["relay"]
    assert lines["relay"].on == ("RELEASE",)


def test_a_lamp_tells_of_a_fault(lines):
    assert "FAULT" in lines["fault"].on
    assert "FAULT" in lines["red"].on
    assert "FAULT" not in lines["green"].on


def test_no_line_of_a_new_door_is_active_while_it_cannot_judge_but_those_that_say_so(lines):
    assert not any(line.fail_safe for line in lines.values())
    assert {name for name, line in lines.items() if "FAULT" in line.on} == {"red", "fault"}


def test_events_go_where_the_service_may_write(settings):
    assert settings.events.file == "/var/lib/maskgate/events.jsonl"
    unit = (DOOR.parent / "maskgate.service").read_text().splitlines()
    assert "StateDirectory=maskgate" in unit
