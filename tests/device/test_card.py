"""The card image as it comes, in a virtual board: started, used, and switched off while it writes.

    make test-device

Takes about four minutes; the first time three more, for the distribution. Needs root, and fails without the Debian
packages that it names.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from tests.device.card import USER, boot, insert

pytestmark = pytest.mark.device

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/image/test"
CONSOLE = WORK / "console.log"
CARD_SIZE = 4 << 30
MEMORY_LIMIT = 130e6
"""Bytes of memory that the service may hold, the guard of the lines with it."""
CARD = f"""
hostname = "door7"
user = "{USER}"
ssh_keys = ["id.pub"]
timezone = "Europe/Berlin"
settings = "door.toml"
"""
SETTINGS = """
[camera]
# as much as an emulated processor manages in good time
width = 320
height = 240
frames_per_second = 5.0

[output]
kind = "gpio"
"""


@pytest.fixture(scope="module")
def key():
    """A key of its own for each run, and with it the one way in."""
    WORK.mkdir(parents=True, exist_ok=True)
    key = WORK / "id"
    for file in (key, WORK / "id.pub"):
        file.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key], check=True)
    return key


@pytest.fixture(scope="module")
def card(key):
    """A larger card than the image, with the image on it."""
    (WORK / "card.toml").write_text(CARD)
    (WORK / "door.toml").write_text(SETTINGS)
    image, card = WORK / "maskgate.img", WORK / "card.img"
    command = [ROOT / "edge/device/build_image.sh", WORK / "card.toml", image]
    subprocess.run(command, check=True, env=os.environ | {"PYTHON": sys.executable})
    insert(image, card, CARD_SIZE)
    return card


@pytest.fixture(scope="module")
def guest(card, key):
    CONSOLE.unlink(missing_ok=True)
    with boot(card, key, CONSOLE) as guest:
        yield guest


def started(guest, limit=60.0):
    """Waits until the service has begun to judge, and says how many seconds after power-on that was."""
    deadline = time.monotonic() + limit
    while (state := guest.property("ActiveState")) != "active" and time.monotonic() < deadline:
        time.sleep(1.0)
    assert state == "active", guest.ssh("journalctl --unit maskgate --no-pager --lines 30")
    return int(guest.property("ActiveEnterTimestampMonotonic")) / 1e6


def test_the_service_starts_with_the_machine(guest, note):
    note(f"card: the service judges {started(guest):.0f} s after power-on, emulated")
    status = guest.property("StatusText")
    note(f"card: {status}")
    assert re.match(r"\S+: IDLE, ", status)
    assert guest.property("NRestarts") == "0"
    assert guest.ssh("systemctl --failed --no-legend") == ""


def test_the_root_cannot_be_written(guest):
    with pytest.raises(subprocess.CalledProcessError) as error:
        guest.ssh("sudo touch /usr/bin/intruder")
    assert "Read-only file system" in error.value.output


def test_settings_can_be_changed(guest):
    guest.ssh("sudo sh -c 'echo \"# seen\" >>/etc/maskgate/door.toml'")
    assert "# seen" in guest.ssh("sudo cat /var/lib/maskgate-config/door.toml")


def test_the_data_partition_has_grown_to_the_card(guest):
    size = int(guest.ssh("df --block-size=1 --output=size /var").split()[-1])
    end = int(guest.ssh("sudo sfdisk --list --output End /dev/vda").split()[-1]) + 1
    assert end * 512 > CARD_SIZE - (4 << 20)
    assert size > 0.5 * CARD_SIZE


def test_nobody_gets_in_with_a_password_nor_as_root(guest):
    for options in (["-o", "PubkeyAuthentication=no"], ["-l", "root"]):
        with pytest.raises(subprocess.CalledProcessError) as error:
            guest.ssh("true", "-o", "ControlPath=none", *options)
        assert "Permission denied (publickey)" in error.value.output
    assert guest.ssh("sudo passwd --status --all | grep -cv ' L '", "-o", "LogLevel=QUIET").strip() == "0"


def test_host_name_and_time_zone_are_the_card_files(guest):
    assert guest.ssh("hostname").strip() == "door7"
    assert guest.ssh("date +%Z").strip() in ("CET", "CEST")


def test_the_watchdog_of_the_board_is_fed(guest):
    assert guest.property("RuntimeWatchdogUSec", unit="") == "15s"


def test_detect_judges_a_picture(guest, tmp_path):
    from skimage.data import astronaut

    cv2.imwrite(str(tmp_path / "face.png"), cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))
    guest.copy(tmp_path / "face.png")
    assert "without_mask" in guest.ssh("maskgate detect /tmp/face.png")


def test_daemon_and_guard_need_little_memory(guest, note):
    resident = guest.ssh("ps --no-headers -o rss -u maskgate").split()
    total = 1024 * sum(map(int, resident))
    note(f"card: {total / 1e6:.0f} MB resident, daemon and guard together")
    assert len(resident) == 2
    assert total <= MEMORY_LIMIT


def test_a_power_cut_does_no_harm(guest, card, key):
    """The last one, as the machine of the others is gone afterwards."""
    identity = "cat /etc/machine-id; sudo cat /var/lib/ssh/ssh_host_ed25519_key.pub"
    before = guest.ssh(identity)
    guest.ssh(
        "sudo sh -c 'while :; do dd if=/dev/urandom of=/var/lib/maskgate/junk bs=1M count=20; sync; done' "
        "</dev/null >/dev/null 2>&1 &"
    )
    time.sleep(5.0)
    guest.power_cut()
    with boot(card, key, CONSOLE) as again:
        started(again)
        assert again.ssh(identity) == before
        assert "IDLE" in again.property("StatusText")
        assert "errors" not in again.ssh("sudo dumpe2fs -h /dev/vda3 2>/dev/null | grep 'Filesystem state'")
