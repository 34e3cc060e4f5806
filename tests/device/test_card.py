"""The card image as it comes, in a virtual board: started, used, kept up to date, and switched off while it writes.

    make test-device

Takes about nine minutes; the first time four more, for the distribution. Needs root, and fails without the Debian
packages that it names. The order counts: the last test switches the board off, and on again.
"""

import json
import os
import re
import subprocess
import sys
import time

import cv2
import pytest

from tests.device.card import CARD, CARD_SIZE, PATIENCE, boot
from tests.device.releases import signed_models

pytestmark = pytest.mark.device

MEMORY_LIMIT = 130e6
"""Bytes of memory that the service may hold, the guard of the lines with it."""
TRIAL = 10.0
MISFIT = {"score_threshold": 0.0, "strides": [8, 16, 64]}
"""The networks are as they should be, so it passes its self-test; but their answers cannot be read by this contract."""


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
    # synced, as the power is cut below: what is appended to a file may be zeros for half a minute otherwise
    guest.ssh("sudo sh -c 'echo \"# seen\" >>/etc/maskgate/door.toml; sync'")
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


def test_the_doctor_finds_nothing_wrong(guest, note):
    begun = time.monotonic()
    report = json.loads(guest.ssh("sudo maskgate doctor --json || true"))
    note(f"doctor: {len(report['findings'])} findings in {time.monotonic() - begun:.0f} s, emulated")
    assert [found for found in report["findings"] if found["status"] == "fail"] == []
    found = {each["name"]: each["found"] for each in report["findings"]}
    assert "the service has it" in found["camera"]
    assert "aarch64" in found["processor"]
    assert "golden answers" in found["self-test"]


def test_a_signed_bundle_is_taken_into_use_and_stays(guest, signing_key, note):
    archive = signed_models(signing_key, 5)
    begun = time.monotonic()
    assert f"maskgate-5: in use, on trial for {TRIAL:g} s" in guest.install(archive)
    guest.until(lambda: guest.status().startswith("maskgate-5: IDLE"))
    note(f"bundle: judging {time.monotonic() - begun:.0f} s after the command, emulated")
    guest.until(lambda: not guest.store()["trial"])
    assert "maskgate-5" in guest.releases() and "went back" not in guest.releases()
    assert guest.status().startswith("maskgate-5: IDLE")


def test_what_was_altered_or_is_older_is_refused_and_changes_nothing(guest, signing_key, work):
    before = guest.ssh("sudo cat /var/lib/maskgate-store/store.json")
    altered = bytearray(signed_models(signing_key, 6).read_bytes())
    altered[len(altered) // 2] ^= 1
    (work / "altered.tar").write_bytes(altered)
    for archive, reason in (
        (work / "altered.tar", "was altered after it was signed"),
        (signed_models(signing_key, 4), "is not newer"),
    ):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            guest.install(archive)
        assert refused.value.returncode == 2 and reason in refused.value.output
        assert len(refused.value.output.splitlines()) == 1
    assert guest.ssh("sudo cat /var/lib/maskgate-store/store.json") == before


def test_a_power_cut_in_the_middle_of_all_does_no_harm_and_a_bad_bundle_does_not_stay(
    guest, card, key, console, signing_key
):
    """The last one, as the machine of the others is gone afterwards."""
    identity = "cat /etc/machine-id; sudo cat /var/lib/ssh/ssh_host_ed25519_key.pub"
    before = guest.ssh(identity)
    guest.install(signed_models(signing_key, 7, **MISFIT))
    guest.until(lambda: guest.status().startswith("maskgate-7: FAULT"))
    guest.ssh(
        "sudo sh -c 'while :; do dd if=/dev/urandom of=/var/lib/maskgate/junk bs=1M count=20; sync; done' "
        "</dev/null >/dev/null 2>&1 &"
    )
    time.sleep(5.0)
    guest.power_cut()
    with boot(card, key, console) as again:
        again.until(lambda: again.store()["rollback"] is not None)
        again.until(lambda: again.status().startswith("maskgate-5: IDLE"))
        assert "went back from maskgate-7" in again.releases()
        assert again.ssh(identity) == before
        assert "errors" not in again.ssh("sudo dumpe2fs -h /dev/vda3 2>/dev/null | grep 'Filesystem state'")
        again.ssh("sudo maskgate bundle rollback")
        again.until(lambda: again.status().startswith("maskgate-4: IDLE"))
