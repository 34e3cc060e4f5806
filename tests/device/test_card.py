"""The card image as it comes, in a virtual board: started, used, and switched off while it writes.

    make test-device

Takes about four minutes; the first time three more, for the distribution. Needs root, and fails without the Debian
packages that it names.
"""

import re
import subprocess
import time

import cv2
import pytest

from tests.device.card import boot, insert

pytestmark = pytest.mark.device

CARD_SIZE = 4 << 30
MEMORY_LIMIT = 130e6
"""Bytes of memory that the service may hold, the guard of the lines with it."""


@pytest.fixture(scope="module")
def card(image, work):
    """A larger card than the image, with the image on it."""
    card = work / "card.img"
    insert(image, card, CARD_SIZE)
    return card


@pytest.fixture(scope="module")
def console(work):
    """What the machine says while it starts."""
    console = work / "console.log"
    console.unlink(missing_ok=True)
    return console


@pytest.fixture(scope="module")
def guest(card, key, console):
    with boot(card, key, console) as guest:
        yield guest


def judging(guest, limit=60.0):
    """Waits until the service has judged frames, and gives what it says of itself then."""
    deadline = time.monotonic() + limit
    while "frames/s" not in (status := guest.property("StatusText")) and time.monotonic() < deadline:
        time.sleep(1.0)
    assert re.match(r"\S+: IDLE, [\d.]+ frames/s", status), guest.ssh(
        "journalctl --unit maskgate --no-pager --lines 30"
    )
    return status


def test_the_service_starts_with_the_machine(guest, note):
    status = judging(guest)
    seconds = int(guest.property("ActiveEnterTimestampMonotonic")) / 1e6
    note(f"card: the service runs {seconds:.0f} s after power-on; {status}")
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
    assert guest.ssh("sudo passwd --status --all | awk '$2 != \"L\"'") == ""


def test_host_name_and_time_zone_are_the_card_files(guest):
    assert guest.ssh("hostname").strip() == "door7"
    assert guest.ssh("date +%Z").strip() in ("CET", "CEST")


def test_systemd_feeds_the_watchdog_of_the_board(guest):
    assert guest.ssh("cd /sys/class/watchdog/watchdog0 && cat state timeout").split() == ["active", "15"]


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


def test_a_power_cut_does_no_harm(guest, card, key, console):
    """The last one, as the machine of the others is gone afterwards."""
    identity = "cat /etc/machine-id; sudo cat /var/lib/ssh/ssh_host_ed25519_key.pub"
    before = guest.ssh(identity)
    guest.ssh(
        "sudo sh -c 'while :; do dd if=/dev/urandom of=/var/lib/maskgate/junk bs=1M count=20; sync; done' "
        "</dev/null >/dev/null 2>&1 &"
    )
    time.sleep(5.0)
    guest.power_cut()
    with boot(card, key, console) as again:
        judging(again)
        assert again.ssh(identity) == before
        assert again.ssh("sudo dumpe2fs -h /dev/vda3 2>&1 | grep 'Filesystem state'").split()[-1] == "clean"
