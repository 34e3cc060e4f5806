"""What the device tests measured is told at the end; and the card image, which several of them start from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device.card import CARD, SETTINGS
from tests.device.chroot import hindrance

ROOT = Path(__file__).resolve().parents[2]
NOTES = pytest.StashKey[list[str]]()


@pytest.fixture
def note(pytestconfig):
    """Takes a line for the summary."""
    return pytestconfig.stash.setdefault(NOTES, []).append


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(NOTES, []):
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
def package():
    """The .deb file."""
    if (reason := hindrance()) is not None:
        pytest.fail(reason, pytrace=False)
    make("edge/device/build_deb.sh")
    (file,) = (ROOT / "build/deb").glob("maskgate_*_arm64.deb")
    return file


@pytest.fixture(scope="session")
def image(work, key, signing_key, package):
    """The card image of a door with these keys, with the package that this checkout makes."""
    (work / "card.toml").write_text(CARD)
    (work / "door.toml").write_text(SETTINGS)
    make("edge/device/build_image.sh", work / "card.toml", work / "maskgate.img")
    return work / "maskgate.img"


def make(*command):
    """Run one of the project's own recipes; its last line says what it lacks."""
    surroundings = os.environ | {"PYTHON": sys.executable}
    made = subprocess.run(command, cwd=ROOT, env=surroundings, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        pytest.fail(f"{command[0]}: {made.stderr.strip().splitlines()[-1]}", pytrace=False)
