"""The module gpiod is stood in for; real chips are in tests/device."""

from types import SimpleNamespace

import pytest

from edge.doctor.finding import Status
from edge.doctor.lines import lines
from edge.doctor.service import Service
from edge.settings import InputSettings, LineSettings, OutputSettings

GREEN = LineSettings("green", 17, ("ALLOW",))
DOOR = InputSettings("door", 5)
IDLE, RUNS = Service(), Service(installed=True, active=True)


class Gpiod:
    """Chips by the name of their device. held: who holds which line."""

    def __init__(self, held=(), **chips):
        self.chips, self.held = chips, dict(held)

    def Chip(self, path):
        name = path.rpartition("/")[2]
        if isinstance(self.chips[name], Exception):
            raise self.chips[name]
        return Chip(self.chips[name], self.held)


class Chip:
    def __init__(self, label, held):
        self.label, self.held = label, held

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def get_info(self):
        return SimpleNamespace(label=self.label, num_lines=54)

    def get_line_info(self, line):
        return SimpleNamespace(used=line in self.held, consumer=self.held.get(line, ""))


@pytest.fixture
def asked(tmp_path):
    """What is found for one output and one input line."""

    def ask(gpiod, service=IDLE, **settings):
        for name in gpiod.chips:
            (tmp_path / name).touch()
        settings = {"kind": "gpio", "lines": (GREEN,), "inputs": (DOOR,)} | settings
        return lines(OutputSettings(**settings), service, gpiod, tmp_path)

    return ask


def test_simulated_lines_need_no_chip():
    (finding,) = lines(OutputSettings(), IDLE)
    assert finding.status == Status.OK and "simulated" in finding.found


def test_the_chip_is_found_by_its_label_and_its_lines_are_free(asked):
    (finding,) = asked(Gpiod(gpiochip0="pinctrl-rp1", gpiochip10="gpio-brcmstb"))
    assert finding.status == Status.OK
    assert finding.found.endswith("gpiochip0 (pinctrl-rp1): 17, 5 are free")


@pytest.mark.parametrize(
    ("holder", "remedy"),
    [
        ("sysfs", "`echo 17 | sudo tee /sys/class/gpio/unexport`"),
        ("spi0 CS0", "raspi-config nonint do_spi 1"),
        ("onewire@0", "raspi-config nonint do_onewire 1"),
        ("maskgate", "sudo systemctl stop maskgate"),
        ("lamp.py", "sudo fuser -v "),
    ],
)
def test_a_line_that_another_holds_names_it_and_what_frees_it(asked, holder, remedy):
    (finding,) = asked(Gpiod(gpiochip0="pinctrl-bcm2711", held={17: holder}))
    assert finding.status == Status.FAIL and f'held by "{holder}"' in finding.found
    assert remedy in finding.mend


def test_lines_of_the_running_service_are_well(asked):
    (finding,) = asked(Gpiod(gpiochip0="pinctrl-bcm2711", held={17: "maskgate", 5: "maskgate"}), RUNS)
    assert finding.status == Status.OK and "of the service" in finding.found


def test_a_line_beyond_the_chip_is_told(asked):
    (finding,) = asked(Gpiod(gpiochip0="pinctrl-rp1"), lines=(LineSettings("green", 60, ("ALLOW",)),))
    assert finding.status == Status.FAIL and "which has 0 to 53" in finding.found


def test_no_chip_of_a_raspberry_pi_says_which_there_are(asked):
    (finding,) = asked(Gpiod(gpiochip0="gpio-brcmstb"))
    assert finding.status == Status.FAIL and "gpio-brcmstb (" in finding.found
    assert "output.chip" in finding.mend


def test_a_chip_without_permission_names_the_group(asked):
    (finding,) = asked(Gpiod(gpiochip0=PermissionError(13, "Permission denied")))
    assert finding.status == Status.FAIL and "no permission" in finding.found and finding.mend
