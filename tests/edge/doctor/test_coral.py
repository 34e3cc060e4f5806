"""A stick as the kernel shows it; the library is stood in for."""

import os

import pytest

from edge.doctor.coral import coral, library_version, sticks
from edge.doctor.finding import Status
from edge.doctor.people import Person
from edge.settings import ModelSettings, Settings

PI = Person("maskgate", os.getuid(), frozenset())
STRANGER = Person("maskgate", os.getuid() + 1, frozenset())
VERSION = "BuildLabel(COMPILER=9.4.0,DATE=redacted,TIME=redacted), RuntimeVersion(14)"


def usb(vendor: str, product: str, speed: str = "5000") -> dict[str, str]:
    """A hub and a stick, as in /sys/bus/usb/devices and /dev/bus/usb."""
    hub = {"idVendor": "1d6b", "idProduct": "0003", "speed": "5000", "busnum": "2", "devnum": "1"}
    stick = {"idVendor": vendor, "idProduct": product, "speed": speed, "busnum": "2", "devnum": "3"}
    files = {f"sys/bus/usb/devices/usb2/{name}": f"{text}\n" for name, text in hub.items()}
    files |= {f"sys/bus/usb/devices/2-1/{name}": f"{text}\n" for name, text in stick.items()}
    return files | {"dev/bus/usb/002/003": ""}


def wanting(accelerator: str) -> Settings:
    return Settings(model=ModelSettings(accelerator=accelerator))


@pytest.mark.parametrize(
    ("identity", "says"), [(("1a6e", "089a"), "not used since"), (("18d1", "9302"), "Mbit/s, used since")]
)
def test_a_stick_is_known_before_and_after_its_first_use(machine, identity, says):
    (stick,) = sticks(machine(usb(*identity)))
    assert says in stick


def test_a_pcie_module_is_known(machine):
    assert sticks(machine({"dev/apex_0": ""})) == ["PCIe module apex_0"]


@pytest.mark.parametrize(("accelerator", "status"), [("cpu", Status.OK), ("auto", Status.OK), ("edgetpu", Status.WARN)])
def test_without_a_stick_only_a_wish_for_one_is_worth_a_word(machine, accelerator, status):
    (finding,) = coral(machine(usb("046d", "082d")), wanting(accelerator), PI)
    assert finding.status == status and "none here" in finding.found


def test_a_stick_that_the_settings_leave_idle_is_named(machine):
    (finding,) = coral(machine(usb("1a6e", "089a")), wanting("cpu"), STRANGER)
    assert finding.status == Status.OK and "USB stick" in finding.found


def test_a_stick_that_the_daemon_may_not_use_names_its_group(machine):
    (finding,) = coral(machine(usb("1a6e", "089a")), wanting("auto"), STRANGER)
    assert finding.status == Status.FAIL and "dev/bus/usb/002/003" in finding.found
    assert "usermod -aG plugdev maskgate" in finding.mend


def test_a_stick_without_its_library_is_left_idle(machine):
    (finding,) = coral(machine(usb("1a6e", "089a")), wanting("auto"), PI, lambda: None)
    assert finding.status == Status.FAIL and "no libedgetpu.so.1" in finding.found
    assert "libedgetpu1-std" in finding.mend


def test_a_bundle_without_models_for_the_stick_is_told(machine):
    (finding,) = coral(machine(usb("18d1", "9302")), wanting("auto"), PI, lambda: VERSION, lambda settings: False)
    assert finding.status == Status.WARN and "no models for it" in finding.found


@pytest.mark.parametrize(("speed", "status"), [("5000", Status.OK), ("480", Status.WARN)])
def test_a_slow_socket_is_told(machine, speed, status):
    device = machine(usb("18d1", "9302", speed))
    (finding,) = coral(device, wanting("edgetpu"), PI, lambda: VERSION, lambda settings: True)
    assert finding.status == status and VERSION in finding.found


def test_a_library_that_is_not_there_has_no_version():
    def load(name):
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    assert library_version(load) is None
