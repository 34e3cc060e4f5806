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

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Mode = Literal["must_wear", "remind", "indicate"]
Condition = Literal[
    "IDLE", "CHECKING", "ALLOW", "DENY", "UNKNOWN", "FAULT",
    "RELEASE", "REMINDER", "HELD_OPEN", "FORCED_OPEN", "TAMPER", "HEARTBEAT",
]  # fmt: skip
"""A line can be active in any State and at any Signal of `values`."""
TIME_OF_DAY, ADDRESS = "^([01][0-9]|2[0-3]):[0-5][0-9]$", "^(https://.+)?$"
PATTERNS = {TIME_OF_DAY: 'a time of day from "00:00" to "23:59"', ADDRESS: 'an address "https://...", or ""'}
TimeOfDay = Annotated[str, Meta(pattern=TIME_OF_DAY)]
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

    bundle: folder of the bundle; "" for the one installed last, else the one that comes with the package.
    threads: processor cores that a network may use, 1 to 16.
    accelerator: "auto" (a Coral stick where there is one and the bundle has models for it), "cpu" or "edgetpu"; without
        a stick that works, the processor takes over.
    """

    bundle: str = ""
    threads: Annotated[int, Meta(ge=1, le=16)] = 2
    accelerator: Literal["auto", "cpu", "edgetpu"] = "auto"


class ZoneSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which faces count.

    polygon: corners (x, y) in fractions of the frame's width and height, 0 to 1; empty for the whole frame.
    min_face_height: a face lower than this fraction of the frame's height, 0 to 1, is too far away to count.
    slack: a face that counts goes on counting this far beyond the polygon's border, in heights of the face, and while
        it is lower than min_face_height by no more than this fraction of that, 0 to 1.
    still_seconds: a face that has never moved in this time is a picture on a wall and counts no longer, 1 to 600.
    """

    polygon: tuple[Point, ...] = ()
    min_face_height: Fraction = 0.12
    slack: Fraction = 0.15
    still_seconds: Annotated[float, Meta(ge=1.0, le=600.0)] = 10.0


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


class DoorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a verdict means at this door. All times in seconds.

    mode: "must_wear" (released for proper masks alone), "remind" (released for everybody, the others are signalled), or
        "indicate" (lamps only, never released); outside the times of `[[schedule]]`.
    release_seconds: a granted door stays released at least this long, unless somebody is denied meanwhile, 0 to 60.
    exit_seconds: how long a request to exit releases the door, 0.5 to 60.
    held_open_seconds: a door that stands open longer than this is reported, 1 to 3600.
    """

    mode: Mode = "must_wear"
    release_seconds: Annotated[float, Meta(ge=0.0, le=60.0)] = 3.0
    exit_seconds: Annotated[float, Meta(ge=0.5, le=60.0)] = 5.0
    held_open_seconds: Annotated[float, Meta(ge=1.0, le=3600.0)] = 30.0


class ScheduleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time of the week with a mode of its own; of several that hold, the first counts.

    days: "mon" to "sun". begin, end: "HH:MM" of the device's local time; an end at or before the begin is next day's.
    """

    days: Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Meta(min_length=1)]
    begin: TimeOfDay
    end: TimeOfDay
    mode: Mode


class LineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output line: a lamp, a buzzer or a relay.

    name: what it is called in logs.
    line: its number (offset) on the chip, 0 to 1023; on a Raspberry Pi the GPIO number.
    on: the states and signals in which it is active. Where no fresh decision stands, that is the state FAULT.
    active_low: true when a low level switches the lamp or relay on.
    pattern: while it is active: "steady", "blink" (once a second), "fast" (four times a second), "beep" (once for a
        fifth of a second) or "square" (five times a second, for a watchdog relay).
    fail_safe: true when it shall be active, and not inactive, in the state FAULT, at start and at the end.
    """

    name: Annotated[str, Meta(min_length=1)]
    line: Annotated[int, Meta(ge=0, le=1023)]
    on: Annotated[tuple[Condition, ...], Meta(min_length=1)]
    active_low: bool = False
    pattern: Literal["steady", "blink", "fast", "beep", "square"] = "steady"
    fail_safe: bool = False


LAMPS = (
    LineSettings("green", 17, ("ALLOW",)),
    LineSettings("yellow", 27, ("CHECKING",)),
    LineSettings("red", 22, ("DENY", "UNKNOWN", "FAULT")),
)


class InputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input line.

    kind: "door" (active while it stands open), "exit" (request to exit), "override" or "tamper".
    line, active_low: as for an output. pull: the resistor within the chip that holds an open contact.
    """

    kind: Literal["door", "exit", "override", "tamper"]
    line: Annotated[int, Meta(ge=0, le=1023)]
    active_low: bool = True
    pull: Literal["up", "down", "none"] = "up"


class OutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shows the decision.

    kind: "simulated" (a file) or "gpio" (real lines).
    file: where simulated outputs append each change, one JSON object a line.
    chip: label ("pinctrl-rp1") or path ("/dev/gpiochip0") of the GPIO chip; "auto" for a Raspberry Pi's header.
    lines: `[[output.line]]` in the file. inputs: `[[output.input]]`; simulated ones are read from `input_file`, which
        holds the kinds of those that are active, with spaces between them.
    """

    kind: Literal["simulated", "gpio"] = "simulated"
    file: Annotated[str, Meta(min_length=1)] = "outputs.jsonl"
    chip: Annotated[str, Meta(min_length=1)] = "auto"
    input_file: Annotated[str, Meta(min_length=1)] = "inputs.txt"
    lines: tuple[LineSettings, ...] = msgspec.field(default=LAMPS, name="line")
    inputs: tuple[InputSettings, ...] = msgspec.field(default=(), name="input")


class EventSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where each change of state is told.

    file: appended to, one JSON object a line; "" for standard output only.
    max_megabytes: a file that has grown to this is set aside as `file`.1, and that one's forerunner is deleted.
    required: whether an event that cannot be written is a fault, so that nobody passes unrecorded.
    """

    file: str = ""
    max_megabytes: Annotated[float, Meta(ge=0.01, le=1024.0)] = 8.0
    required: bool = True


class HealthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a camera's picture counts as none.

    patience_seconds: how long it may look broken (black, white, covered, blurred, another view) before that is a fault;
        0.1 to 0.8.
    frozen_seconds: how long it may repeat itself to the last bit, 0.2 to 10.
    blur, view: whether a picture much less sharp than before, or of another place, is a fault.
    """

    patience_seconds: Annotated[float, Meta(ge=0.1, le=0.8)] = 0.5
    frozen_seconds: Annotated[float, Meta(ge=0.2, le=10.0)] = 0.7
    blur: bool = True
    view: bool = True


class UpdateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where new bundles and settings come from.

    index: HTTPS address of the fleet's index; "" for none. ca_file: certificates to trust, PEM; "" for the system's.
    trial_seconds: how long a new bundle or new settings must do well before they stay, 10 to 86,400.
    """

    index: Annotated[str, Meta(pattern=ADDRESS)] = ""
    ca_file: str = ""
    trial_seconds: Annotated[float, Meta(ge=10.0, le=86_400.0)] = 600.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; `Settings()` holds the defaults."""

    camera: CameraSettings = CameraSettings()
    model: ModelSettings = ModelSettings()
    zone: ZoneSettings = ZoneSettings()
    decision: DecisionSettings = DecisionSettings()
    door: DoorSettings = DoorSettings()
    schedule: tuple[ScheduleSettings, ...] = ()
    health: HealthSettings = HealthSettings()
    output: OutputSettings = OutputSettings()
    events: EventSettings = EventSettings()
    update: UpdateSettings = UpdateSettings()


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
    named: list[tuple[str, LineSettings | InputSettings]] = [
        (f"output.line[{k}]", line) for k, line in enumerate(lines)
    ]
    named += [(f"output.input[{k}]", line) for k, line in enumerate(settings.output.inputs)]
    for (first, one), (second, other) in combinations(named, 2):
        for key in ("line", "name", "kind"):
            value = getattr(other, key, None)
            if value is not None and value == getattr(one, key, None):
                yield f"{second}.{key} is {_shown(value)}, as in {first}; give each its own"


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
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType(pattern=str(pattern)):
            return PATTERNS[pattern]
        case inspect.StrType(min_length=least):
            return "a text, not empty" if least else "a text"
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)} numbers"
        case inspect.VarTupleType(min_length=least):
            return "a list, not empty" if least else "a list"
        case _:
            return "a table of keys"
