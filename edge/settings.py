"""The daemon's settings: a TOML file, checked as a whole before anything is switched on.

`config.example.toml` beside this file shows every key. Paths are taken as given: relative to the working directory.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, inspect

from edge.errors import SettingsError
from edge.values import State

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Point = tuple[Fraction, Fraction]
Edge = tuple[Point, Point]
LEAST_AREA = 0.001
"""The smallest zone, as a fraction of the frame's area."""


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the frames come from.

    source: "auto", "picamera2", "v4l2:0", "/dev/video0", or the path of a video file or a folder of pictures.
    width, height: pixels asked of a camera, 160 to 4096 and 120 to 4096; files keep their own size.
    frames_per_second: asked of a camera, 2 to 120; with frames further apart than half a second nobody is allowed.
    """

    source: Annotated[str, Meta(min_length=1)] = "auto"
    width: Annotated[int, Meta(ge=160, le=4096)] = 1280
    height: Annotated[int, Meta(ge=120, le=4096)] = 720
    frames_per_second: Annotated[float, Meta(ge=2.0, le=120.0)] = 15.0


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which models judge.

    bundle: folder of the bundle; "" for the one that comes with the package.
    threads: processor cores that a network may use, 1 to 16.
    """

    bundle: str = ""
    threads: Annotated[int, Meta(ge=1, le=16)] = 2


class ZoneSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which faces count.

    polygon: corners (x, y) in fractions of the frame's width and height, 0 to 1; empty for the whole frame.
    min_face_height: a face lower than this fraction of the frame's height, 0 to 1, is too far away to count.
    """

    polygon: tuple[Point, ...] = ()
    min_face_height: Fraction = 0.12


class DecisionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How verdicts become a decision. All times in seconds.

    settle_seconds: a face must be seen and judged alike for this long before it is allowed, 0 to 10.
    hold_seconds: how long a face that is no longer found still counts, 0 to 10.
    vote_seconds: a face's label is voted over its verdicts of this time, 0 to 10.
    allow_above: a face becomes masked when that label's weight rises above this, 0 to 1.
    allow_below: a masked face stops being so when the weight falls below this, 0 to 1, at most allow_above.
    frame_age_limit: a frame older than this when it is judged is a fault, 0.05 to 1.
    valid_seconds: how long a shown decision stands without a fresh one, 0.1 to 1; then every output goes to safe.
    """

    settle_seconds: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.7
    hold_seconds: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.5
    vote_seconds: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.4
    allow_above: Fraction = 0.6
    allow_below: Fraction = 0.4
    frame_age_limit: Annotated[float, Meta(ge=0.05, le=1.0)] = 0.5
    valid_seconds: Annotated[float, Meta(ge=0.1, le=1.0)] = 0.8


class LineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output line: a lamp or a relay.

    name: what it is called in logs.
    line: its number (offset) on the chip, 0 to 1023; on a Raspberry Pi the GPIO number.
    on_states: the states in which it is active; in all others, and at start and end, it is inactive.
    active_low: true when a low level switches the lamp or relay on.
    """

    name: Annotated[str, Meta(min_length=1)]
    line: Annotated[int, Meta(ge=0, le=1023)]
    on_states: Annotated[tuple[State, ...], Meta(min_length=1)]
    active_low: bool = False


LAMPS = (
    LineSettings("green", 17, (State.ALLOW,)),
    LineSettings("yellow", 27, (State.CHECKING,)),
    LineSettings("red", 22, (State.DENY, State.UNKNOWN, State.FAULT)),
)


class OutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shows the decision.

    kind: "simulated" (a file) or "gpio" (real lines).
    file: where simulated outputs append each change, one JSON object a line.
    chip: label ("pinctrl-rp1") or path ("/dev/gpiochip0") of the GPIO chip; "auto" for a Raspberry Pi's header.
    lines: `[[output.line]]` in the file.
    """

    kind: Literal["simulated", "gpio"] = "simulated"
    file: Annotated[str, Meta(min_length=1)] = "outputs.jsonl"
    chip: Annotated[str, Meta(min_length=1)] = "auto"
    lines: tuple[LineSettings, ...] = msgspec.field(default=LAMPS, name="line")


class EventSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where each change of state is told.

    file: appended to, one JSON object a line; "" for standard output only.
    """

    file: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; `Settings()` holds the defaults."""

    camera: CameraSettings = CameraSettings()
    model: ModelSettings = ModelSettings()
    zone: ZoneSettings = ZoneSettings()
    decision: DecisionSettings = DecisionSettings()
    output: OutputSettings = OutputSettings()
    events: EventSettings = EventSettings()


def load_settings(path: Path) -> Settings:
    """Read and check a settings file. Raises SettingsError, which names the file, the key, the value and the range."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the settings ({error.strerror})") from error
    except ValueError as error:
        raise SettingsError(f"{path}: not a TOML file ({error})") from error
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_explain(str(error), raw)}") from error
    for fault in _faults(settings):
        raise SettingsError(f"{path}: {fault}")
    return settings


def _faults(settings: Settings) -> Iterator[str]:
    """What no single key's type or range tells."""
    if (fault := polygon_fault(settings.zone.polygon)) is not None:
        yield f"zone.polygon {fault}"
    decision = settings.decision
    if decision.allow_below > decision.allow_above:
        yield (
            f"decision.allow_below is {decision.allow_below}; it must be at most decision.allow_above, "
            f"which is {decision.allow_above}"
        )
    lines = settings.output.lines
    if settings.output.kind == "gpio" and not lines:
        yield "output.line is missing; the kind gpio needs at least one [[output.line]]"
    for (first, one), (second, other) in combinations(enumerate(lines), 2):
        for key in ("line", "name"):
            if (value := getattr(other, key)) == getattr(one, key):
                yield f"output.line[{second}].{key} is {_shown(value)}, as in output.line[{first}]; give each its own"


def polygon_fault(polygon: Sequence[Point]) -> str | None:
    """What is wrong with a zone of corners (x, y) in fractions of the frame; None when nothing, or when it is empty."""
    if not polygon:
        return None
    if len(polygon) < 3:
        return f"has {len(polygon)} corner(s); it must have at least 3"
    for x, y in polygon:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return f"has the corner {x:g}, {y:g}; x and y must be from 0 to 1, fractions of the frame"
    if len(set(polygon)) < len(polygon):
        return "names a corner twice; give each once, the last is joined to the first"
    edges = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    for one, other in combinations(edges, 2):
        if not set(one) & set(other) and _meet(one, other):
            return f"has edges that cross: {_text(one)} and {_text(other)}; give the corners in order around the zone"
    area = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)) / 2
    if area < LEAST_AREA:
        return f"covers {area:.2g} of the frame; it must cover at least {LEAST_AREA:g}"
    return None


def _meet(one: Edge, other: Edge) -> bool:
    """Whether two edges share a point."""
    (a, b), (c, d) = one, other
    near = all(min(a[k], b[k]) <= max(c[k], d[k]) and min(c[k], d[k]) <= max(a[k], b[k]) for k in (0, 1))
    return near and _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0


def _side(a: Point, b: Point, c: Point) -> float:
    """Positive when c lies left of the line from a to b, negative on the right, 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _text(edge: Edge) -> str:
    return " - ".join(f"({x:g}, {y:g})" for x, y in edge)


def _explain(message: str, raw: dict[str, Any]) -> str:
    """msgspec's message as ours: the key's dotted name, its value and what it must be."""
    what, _, place = message.partition(" - at `$")
    path = re.findall(r"[^.\[\]`]+", place)
    value, wanted = _follow(path, raw)
    name = place.rstrip("`").lstrip(".")
    if missing := re.match(r"Object (contains unknown|missing required) field `(.*)`", what):
        full_name = f"{name}.{missing[2]}".lstrip(".")
        keys = ", ".join(field.encode_name for field in getattr(wanted, "fields", ()))
        if missing[1] == "missing required":
            return f"{full_name} is missing"
        return f"{full_name} is no key of the settings; [{name}] has {keys}".replace("[]", "the file")
    return f"{name} is {_shown(value)}; it must be {_describe(wanted)}"


def _follow(path: list[str], raw: Any) -> tuple[Any, inspect.Type]:
    """The value at a path such as ["output", "line", "0"], and the type that it should have."""
    kind: inspect.Type = inspect.type_info(Settings)
    for step in path:
        raw = raw[int(step)] if isinstance(raw, list) else raw[step]
        match kind:
            case inspect.StructType(fields=fields):
                kind = next(field.type for field in fields if field.encode_name == step)
            case inspect.VarTupleType(item_type=item):
                kind = item
            case inspect.TupleType(item_types=items):
                kind = items[int(step)]
    return raw, kind


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _describe(kind: inspect.Type) -> str:
    match kind:
        case inspect.FloatType(ge=least, le=most):
            return f"a number from {least:g} to {most:g}"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(sorted(map(str, values)))}"
        case inspect.EnumType(cls=states):
            return f"one of {', '.join(str(state.value) for state in states)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType(min_length=least):
            return "a text, not empty" if least else "a text"
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)} numbers"
        case inspect.VarTupleType(min_length=least):
            return "a list, not empty" if least else "a list"
        case _:
            return "a table of keys"
