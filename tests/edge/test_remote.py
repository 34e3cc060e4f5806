import pytest

from edge.bulletin import VIEW_SECONDS, Contest, Override, SetZone, View
from edge.remote import CONTEST_SECONDS, Remote
from edge.settings import DoorSettings, Settings, ShareSettings, ZoneSettings
from edge.values import Inputs
from edge.zone import Zone

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def remote(clock, tmp_path, **share):
    settings = Settings(share=ShareSettings(**share), door=DoorSettings(exit_seconds=4.0))
    return Remote(settings, Zone(ZoneSettings(), tmp_path / "zone.json"), clock)


def test_pictures_are_sent_for_ten_minutes(clock, tmp_path):
    asked = remote(clock, tmp_path)
    assert asked.view_until == 0
    assert asked.do(View(on=True)) == ""
    assert asked.view_until == clock.now + VIEW_SECONDS == 700.0
    clock.now = 699.9
    assert asked.view_until
    clock.now = 700.0
    assert asked.view_until == 0


def test_pictures_end_when_nobody_wants_them_any_more(clock, tmp_path):
    asked = remote(clock, tmp_path)
    asked.do(View(on=True))
    assert asked.do(View(on=False)) == ""
    assert asked.view_until == 0


def test_pictures_are_refused_where_nobody_may_see_any(clock, tmp_path):
    asked = remote(clock, tmp_path, view=False)
    assert asked.do(View(on=True)).startswith("share.view is false")
    assert asked.view_until == 0


def test_the_door_is_released_from_afar_for_as_long_as_on_a_request_to_exit(clock, tmp_path):
    asked = remote(clock, tmp_path, override=True)
    assert asked.do(Override(by="the page")) == ""
    assert asked.joined(Inputs()) == Inputs(override=True)
    clock.now += 4.0
    assert asked.joined(Inputs()) == Inputs()


def test_nobody_releases_the_door_from_afar_unless_the_settings_let_them(clock, tmp_path):
    asked = remote(clock, tmp_path)
    assert asked.do(Override(by="the page")).startswith("share.override is false")
    assert asked.joined(Inputs()) == Inputs()


def test_the_doors_own_inputs_stay_what_they_are(clock, tmp_path):
    pressed = Inputs(door_open=True, exit=True, override=True, tamper=True, wrong=True)
    assert remote(clock, tmp_path).joined(pressed) == pressed


def test_a_contest_is_told_like_a_button_that_is_held_for_a_moment(clock, tmp_path, capsys):
    asked = remote(clock, tmp_path)
    assert asked.do(Contest(by="ward 3")) == ""
    assert asked.joined(Inputs()) == Inputs(wrong=True)
    clock.now += CONTEST_SECONDS
    assert asked.joined(Inputs()) == Inputs()
    assert capsys.readouterr().err == "maskgate: the last verdict was wrong, says 'ward 3'\n"


def test_a_zone_is_drawn(clock, tmp_path):
    asked = remote(clock, tmp_path)
    assert asked.do(SetZone(SQUARE, 0.2)) == ""
    assert (tmp_path / "zone.json").exists()


def test_a_zone_that_is_none_is_refused(clock, tmp_path):
    assert "at least 3" in remote(clock, tmp_path).do(SetZone(SQUARE[:2], 0.2))
    assert not (tmp_path / "zone.json").exists()
