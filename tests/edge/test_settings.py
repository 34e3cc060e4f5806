import tomllib
from importlib.resources import files
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from edge.errors import SettingsError
from edge.polygon import polygon_fault
from edge.settings import Condition, LineSettings, OutputSettings, Settings, load_settings
from edge.values import Signal, State

EXAMPLE = Path(str(files("edge").joinpath("config.example.toml")))


@pytest.fixture
def refusal(tmp_path):
    """Gives the message with which a settings file of this text is refused, without the file's name."""

    def refuse(text: str) -> str:
        file = tmp_path / "door.toml"
        file.write_text(text)
        with pytest.raises(SettingsError) as caught:
            load_settings(file)
        message = str(caught.value)
        assert message.startswith(f"{file}: ")
        assert "\n" not in message
        return message.removeprefix(f"{file}: ")

    return refuse


def test_the_example_holds_every_key_with_its_default():
    written = tomllib.loads(EXAMPLE.read_text())
    assert written == msgspec.json.decode(msgspec.json.encode(Settings()))
    assert load_settings(EXAMPLE) == Settings()


def test_a_file_may_name_only_what_it_changes(tmp_path):
    file = tmp_path / "door.toml"
    file.write_text("[zone]\nmin_face_height = 0.2\n")
    assert load_settings(file).zone.min_face_height == 0.2
    assert load_settings(file).decision == Settings().decision


def test_lines_of_a_file_replace_the_default_ones(tmp_path):
    file = tmp_path / "door.toml"
    file.write_text('[[output.line]]\nname = "door"\nline = 5\non = ["ALLOW"]\nactive_low = true\n')
    assert load_settings(file).output.lines == (LineSettings("door", 5, ("ALLOW",), active_low=True),)


def test_only_allow_lights_the_green_lamp_by_default():
    (green,) = (line for line in OutputSettings().lines if line.name == "green")
    assert green.on == ("ALLOW",)


@pytest.mark.parametrize(
    "text, message",
    [
        ("zone.min_face_height = 2.0", "zone.min_face_height is 2.0; it must be a number from 0 to 1"),
        ("zone.min_face_height = nan", "zone.min_face_height is nan; it must be a number from 0 to 1"),
        ('zone.min_face_height = "a"', 'zone.min_face_height is "a"; it must be a number from 0 to 1'),
        ("zone.polygon = [[0, 1], [2, 0]]", "zone.polygon[1][0] is 2; it must be a number from 0 to 1"),
        ("zone.polygon = [[0, 1], [0]]", "zone.polygon[1] is [0]; it must be a list of 2 numbers"),
        ("zone = 3", "zone is 3; it must be a table of keys"),
        ("camera.width = 3.5", "camera.width is 3.5; it must be a whole number from 160 to 4096"),
        ("camera.width = true", "camera.width is true; it must be a whole number from 160 to 4096"),
        ("camera.frames_per_second = inf", "camera.frames_per_second is inf; it must be a number from 2 to 120"),
        ('camera.source = ""', 'camera.source is ""; it must be a text, not empty'),
        ("model.bundle = 3", "model.bundle is 3; it must be a text"),
        ('output.kind = "x"', 'output.kind is "x"; it must be one of gpio, simulated'),
        ("output.line = 3", "output.line is 3; it must be a list"),
        ("decision.valid_seconds = 5", "decision.valid_seconds is 5; it must be a number from 0.1 to 1"),
        (
            "zone.height = 3",
            "zone.height is no key of the settings; [zone] has polygon, min_face_height, slack, still_seconds",
        ),
        (
            "zones.height = 3",
            "zones is no key of the settings; the file has camera, model, zone, decision, door, schedule, health, "
            "output, events, update, share, web, mqtt, drift, review",
        ),
        (
            'update.index = "http://fleet.example/index.json"',
            'update.index is "http://fleet.example/index.json"; it must be an address "https://...", or ""',
        ),
        (
            "decision.allow_below = 0.7",
            "decision.allow_below is 0.7; it must be at most decision.allow_above, which is 0.6",
        ),
        (
            'output.kind = "gpio"\noutput.line = []',
            "output.line is missing; the kind gpio needs at least one [[output.line]]",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_range(refusal, text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    "line, message",
    [
        ('name = "a"', "output.line[0].line is missing"),
        (
            'name = "a"\nline = 3000\non = ["ALLOW"]',
            "output.line[0].line is 3000; it must be a whole number from 0 to 1023",
        ),
        (
            'name = "a"\nline = 3\non = ["OPEN"]',
            'output.line[0].on[0] is "OPEN"; '
            "it must be one of ALLOW, CHECKING, CONTESTED, DENY, FAULT, FORCED_OPEN, "
            "HEARTBEAT, HELD_OPEN, IDLE, RELEASE, REMINDER, TAMPER, UNKNOWN",
        ),
        ('name = "a"\nline = 3\non = []', "output.line[0].on is []; it must be a list, not empty"),
        (
            'name = "a"\nline = 3\non = ["DENY"]\nactive_low = 1',
            "output.line[0].active_low is 1; it must be true or false",
        ),
        (
            'name = "a"\nline = 3\non = ["DENY"]\npin = 1',
            "output.line[0].pin is no key of the settings; [output.line[0]] has name, line, on, active_low, "
            "pattern, fail_safe",
        ),
    ],
)
def test_a_wrong_output_line_is_refused_with_its_key(refusal, line, message):
    assert refusal(f"[[output.line]]\n{line}") == message


def test_an_input_and_an_output_may_not_share_a_line(refusal):
    text = '[[output.line]]\nname = "a"\nline = 1\non = ["DENY"]\n[[output.input]]\nkind = "exit"\nline = 1\n'
    assert refusal(text) == "output.input[0].line is 1, as in output.line[0]; give each its own"


def test_a_schedule_with_a_wrong_time_or_day_is_refused(refusal):
    entry = '[[schedule]]\ndays = ["mon"]\nbegin = "{}"\nend = "07:00"\nmode = "{}"'
    assert refusal(entry.format("24:00", "remind")) == (
        'schedule[0].begin is "24:00"; it must be a time of day from "00:00" to "23:59"'
    )
    assert refusal(entry.format("23:00", "off")) == (
        'schedule[0].mode is "off"; it must be one of indicate, must_wear, remind'
    )


def test_a_line_can_show_every_state_and_signal():
    assert {*get_args(Condition)} == {*State, *Signal}


@pytest.mark.parametrize("key", ["line", "name"])
def test_two_lines_may_not_share_a_number_or_a_name(refusal, key):
    lines = [{"name": "a", "line": 1}, {"name": "b", "line": 2}]
    lines[1][key] = lines[0][key]
    text = "".join(
        f'[[output.line]]\nname = "{line["name"]}"\nline = {line["line"]}\non = ["DENY"]\n' for line in lines
    )
    assert refusal(text).startswith(f"output.line[1].{key} is ")


def test_a_file_that_is_not_toml_is_refused(refusal, tmp_path):
    assert refusal("a =").startswith("not a TOML file (")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not a TOML file"):
        load_settings(binary)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"none.toml: cannot read the settings \(No such file"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "polygon",
    [
        (),
        ((0, 0), (1, 0), (1, 0.52), (0, 0.52)),
        ((0.5, 0), (1, 1), (0, 1)),
        # a U, two of whose edges lie on one line
        ((0, 0), (0.3, 0), (0.3, 0.5), (0.7, 0.5), (0.7, 0), (1, 0), (1, 1), (0, 1)),
    ],
)
def test_a_plain_polygon_is_a_zone(polygon):
    assert polygon_fault(polygon) is None


@pytest.mark.parametrize(
    "polygon, fault",
    [
        (((0, 0), (1, 1)), "at least 3"),
        (((0, 0), (1, 0), (1.2, 1)), "from 0 to 1"),
        (((0, 0), (1, 0), (1, float("nan"))), "from 0 to 1"),
        (((0, 0), (1, 1), (1, 0), (0, 1)), "edges that cross"),
        (((0, 0), (1, 0), (0.5, 0.5), (1, 1), (0, 1), (0.6, 0.6)), "edges that cross"),
        (((0, 0), (1, 0), (1, 1), (0, 0)), "twice"),
        (((0, 0), (0.5, 0.5), (1, 1)), "covers 0 of the frame"),
        (((0, 0), (0.01, 0), (0.01, 0.01)), "at least 0.001"),
    ],
)
def test_a_polygon_that_is_no_zone_is_told_why(polygon, fault):
    assert fault in polygon_fault(polygon)


SHARED = '[share]\nsocket = "s"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[web]\nlisten = "127.0.0.1:80"', "share.socket is missing; web.listen shows what is told there"),
        ('[mqtt]\nhost = "broker"', "share.socket is missing; mqtt.host shows what is told there"),
        ('[share]\nzone_file = "z"', "share.socket is missing; without it nobody can draw what share.zone_file keeps"),
        (
            SHARED + '[web]\nlisten = "somewhere:80"',
            'web.listen is "somewhere:80"; it must be an address and a port, "127.0.0.1:8080" or "[::1]:8080", or ""',
        ),
        (SHARED + '[web]\nlisten = "300.0.0.1:80"', 'web.listen is "300.0.0.1:80"; 300.0.0.1 is no address'),
        (
            SHARED + '[web]\nlisten = "127.0.0.1:70000"',
            'web.listen is "127.0.0.1:70000"; a port is a number from 1 to 65535',
        ),
        (
            SHARED + '[web]\nlisten = "[::]:80"',
            'web.listen is "[::]:80", which others can reach; name web.certificate and web.key, or listen at '
            "127.0.0.1 and reach it with `ssh -L`",
        ),
        (
            SHARED + '[web]\nlisten = "127.0.0.1:80"\nkey = "k.pem"',
            "web.certificate and web.key go together; name both, or none",
        ),
        (
            SHARED + '[mqtt]\nhost = "broker"\nuser = "door1"\ntls = false',
            'mqtt.tls is false; the password of mqtt.user "door1" would pass in the clear',
        ),
        ('[mqtt]\ndevice = "a/b"', 'mqtt.device is "a/b"; it must be letters, digits, _ and -, 64 at most'),
        (
            "[review]\nenabled = true",
            "review.key is missing; name the owner's public key, which `make review-key` makes",
        ),
    ],
)
def test_what_others_may_see_is_refused_where_it_cannot_be_or_is_not_safe(refusal, text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    "text",
    [
        '[web]\nlisten = "127.0.0.1:80"',
        '[web]\nlisten = "[::1]:80"',
        '[web]\nlisten = "0.0.0.0:443"\ncertificate = "c.pem"\nkey = "k.pem"',
        '[mqtt]\nhost = "localhost"\nuser = "door1"\ntls = false',
        '[mqtt]\nhost = "broker"\ntls = false',
    ],
)
def test_what_is_safe_to_show_is_taken(tmp_path, text):
    file = tmp_path / "door.toml"
    file.write_text(SHARED + text)
    assert load_settings(file).share.socket == "s"
