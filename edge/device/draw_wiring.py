"""Draw how lamps, relay and button are wired to a Raspberry Pi with the default settings.

    python -m edge.device.draw_wiring      # edge/device/door.toml -> edge/device/wiring.svg

Every line of the settings gets a lamp, or a relay when it carries RELEASE, on its side of the 40-pin header.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError
from edge.settings import InputSettings, LineSettings, OutputSettings, load_settings

HERE = Path(__file__).parent
SETTINGS, PICTURE = HERE / "door.toml", HERE / "wiring.svg"

# fmt: off
HEADER: tuple[str | int, ...] = (
    "3V3", "5V", 2, "5V", 3, "GND", 4, 14, "GND", 15, 17, 18, 27, "GND", 22, 23, "3V3", 24, 10, "GND",
    9, 25, 11, 8, "GND", 7, "ID", "ID", 5, "GND", 6, 12, 13, "GND", 19, 16, 26, 20, "GND", 21,
)
"""What the pins 1 to 40 carry; a number is a GPIO."""
# fmt: on
EXIT = InputSettings("exit", 5)
"""Drawn when the settings have no request to exit."""
LAMPS = {"green": "#34c759", "yellow": "#ffd60a", "red": "#ff453a", "fault": "#ff9f0a"}
WIRES = {"green": "#1f9d45", "yellow": "#b08900", "red": "#e0322a", "fault": "#d97a00"}
OTHER_LAMP, OTHER_WIRE, RELAY, BUTTON = "#f2f2f7", "#57606a", "#0a6cff", "#8e44ad"
GROUND, SUPPLY = "#1c1c1e", "#b3001b"

WIDTH, HEIGHT = 1100, 760
BOARD_X, BOARD_Y, BOARD_WIDTH, BOARD_HEIGHT = 410, 70, 230, 590
PIN_X, PIN_Y, PITCH = (508, 542), 118, 27
LANE = 16
"""Distance between two wires that go up or down beside the board."""
LEFT_RAIL, RIGHT_RAIL, TOP = 40, 1060, 125
RELAY_GROUND = 130
"""How far below its line a relay board meets the ground rail."""
NOTES = (
    "While nobody drives the relay's line (start, power off, a released line is an input) 10 kΩ hold it low: the door "
    "stays locked.",
    "For a board that switches at a low level: 10 kΩ to 3V3 instead, and active_low = true. Lamps of more than 10 mA, "
    "buzzers and locks need",
    "a transistor or a relay. Access control must never be the only way out: open an escape route's door without this "
    "program.",
)


@dataclass(frozen=True)
class Pin:
    """A pin of the header by its number, 1 to 40; odd ones lie on the left."""

    number: int

    @property
    def left(self) -> bool:
        return self.number % 2 == 1

    @property
    def x(self) -> int:
        return PIN_X[0 if self.left else 1]

    @property
    def y(self) -> int:
        return PIN_Y + PITCH * ((self.number - 1) // 2)


def pin_of(carries: str | int, among: Iterable[int] = range(1, 41)) -> Pin:
    """The first pin that carries this GPIO or supply. Raises InputError when none does."""
    for number in among:
        if HEADER[number - 1] == carries:
            return Pin(number)
    raise InputError(f"GPIO {carries}: not on the 40-pin header; take one from 2 to 27")


def draw(output: OutputSettings) -> str:
    """The picture as SVG text. Raises InputError for a line that is not on the header."""
    exits = [line for line in output.inputs if line.kind == "exit"] or [EXIT]
    lines: list[LineSettings | InputSettings] = [*output.lines, *exits]
    parts = [(pin_of(line.line), line) for line in lines]
    ground = [pin_of("GND", range(start, 0, -2)) for start in (39, 40)]
    power = pin_of("5V")
    colours = {pin.number: GROUND for pin in ground} | {power.number: SUPPLY}
    shapes = _board(colours | {pin.number: _colour(line) for pin, line in parts})
    for side in (True, False):
        shapes += _side([part for part in parts if part[0].left is side], side, ground[0 if side else 1], power)
    shapes += [_text(30, HEIGHT - 54 + 21 * k, note, size=13.5) for k, note in enumerate(NOTES)]
    body = "\n".join(f"  {shape}" for shape in shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f"  <title>Lamps, relay and button of a door on a Raspberry Pi's 40-pin header</title>\n"
        f'  <rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _board(colours: dict[int, str]) -> list[str]:
    """The Raspberry Pi with its header; the pins in use, by number, carry a flag in the colour of their wire."""
    shapes = [
        _box(BOARD_X, BOARD_Y, BOARD_WIDTH, BOARD_HEIGHT, "#1e6b47", radius=14),
        _text(BOARD_X + BOARD_WIDTH // 2, BOARD_Y + 22, "Raspberry Pi", fill="#ffffff", anchor="middle", bold=True),
        _box(PIN_X[0] - 17, PIN_Y - 17, PIN_X[1] - PIN_X[0] + 34, 19 * PITCH + 34, "#111111", radius=5),
    ]
    for number, carries in enumerate(HEADER, start=1):
        pin, label = Pin(number), carries if isinstance(carries, str) else f"GPIO {carries}"
        colour = colours.get(number)
        shapes.append(_circle(pin.x, pin.y, 10, "#ffcf5c" if colour else "#5c5647"))
        shapes.append(_text(pin.x, pin.y + 4, str(number), size=10, anchor="middle", fill="#111111"))
        middle = pin.x + (-57 if pin.left else 57)
        if colour:
            shapes.append(_box(middle - 36, pin.y - 11, 72, 22, colour, stroke="#ffffff", radius=6))
        shapes.append(
            _text(middle, pin.y + 4, label, 12, "middle", fill="#ffffff" if colour else "#7fb79b", bold=bool(colour))
        )
    return shapes


Part = tuple[Pin, LineSettings | InputSettings]


def _side(parts: list[Part], left: bool, ground: Pin, power: Pin) -> list[str]:
    """Everything on one side of the board, from top to bottom in the order of the pins, joined by a ground rail."""
    if not parts:
        return []
    parts = sorted(parts, key=lambda part: part[0].number)
    rail = LEFT_RAIL if left else RIGHT_RAIL
    heights = [230 if _is_relay(line) else 118 for _, line in parts]
    places = [TOP + sum(heights[:k]) for k in range(len(parts))]
    first = places[0] + (RELAY_GROUND if _is_relay(parts[0][1]) else 0)
    border, out, end = (BOARD_X, -LANE, 330) if left else (BOARD_X + BOARD_WIDTH, LANE, 740)
    shapes = [_wire([(border, ground.y), (rail, ground.y), (rail, first)], GROUND)]
    for (pin, line), place, lane in zip(parts, places, _lanes([pin for pin, _ in parts], places), strict=True):
        beside = border + out * (lane + 1)
        shapes.append(_wire([(border, pin.y), (beside, pin.y), (beside, place), (end, place)], _colour(line)))
        if isinstance(line, InputSettings):
            shapes += _button(line, end, place, rail)
        elif _is_relay(line):
            shapes += _relay(line, end, place, rail, power)
        else:
            shapes += _lamp(line, end, place, rail)
    return shapes


def _lanes(pins: list[Pin], places: list[int]) -> list[int]:
    """For each wire which lane beside the board it takes, 1 next to it, so that no two cross."""
    up = [k for k, place in enumerate(places) if place < pins[k].y]
    down = [k for k, place in enumerate(places) if place >= pins[k].y]
    order = {k: lane for lane, k in enumerate(up, start=1)} | {
        k: lane for lane, k in enumerate(reversed(down), start=1)
    }
    return [order[k] for k in range(len(pins))]


def _is_relay(line: LineSettings | InputSettings) -> bool:
    return isinstance(line, LineSettings) and "RELEASE" in line.on


def _colour(line: LineSettings | InputSettings) -> str:
    """Of its wire."""
    if isinstance(line, InputSettings):
        return BUTTON
    return RELAY if _is_relay(line) else WIRES.get(line.name, OTHER_WIRE)


def _lamp(line: LineSettings, x: int, y: int, rail: int) -> list[str]:
    """Series resistor and LED between the line and ground."""
    step = -1 if rail < x else 1
    lamp = x + step * 150
    return [
        _wire([(x, y), (x + step * 60, y)], _colour(line)),
        _wire([(x + step * 60, y), (rail, y)], GROUND),
        *_resistor(x + step * 60, y, "330 Ω"),
        _circle(lamp, y, 19, LAMPS.get(line.name, OTHER_LAMP), stroke=GROUND),
        _path(f"M{lamp - step * 7} {y - 9}L{lamp - step * 7} {y + 9}L{lamp + step * 7} {y}Z", GROUND),
        _path(f"M{lamp + step * 7} {y - 9}V{y + 9}", "none", stroke=GROUND),
        _text(lamp, y + 40, line.name, anchor="middle", bold=True),
        _text(lamp, y + 58, ", ".join(line.on), anchor="middle", size=12, fill="#555555"),
        _circle(rail, y, 4, GROUND),
    ]


def _button(line: InputSettings, x: int, y: int, rail: int) -> list[str]:
    """A push button between the line and ground; the resistor to 3.3 V is within the chip."""
    return [
        _wire([(x, y), (245, y)], BUTTON),
        _wire([(165, y), (rail, y)], GROUND),
        _circle(245, y, 5, "#ffffff", stroke=GROUND), _circle(165, y, 5, "#ffffff", stroke=GROUND),
        _path(f"M158 {y - 14}H252M205 {y - 14}V{y - 30}M190 {y - 30}H220", "none", stroke=GROUND),
        _text(205, y + 28, "request to exit", anchor="middle", bold=True),
        _text(205, y + 46, f'push button, if wanted: kind = "{line.kind}",', anchor="middle", size=12, fill="#555555"),
        _text(205, y + 62, f"line = {line.line} in [[output.input]]", anchor="middle", size=12, fill="#555555"),
        _circle(rail, y, 4, GROUND),
    ]  # fmt: skip


def _relay(line: LineSettings, x: int, y: int, rail: int, power: Pin) -> list[str]:
    """A relay board with a pull-down at its input, the door's strike and the strike's own supply."""
    board, low, border = x + 80, y + RELAY_GROUND, BOARD_X + BOARD_WIDTH
    return [
        _wire([(border, power.y), (border + LANE, power.y), (border + LANE, y - 45), (board, y - 45)], SUPPLY),
        _wire([(x, y), (board, y)], RELAY),
        _wire([(x + 15, y), (x + 15, low), (rail, low)], GROUND),
        _wire([(board + 20, y + 60), (board + 20, low)], GROUND),
        *_resistor(x + 15, y + 65, "", upright=True),
        _text(x + 3, y + 62, "10 kΩ", anchor="end"), _text(x + 3, y + 80, "pull-down", anchor="end", size=12),
        _circle(x + 15, y, 4, RELAY), _circle(board + 20, low, 4, GROUND), _circle(rail, low, 4, GROUND),
        _text(board + 32, y + 79, "switches at a", size=12, fill="#555555"),
        _text(board + 32, y + 95, "high level (3.3 V)", size=12, fill="#555555"),
        _box(board, y - 70, 105, 130, "#dfe9fb", stroke=RELAY),
        _text(board + 8, y - 40, "VCC", size=12), _text(board + 8, y + 5, "IN", size=12),
        _text(board + 8, y + 53, "GND", size=12),
        _text(board + 97, y - 40, "COM", size=12, anchor="end"), _text(board + 97, y + 5, "NO", size=12, anchor="end"),
        _text(board + 52, y - 80, f"{line.name}: {', '.join(line.on)}", anchor="middle", bold=True),
        _wire([(board + 105, y - 45), (board + 145, y - 45)], "#444444"),
        _wire([(board + 105, y), (board + 145, y)], "#444444"),
        _box(board + 145, y - 70, 75, 95, "#f3efe6", stroke="#444444"),
        _text(board + 182, y - 36, "door", anchor="middle", size=12.5),
        _text(board + 182, y - 19, "strike, its", anchor="middle", size=12.5),
        _text(board + 182, y - 2, "own supply", anchor="middle", size=12.5),
    ]  # fmt: skip


def _resistor(x: int, y: int, value: str, upright: bool = False) -> list[str]:
    wide, high = (14, 44) if upright else (44, 14)
    return [
        _box(x - wide // 2, y - high // 2, wide, high, "#ead7b5", stroke=GROUND, radius=3),
        *([_text(x, y - 14, value, anchor="middle")] if value else []),
    ]


def _wire(points: list[tuple[int, int]], colour: str) -> str:
    path = "L".join(f"{x} {y}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="3" stroke-linejoin="round"/>'


def _path(path: str, fill: str, stroke: str = "none") -> str:
    return f'<path d="{path}" fill="{fill}" stroke="{stroke}" stroke-width="2.5"/>'


def _circle(x: int, y: int, radius: int, fill: str, stroke: str = "none") -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}" stroke="{stroke}" stroke-width="2"/>'


def _box(x: int, y: int, width: int, height: int, fill: str, stroke: str = "none", radius: int = 7) -> str:
    place = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"'
    return f'<rect {place} fill="{fill}" stroke="{stroke}" stroke-width="2"/>'


def _text(
    x: int, y: int, text: str, size: float = 14, anchor: str = "start", fill: str = "#1c1c1e", bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>{text}</text>'


def main() -> int:
    """Draw the picture anew; returns the exit code."""
    PICTURE.write_text(draw(load_settings(SETTINGS).output), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
