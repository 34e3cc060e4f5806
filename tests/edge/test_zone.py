import pytest

from edge.settings import ZoneSettings
from edge.zone import Zone

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
SETTINGS = ZoneSettings(min_face_height=0.3, slack=0.1, still_seconds=20.0)


def test_without_a_file_the_settings_count_and_nothing_can_be_drawn():
    zone = Zone(SETTINGS)
    assert zone.now == SETTINGS
    assert not zone.can_change
    assert zone.draw(SQUARE, 0.2).startswith("share.zone_file is not set")
    assert zone.now == SETTINGS


def test_a_drawn_zone_counts_at_once_and_after_a_restart(tmp_path):
    file = tmp_path / "zone.json"
    zone = Zone(SETTINGS, file)
    assert zone.draw(SQUARE, 0.2) == ""
    for each in (zone, Zone(SETTINGS, file)):
        assert each.now == ZoneSettings(polygon=SQUARE, min_face_height=0.2, slack=0.1, still_seconds=20.0)


def test_the_whole_frame_can_be_drawn_too(tmp_path):
    zone = Zone(SETTINGS, tmp_path / "zone.json")
    assert zone.draw(SQUARE, 0.2) == ""
    assert zone.draw((), 0.25) == ""
    assert zone.now.polygon == ()


@pytest.mark.parametrize("polygon", [SQUARE[:2], ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))])
def test_what_is_no_polygon_changes_nothing(tmp_path, polygon):
    zone = Zone(SETTINGS, tmp_path / "zone.json")
    assert zone.draw(polygon, 0.2).startswith("the zone has ")
    assert zone.now == SETTINGS
    assert not (tmp_path / "zone.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{", '{"polygon": [[0, 0], [1, 1]], "min_face_height": 0.1}', '{"polygon": [[0, 7]]}']
)
def test_a_broken_file_is_told_and_the_settings_count(tmp_path, capsys, text):
    file = tmp_path / "zone.json"
    file.write_text(text)
    assert Zone(SETTINGS, file).now == SETTINGS
    assert capsys.readouterr().err.startswith(f"maskgate: {file}: ")
    assert file.read_text() == text


def test_a_zone_that_cannot_be_kept_is_not_used(tmp_path):
    zone = Zone(SETTINGS, tmp_path / "nowhere" / "zone.json")
    assert zone.draw(SQUARE, 0.2).endswith("cannot be kept (No such file or directory)")
    assert zone.now == SETTINGS
