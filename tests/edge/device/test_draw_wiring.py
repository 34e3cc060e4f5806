import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise

import pytest

from edge.device import draw_wiring
from edge.device.draw_wiring import HEADER, PICTURE, SETTINGS, draw, main, pin_of
from edge.errors import InputError
from edge.settings import InputSettings, LineSettings, OutputSettings, load_settings

OUTPUT = load_settings(SETTINGS).output


def test_the_picture_in_the_repository_is_what_the_default_settings_give():
    assert PICTURE.read_text("utf-8") == draw(OUTPUT)


def test_the_command_draws_it(tmp_path, monkeypatch):
    monkeypatch.setattr(draw_wiring, "PICTURE", tmp_path / "wiring.svg")
    assert main() == 0
    assert (tmp_path / "wiring.svg").read_bytes() == PICTURE.read_bytes()


@pytest.mark.parametrize(
    ("carries", "number"), [(17, 11), (27, 13), (22, 15), (23, 16), (24, 18), (25, 22), (5, 29), (21, 40), ("5V", 2)]
)
def test_the_pins_are_those_of_a_raspberry_pi(carries, number):
    assert pin_of(carries).number == number


def test_the_header_has_every_gpio_once_and_its_supplies():
    assert len(HEADER) == 40
    assert sorted(carries for carries in HEADER if isinstance(carries, int)) == list(range(2, 28))
    counts = {carries: HEADER.count(carries) for carries in ("3V3", "5V", "GND", "ID")}
    assert counts == {"3V3": 2, "5V": 2, "GND": 8, "ID": 2}


def test_every_line_of_the_settings_stands_in_it_with_its_conditions():
    words = [element.text for element in ElementTree.fromstring(draw(OUTPUT)).iter() if element.text]
    assert len(OUTPUT.lines) >= 5
    for line in OUTPUT.lines:
        assert f"GPIO {line.line}" in words
        assert any(line.name in word for word in words) and any(", ".join(line.on) in word for word in words)


def test_another_line_in_the_settings_is_another_picture():
    moved = OutputSettings(lines=(LineSettings("green", 6, ("ALLOW",)),), inputs=(InputSettings("exit", 26),))
    assert "line = 26 in" in draw(moved) and "pull-down" not in draw(moved)


@pytest.mark.parametrize("line", [0, 28, 500])
def test_a_line_that_is_not_on_the_header_is_refused(line):
    with pytest.raises(InputError, match=f"GPIO {line}: not on the 40-pin header"):
        draw(OutputSettings(lines=(LineSettings("green", line, ("ALLOW",)),)))


def test_no_wire_crosses_another_of_another_colour():
    for (one, first), (other, second) in combinations(segments(draw(OUTPUT)), 2):
        if one != other:
            assert not cross(first, second), (one, first, other, second)


def segments(picture):
    """Every straight piece of a wire with its colour."""
    for path, colour in re.findall(r'<path d="M([\d L]+)" fill="none" stroke="(#\w+)" stroke-width="3"', picture):
        points = [tuple(map(int, point.split())) for point in path.split("L")]
        yield from ((colour, (a, b)) for a, b in pairwise(points))


def cross(one, other):
    """Whether an upright and a level piece meet within both."""
    for (a, b), (c, d) in ((one, other), (other, one)):
        if a[0] == b[0] and c[1] == d[1]:
            return min(c[0], d[0]) < a[0] < max(c[0], d[0]) and min(a[1], b[1]) < c[1] < max(a[1], b[1])
    return False
