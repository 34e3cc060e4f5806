"""What the device tests measured is told at the end; and the card image, which several of them start from."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device.card import CARD, CARD_SIZE, SETTINGS, boot, insert
from tests.device.chroot import enable_qemu, hindrance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def note(record_property):
    """Takes a line for the summary."""
    return lambda line: record_property("note", line)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, line in report.user_properties:
            if name == "note" and report.when == "call":
                terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def work():
    folder = ROOT / "build/image/test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def key(work):
    """An SSH key for this run alone, and with it the one way in."""
    key = work / "id"
    for file in (key, work / "id.pub"):
        file.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key], check=True)
    return key


@pytest.fixture(scope="session")
def signing_key(work):
    """What signs the releases that the image trusts."""
    key = work / "signing.pem"
    for file in (key, work / "signing.pub.pem"):
        file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "convert.sign", "key", "--key", str(key)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return key


@pytest.fixture(scope="session")
def package(testrun_uid):
    """The .deb file, built once for all processes of this run."""
    folder = ROOT / "build/deb"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run").open("a+") as run:
        fcntl.flock(run, fcntl.LOCK_EX)
        run.seek(0)
        if run.read() != testrun_uid:
            make("edge/device/build_deb.sh")
            run.truncate(0)
            run.write(testrun_uid)
    (file,) = folder.glob("maskgate_*_arm64.deb")
    return file


@pytest.fixture(scope="session")
def emulation():
    """Programs for arm64 run here, in a `Chroot`."""
    if (reason := hindrance()) is not None:
        pytest.fail(reason, pytrace=False)
    enable_qemu()


@pytest.fixture(scope="session")
def image(work, key, signing_key, package):
    """The card image of a door with these keys, with the package that this checkout makes."""
    (work / "card.toml").write_text(CARD)
    (work / "door.toml").write_text(SETTINGS)
    make("edge/device/build_image.sh", work / "card.toml", work / "maskgate.img")
    return work / "maskgate.img"


@pytest.fixture(scope="session")
def card(image, work):
    """A larger card than the image, with the image on it."""
    card = work / "card.img"
    insert(image, card, CARD_SIZE)
    return card


@pytest.fixture(scope="session")
def console(work):
    """What the machine says while it starts."""
    console = work / "console.log"
    console.unlink(missing_ok=True)
    return console


@pytest.fixture(scope="session")
def guest(card, key, console):
    """The machine of test_card.py, whose last test switches it off."""
    with boot(card, key, console) as guest:
        yield guest


def make(*command):
    """Run one of the project's own recipes; its last line says what it lacks."""
    surroundings = os.environ | {"PYTHON": sys.executable}
    made = subprocess.run(command, cwd=ROOT, env=surroundings, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        pytest.fail(f"{command[0]}: {made.stderr.strip().splitlines()[-1]}", pytrace=False)
