"""The daemon's settings: a TOML file, checked as a whole before anything is switched on.

`config.example.toml` beside this file shows every key. Paths are taken as given: relative to the working directory.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.errors import SettingsError
from edge.explain import explain, shown
from edge.polygon import polygon_fault

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Mode = Literal["must_wear", "remind", "indicate"]
Condition = Literal[
    "IDLE", "CHECKING", "ALLOW", "DENY", "UNKNOWN", "FAULT",
    "RELEASE", "REMINDER", "HELD_OPEN", "FORCED_OPEN", "TAMPER", "HEARTBEAT", "CONTESTED",
]  # fmt: skip
"""A line can be active in any State and at any Signal of `values`."""
TIME_OF_DAY, ADDRESS = "^([01][0-9]|2[0-3]):[0-5][0-9]$", "^(https://.+)?$"
LISTEN, DEVICE = r"^((\[[0-9a-fA-F:]+\]|[0-9.]+):[0-9]{1,5})?$", "^[A-Za-z0-9_-]{0,64}$"
PATTERNS = {
    TIME_OF_DAY: 'a time of day from "00:00" to "23:59"',
    ADDRESS: 'an address "https://...", or ""',
    LISTEN: 'an address and a port, "127.0.0.1:8080" or "[::1]:8080", or ""',
    DEVICE: "letters, digits, _ and -, 64 at most",
}
Point = tuple[Fraction, Fraction]
TimeOfDay = Annotated[str, Meta(pattern=TIME_OF_DAY)]


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

    kind: "door" (active while it stands open), "exit" (request to exit), "override", "tamper", or "wrong" (a button
        that contests the last verdict).
    line, active_low: as for an output. pull: the resistor within the chip that holds an open contact.
    """

    kind: Literal["door", "exit", "override", "tamper", "wrong"]
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


class ShareSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What other programs on this device may see and do: `maskgate serve`, for the status page, MQTT and metrics.

    socket: path of the socket at which they follow the decisions; "" for none.
    view: whether they may ask for pictures, for ten minutes at a time, to aim the camera by.
    zone_file: keeps the zone that was drawn on the page, and goes before [zone]; "" when it cannot be drawn there.
    override: whether they may release the door, for `door.exit_seconds`, as somebody with a key does.
    """

    socket: str = ""
    view: bool = True
    zone_file: str = ""
    override: bool = False


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The status page and /metrics.

    listen: address and port, "127.0.0.1:8080" or "[::1]:8080"; "" for no page. Any but a loopback address needs a
        certificate.
    certificate, key: PEM files, for HTTPS; "" for plain HTTP. folder: keeps the hash of the token and today's counts.
    """

    listen: Annotated[str, Meta(pattern=LISTEN)] = ""
    certificate: str = ""
    key: str = ""
    folder: Annotated[str, Meta(min_length=1)] = "serve"


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The broker that is told of this door.

    host, port: of the broker; host "" for none. tls: whether the broker must show a certificate.
    ca_file: certificates to trust, PEM; "" for the system's. user: "" for nobody; the password is the systemd
        credential `mqtt-password`. device: this door's name in topics, "" for the host's.
    """

    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    tls: bool = True
    ca_file: str = ""
    user: str = ""
    device: Annotated[str, Meta(pattern=DEVICE)] = ""


class DriftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the people at this door come to look unlike those that the models were tested on.

    file: keeps the counts of each day, no pictures; "" when nobody watches.
    alarm_above: population stability index that is an alarm, 0.05 to 5.
    """

    file: str = ""
    alarm_above: Annotated[float, Meta(ge=0.05, le=5.0)] = 0.25


class ReviewSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Faces that are kept for people to look at, encrypted; the only pictures that are ever stored.

    enabled: whether any are. folder: where. key: file of the owner's public key; only its private key, which never is
    on the device, opens them. keep: how many at most, 1 to 10,000; then the oldest goes. days: each is deleted after so
    many, 1 to 365.
    """

    enabled: bool = False
    folder: Annotated[str, Meta(min_length=1)] = "review"
    key: str = ""
    keep: Annotated[int, Meta(ge=1, le=10_000)] = 200
    days: Annotated[float, Meta(ge=1.0, le=365.0)] = 14.0


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
    share: ShareSettings = ShareSettings()
    web: WebSettings = WebSettings()
    mqtt: MqttSettings = MqttSettings()
    drift: DriftSettings = DriftSettings()
    review: ReviewSettings = ReviewSettings()


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
        raise SettingsError(f"{path}: {explain(str(error), raw, Settings, PATTERNS)}") from error
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
    if settings.review.enabled and not settings.review.key:
        yield "review.key is missing; name the owner's public key, which `make review-key` makes"
    if settings.share.zone_file and not settings.share.socket:
        yield "share.socket is missing; without it nobody can draw what share.zone_file keeps"
    for key in ("web.listen", "mqtt.host"):
        table, name = key.split(".")
        if getattr(getattr(settings, table), name) and not settings.share.socket:
            yield f"share.socket is missing; {key} shows what is told there"
    mqtt = settings.mqtt
    if mqtt.user and not mqtt.tls and mqtt.host not in ("localhost", "127.0.0.1", "::1"):
        yield f'mqtt.tls is false; the password of mqtt.user "{mqtt.user}" would pass in the clear'
    yield from _web_faults(settings.web)
    named: list[tuple[str, LineSettings | InputSettings]] = [
        (f"output.line[{k}]", line) for k, line in enumerate(lines)
    ]
    named += [(f"output.input[{k}]", line) for k, line in enumerate(settings.output.inputs)]
    for (first, one), (second, other) in combinations(named, 2):
        for key in ("line", "name", "kind"):
            value = getattr(other, key, None)
            if value is not None and value == getattr(one, key, None):
                yield f"{second}.{key} is {shown(value)}, as in {first}; give each its own"


def _web_faults(web: WebSettings) -> Iterator[str]:
    address, _, port = web.listen.rpartition(":")
    if not web.listen:
        return
    try:
        loopback = ip_address(address.strip("[]")).is_loopback
    except ValueError:
        yield f'web.listen is "{web.listen}"; {address} is no address'
        return
    if not 0 < int(port) < 65536:
        yield f'web.listen is "{web.listen}"; a port is a number from 1 to 65535'
    if bool(web.certificate) != bool(web.key):
        yield "web.certificate and web.key go together; name both, or none"
    if not (loopback or web.certificate):
        yield (
            f'web.listen is "{web.listen}", which others can reach; name web.certificate and web.key, or listen at '
            "127.0.0.1 and reach it with `ssh -L`"
        )
