import json
import math
import threading
from pathlib import Path
from types import SimpleNamespace

import gpiod
import pytest

from edge.errors import OutputError
from edge.output import GpioOutputs, GuardedOutputs, SimulatedOutputs, open_outputs
from edge.settings import LineSettings, OutputSettings
from edge.values import Decision, State

GREEN = LineSettings("green", 17, (State.ALLOW,))
RED = LineSettings("red", 22, (State.DENY, State.FAULT))
DOOR = LineSettings("door", 5, (State.ALLOW,), active_low=True)


def decided(state: State) -> Decision:
    return Decision(0.0, state, "")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "outputs.jsonl"


def changes(log: Path) -> list[tuple[str, int]]:
    """The name and level of each line of the file."""
    return [(change["line"], change["level"]) for change in map(json.loads, log.read_text().splitlines())]


def test_every_change_is_appended_with_its_time(log):
    clock = SimpleNamespace(now=5.0)
    with SimulatedOutputs([GREEN, RED], log, lambda: clock.now) as outputs:
        for clock.now, state in [(6.0, State.DENY), (7.0, State.DENY), (8.0, State.ALLOW)]:
            outputs.show(decided(state), math.inf)
        clock.now = 9.0
    assert [json.loads(line) for line in log.read_text().splitlines()] == [
        {"time": 5.0, "line": "green", "active": False, "level": 0},
        {"time": 5.0, "line": "red", "active": False, "level": 0},
        {"time": 6.0, "line": "red", "active": True, "level": 1},
        {"time": 8.0, "line": "red", "active": False, "level": 0},
        {"time": 8.0, "line": "green", "active": True, "level": 1},
        {"time": 9.0, "line": "green", "active": False, "level": 0},
    ]


def test_an_active_low_line_rests_at_a_high_level(log):
    with SimulatedOutputs([DOOR], log) as outputs:
        outputs.show(decided(State.ALLOW), math.inf)
    assert changes(log) == [("door", 1), ("door", 0), ("door", 1)]


@pytest.mark.parametrize("state", list(State))
def test_a_line_is_active_in_its_states_only(log, state):
    with SimulatedOutputs([RED], log) as outputs:
        outputs.show(decided(state), math.inf)
        lit = changes(log)[-1] == ("red", 1)
    assert lit == (state in (State.DENY, State.FAULT))


def test_an_error_within_the_block_leaves_the_lines_safe(log):
    with pytest.raises(KeyboardInterrupt), SimulatedOutputs([GREEN], log) as outputs:
        outputs.show(decided(State.ALLOW), math.inf)
        raise KeyboardInterrupt
    assert changes(log)[-1] == ("green", 0)


def test_a_decision_that_outlived_its_time_is_shown_no_more_and_once_only(log):
    now = 1.0
    with SimulatedOutputs([GREEN], log, lambda: now) as outputs:
        outputs.show(decided(State.ALLOW), 1.8)
        assert outputs.expire() == pytest.approx(0.8)
        assert changes(log)[-1] == ("green", 1)
        now = 1.8
        assert outputs.expire() is None
        assert outputs.expire() is None
        assert changes(log) == [("green", 0), ("green", 1), ("green", 0)]


def test_a_decision_that_comes_too_late_is_never_shown(log):
    with SimulatedOutputs([GREEN], log, lambda: 2.0) as outputs:
        outputs.show(decided(State.ALLOW), 1.9)
        assert changes(log) == [("green", 0)]


def test_a_fresh_decision_lights_the_lamp_again(log):
    now = 1.0
    with SimulatedOutputs([GREEN], log, lambda: now) as outputs:
        outputs.show(decided(State.ALLOW), 1.8)
        now = 2.0
        outputs.expire()
        outputs.show(decided(State.ALLOW), 2.8)
        assert changes(log)[-1] == ("green", 1)


class Signalling(GuardedOutputs):
    """Lines that tell when they are switched off."""

    def __init__(self, lines, fault=None):
        super().__init__(lines)
        self.off, self.tried, self.levels, self.fault = threading.Event(), threading.Event(), {}, fault

    def _set(self, line, active):
        if line.name == self.fault:
            self.tried.set()
            raise OutputError(f"{line.name}: stuck")
        self.levels[line.name] = active
        if not active:
            self.off.set()

    def _release(self):
        pass


def test_the_watchdog_switches_off_by_itself():
    with Signalling([GREEN]) as outputs:
        outputs.show(decided(State.ALLOW), outputs._clock() + 0.05)
        assert outputs.levels == {"green": True}
        assert outputs.off.wait(10)
        assert outputs.levels == {"green": False}


def test_the_watchdog_tells_of_a_line_that_it_cannot_switch_off():
    with Signalling([GREEN, RED]) as outputs:
        outputs.show(decided(State.ALLOW), math.inf)
        outputs.fault = "green"
        outputs._valid_until = 0.0
        with outputs._changed:
            outputs._changed.notify()
        assert outputs.tried.wait(10)
        with pytest.raises(OutputError, match="green: stuck"):
            outputs.show(decided(State.ALLOW), math.inf)
        outputs.fault = None


def test_a_stuck_line_does_not_keep_the_others_on():
    both = LineSettings("both", 1, (State.ALLOW,))
    outputs = Signalling([GREEN, both])
    with pytest.raises(OutputError, match="green: stuck"), outputs:
        outputs.show(decided(State.ALLOW), math.inf)
        outputs.fault = "green"
    assert outputs.levels == {"green": True, "both": False}


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    settings = OutputSettings(file=str(tmp_path / "none" / "outputs.jsonl"))
    with pytest.raises(OutputError, match=r"output\.file .*outputs\.jsonl: cannot be written \(No such file"):
        open_outputs(settings)


class Gpiod:
    """Stands in for the module gpiod: chips by path, and a record of what was asked of the lines.

    used: line numbers that other programs hold. A chip without a label may not be opened.
    """

    line = gpiod.line
    LineSettings = gpiod.LineSettings

    def __init__(self, chips, used=(), refusal=None):
        self.chips, self.used, self.refusal = chips, used, refusal
        self.record, self.config, self.consumer = [], {}, None

    def Chip(self, path):
        if self.refusal is not None or self.chips[path] is None:
            raise self.refusal or PermissionError(13, "Permission denied")
        return Chip(self.chips[path], self.used)

    def request_lines(self, path, config, consumer):
        self.path, self.config, self.consumer = path, config, consumer
        return SimpleNamespace(
            set_value=lambda line, value: self.record.append((line, value.value)),
            release=lambda: self.record.append("release"),
        )


class Chip:
    def __init__(self, label, used):
        self.label, self.used = label, used

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def get_info(self):
        return SimpleNamespace(label=self.label, num_lines=28)

    def get_line_info(self, line):
        return SimpleNamespace(used=line in self.used, consumer="lights")


@pytest.fixture
def devices(tmp_path):
    for name in ("gpiochip0", "gpiochip1"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def chips(devices):
    return {str(devices / "gpiochip0"): "raspberrypi-exp-gpio", str(devices / "gpiochip1"): "pinctrl-bcm2711"}


@pytest.mark.parametrize("chip", ["auto", "pinctrl-bcm2711", "gpiochip1"])
def test_gpio_lines_are_requested_safe_driven_and_left_safe(devices, chips, chip):
    module = Gpiod(chips)
    name = str(devices / chip) if chip == "gpiochip1" else chip
    with GpioOutputs([GREEN, DOOR], name, module, devices=devices) as outputs:
        outputs.show(decided(State.ALLOW), math.inf)
    assert (module.path, module.consumer) == (str(devices / "gpiochip1"), "maskgate")
    asked = {
        line: (config.direction.name, config.active_low, config.output_value.value)
        for line, config in module.config.items()
    }
    assert asked == {17: ("OUTPUT", False, 0), 5: ("OUTPUT", True, 0)}
    assert module.record == [(17, 1), (5, 1), (17, 0), (5, 0), "release"]


@pytest.mark.parametrize(
    "chip, message",
    [
        ("gpio-sim", r'no GPIO chip with the label "gpio-sim" here; there are: raspberrypi-exp-gpio \(.*gpiochip0\)'),
        ("/dev/gpiochip987", "there is no /dev/gpiochip987"),
        ("/dev/null", "/dev/null is not a GPIO chip"),
    ],
)
def test_an_absent_chip_is_refused(devices, chips, chip, message):
    module = gpiod if chip.startswith("/") else Gpiod(chips)
    with pytest.raises(OutputError, match=message):
        GpioOutputs([GREEN], chip, module, devices=devices)


def test_without_a_pi_auto_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no Raspberry Pi's GPIO chip here; there are: none"):
        GpioOutputs([GREEN], "auto", Gpiod({}), devices=tmp_path)


def nameless(path):
    raise KeyError("getgrgid(): gid not found: 997")


@pytest.mark.parametrize(
    "group, remedy",
    [(lambda path: "gpio", "sudo usermod -aG gpio"), (lambda path: "root", "udev rule"), (nameless, "udev rule")],
    ids=["gpio", "root", "nameless"],
)
def test_a_chip_without_permission_is_refused_with_the_group_to_join(devices, chips, monkeypatch, group, remedy):
    monkeypatch.setattr(Path, "group", group)
    with pytest.raises(OutputError, match=f"no permission for .*gpiochip0; .*{remedy}"):
        GpioOutputs([GREEN], "auto", Gpiod(chips, refusal=PermissionError(13, "Permission denied")), devices=devices)


def test_a_chip_without_permission_does_not_hide_the_one_that_is_wanted(devices, chips):
    chips[str(devices / "gpiochip0")] = None
    with GpioOutputs([GREEN], "pinctrl-bcm2711", Gpiod(chips), devices=devices) as outputs:
        outputs.show(decided(State.IDLE), math.inf)


def test_a_line_beyond_the_chip_is_refused(devices, chips):
    line = LineSettings("far", 28, (State.ALLOW,))
    with pytest.raises(OutputError, match=r'output\.line "far": line 28 is beyond .*gpiochip1, which has 0 to 27'):
        GpioOutputs([line], "auto", Gpiod(chips), devices=devices)


def test_a_line_of_another_program_is_refused(devices, chips):
    module = Gpiod(chips, used=[17])
    with pytest.raises(OutputError, match=r'line 17 of .*gpiochip1 is in use by "lights"'):
        GpioOutputs([RED, GREEN], "auto", module, devices=devices)
    assert module.config == {}
