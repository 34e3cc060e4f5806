"""The outputs with a real guard of simulated lines; GPIO chips are stood in for, and real in tests/device."""

import json
import math
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import gpiod
import pytest

from edge.errors import OutputError
from edge.output import SILENCE, check_lines, drive_safe, find_chip, open_outputs, orders
from edge.settings import InputSettings, LineSettings, OutputSettings
from edge.values import Decision, Inputs, Signal, State

GREEN = LineSettings("green", 17, ("ALLOW",))
RED = LineSettings("red", 22, ("DENY", "FAULT"))
DOOR = LineSettings("door", 5, ("RELEASE",), active_low=True)


def decided(state: State, *signals: Signal) -> Decision:
    return Decision(0.0, state, "", (), frozenset(signals))


@pytest.fixture
def opened(tmp_path):
    """Opens outputs of these lines that write to `outputs.jsonl`."""

    def opened_with(*lines, inputs=()):
        file, input_file = str(tmp_path / "outputs.jsonl"), str(tmp_path / "inputs.txt")
        return open_outputs(OutputSettings(file=file, input_file=input_file, lines=lines, inputs=inputs), 0.5)

    return opened_with


def changes(folder: Path) -> list[tuple[str, int]]:
    """The name and level of each line of the file."""
    text = (folder / "outputs.jsonl").read_text()
    return [(change["line"], change["level"]) for change in map(json.loads, text.splitlines())]


def eventually(true, seconds=3.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def soon():
    return time.monotonic() + 0.8


def test_a_decision_is_told_with_its_signals_and_its_time():
    told = orders(decided(State.ALLOW, Signal.RELEASE, Signal.HEARTBEAT), 7.5)
    assert json.loads(told) == {"on": ["ALLOW", "HEARTBEAT", "RELEASE"], "until": 7.5}


def test_lines_begin_safe_follow_the_decisions_and_end_safe(opened, tmp_path):
    with opened(GREEN, RED, DOOR) as outputs:
        outputs.show(decided(State.DENY), soon())
        eventually(lambda: ("red", 1) in changes(tmp_path))
        outputs.show(decided(State.ALLOW, Signal.RELEASE), soon())
    assert changes(tmp_path) == [
        *(("green", 0), ("red", 0), ("door", 1)),
        ("red", 1),
        *(("red", 0), ("green", 1), ("door", 0)),
        *(("green", 0), ("door", 1)),
    ]


def test_an_error_within_the_block_leaves_the_lines_safe(opened, tmp_path):
    with pytest.raises(KeyboardInterrupt), opened(GREEN) as outputs:
        outputs.show(decided(State.ALLOW), soon())
        raise KeyboardInterrupt
    assert changes(tmp_path)[-1] == ("green", 0)


def test_a_fault_stands_until_the_next_decision(opened, tmp_path):
    with opened(RED) as outputs:
        outputs.show(decided(State.FAULT), math.inf)
        eventually(lambda: changes(tmp_path)[-1:] == [("red", 1)])


def test_inputs_are_what_the_guard_said_last(opened, tmp_path):
    with opened(GREEN, inputs=(InputSettings("door", 6), InputSettings("tamper", 7))) as outputs:
        assert outputs.inputs == Inputs()
        (tmp_path / "inputs.txt").write_text("door tamper")

        def told():
            outputs.show(decided(State.IDLE), soon())
            time.sleep(0.05)
            return outputs.fault() is None and outputs.inputs == Inputs(door_open=True, tamper=True)

        eventually(told)


def test_lines_that_cannot_be_driven_are_told_as_a_fault(tmp_path):
    with open_outputs(OutputSettings(file="/dev/full", lines=(GREEN,)), 0.5) as outputs:
        outputs.show(decided(State.ALLOW), soon())
        eventually(lambda: outputs.fault())
        assert outputs.fault() == 'line 17 ("green") cannot be driven (No space left on device)'


def test_a_guard_that_stops_is_a_fault(opened):
    with opened(GREEN) as outputs:
        outputs.show(decided(State.IDLE), soon())
        eventually(lambda: outputs.fault() is None and outputs._unanswered is None)
        os.kill(outputs.guard, signal.SIGSTOP)
        for _ in range(10):
            outputs.show(decided(State.IDLE), soon())
            time.sleep(SILENCE / 8)
        assert outputs.fault() == "the guard of the output lines does not answer"
        os.kill(outputs.guard, signal.SIGCONT)
        eventually(lambda: outputs.fault() is None)


def test_a_guard_that_dies_ends_the_run(opened):
    with opened(GREEN) as outputs:
        os.kill(outputs.guard, signal.SIGKILL)
        with pytest.raises(OutputError, match="the guard of the output lines has ended"):
            eventually(lambda: outputs.fault())


def test_every_line_can_be_driven_safe_without_a_daemon(tmp_path):
    escape = LineSettings("escape", 6, ("RELEASE",), fail_safe=True)
    drive_safe(OutputSettings(file=str(tmp_path / "outputs.jsonl"), lines=(GREEN, DOOR, escape)))
    assert dict(changes(tmp_path)) == {"green": 0, "door": 1, "escape": 1}


def test_lines_that_another_still_holds_are_waited_for_and_then_refused(tmp_path):
    settings = OutputSettings(file=str(tmp_path / "none" / "outputs.jsonl"), lines=(GREEN,))
    start = time.monotonic()
    with pytest.raises(OutputError, match="cannot be had"):
        drive_safe(settings, patience=0.3)
    assert time.monotonic() - start >= 0.3
    waiting = threading.Timer(0.2, (tmp_path / "none").mkdir)
    waiting.start()
    drive_safe(settings)
    assert changes(tmp_path / "none") == [("green", 0)]


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    settings = OutputSettings(file=str(tmp_path / "none" / "outputs.jsonl"))
    with pytest.raises(
        OutputError, match=r"output\.file .*outputs\.jsonl: the output lines cannot be had \(No such file"
    ):
        open_outputs(settings, 0.5)


class Gpiod:
    """Stands in for the module gpiod: chips by path.

    used: line numbers that other programs hold. A chip without a label may not be opened.
    """

    def __init__(self, chips, used=(), refusal=None):
        self.chips, self.used, self.refusal = chips, used, refusal

    def Chip(self, path):
        if self.refusal is not None or self.chips[path] is None:
            raise self.refusal or PermissionError(13, "Permission denied")
        return Chip(self.chips[path], self.used)


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
def test_a_chip_is_found_by_its_label_its_path_or_as_a_raspberry_pis(devices, chips, chip):
    name = str(devices / chip) if chip == "gpiochip1" else chip
    assert find_chip(name, Gpiod(chips), devices) == devices / "gpiochip1"


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
        find_chip(chip, module, devices)


def test_without_a_pi_auto_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no Raspberry Pi's GPIO chip here; there are: none"):
        find_chip("auto", Gpiod({}), tmp_path)


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
        find_chip("auto", Gpiod(chips, refusal=PermissionError(13, "Permission denied")), devices)


def test_a_chip_without_permission_does_not_hide_the_one_that_is_wanted(devices, chips):
    chips[str(devices / "gpiochip0")] = None
    assert find_chip("pinctrl-bcm2711", Gpiod(chips), devices) == devices / "gpiochip1"


@pytest.mark.parametrize(
    ("line", "used", "message"),
    [
        (LineSettings("far", 28, ("ALLOW",)), [], 'output.line "far": line 28 is beyond /dev/chip, which has 0 to 27'),
        (GREEN, [17], 'output.line "green": line 17 of /dev/chip is in use by "lights"'),
        (InputSettings("door", 17), [17], 'output.input "door": line 17 of /dev/chip is in use by "lights"'),
    ],
)
def test_a_line_beyond_the_chip_or_of_another_program_is_refused(line, used, message):
    with pytest.raises(OutputError) as refused:
        check_lines(Path("/dev/chip"), [RED, line], Gpiod({"/dev/chip": "chip"}, used))
    assert str(refused.value) == message
