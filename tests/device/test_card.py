"""The card image as it comes, in a virtual board: started and used. What happens to it later: test_card_updates.py.

    make test-device

Takes about four minutes; the first time four more, for the distribution. Needs root, and fails without the Debian
packages that it names.
"""

import os
import re
import subprocess
import sys
import time

import cv2
import pytest

from tests.device.card import CARD, CARD_SIZE, PATIENCE

pytestmark = [pytest.mark.device, pytest.mark.xdist_group("card")]

MEMORY_LIMIT = 130e6
"""Bytes of memory that the service may hold, the guard of the lines with it."""


def judging(guest, limit=PATIENCE):
    """Waits until the service has judged frames, and gives what it says of itself then."""
    deadline = time.monotonic() + limit
    while "frames/s" not in (status := guest.property("StatusText")) and time.monotonic() < deadline:
        time.sleep(1.0)
    assert re.match(r"\S+: IDLE, [\d.]+ frames/s", status), guest.ssh(
        "journalctl --unit maskgate --no-pager --lines 30"
    )
    return status


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ssh_keys = []", "ssh_keys is []"),
        ('hostname = "door_7"', 'hostname is "door_7"'),
        ('trusted_keys = ["nowhere.pem"]', "nowhere.pem: cannot be read"),
        ("password = 1", "password is no key of a card"),
    ],
)
def test_a_wrong_card_file_makes_no_image(image, tmp_path, line, problem):
    name = line.partition(" ")[0]
    card, other = image.with_name("wrong.toml"), tmp_path / "maskgate.img"
    card.write_text("\n".join([*(kept for kept in CARD.splitlines() if not kept.startswith(name)), line]))
    command = ["edge/device/build_image.sh", card, other]
    result = subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)
    assert result.returncode == 2
    assert problem in result.stderr and result.stderr.count("\n") == 1
    assert not other.exists()


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


def test_a_package_can_be_installed_and_the_root_is_read_only_again(guest, tmp_path):
    tree = tmp_path / "tree"
    for folder in ("DEBIAN", "opt"):
        (tree / folder).mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: test\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: none\n"
    )
    (tree / "opt/test").write_text("here\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, tmp_path / "test.deb"], check=True)
    guest.copy(tmp_path / "test.deb", "/var/tmp/")
    guest.ssh("sudo apt-get install --yes /var/tmp/test.deb")
    assert guest.ssh("cat /opt/test; findmnt --noheadings --output OPTIONS /").split() == ["here", "ro,noatime"]


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
