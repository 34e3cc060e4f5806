"""A stock card is flashed, and its first-boot set-up runs in a root file system of the release that it is for.

    make test-long

bookworm runs `firstrun.sh`, trixie the real cloud-init, both on emulated arm64; systemd is not running there, so units
are enabled and not started. Needs root, debhelper, mmdebstrap, qemu-user-static, mtools, fdisk, dosfstools and
cloud-init, and fails without them. About a minute; the first time eight more, for the root file systems.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.device.first_boot import user_data
from edge.device.flash import main
from edge.device.stock_image import boot_partition
from tests.device.chroot import Chroot
from tests.edge.device.stand_in import BOOKWORM, KEY, TRIXIE, make_card, make_image, pack

pytestmark = pytest.mark.long

BUILD = Path(__file__).resolve().parents[2] / "build/device"
LIKE_THEIRS = "systemd-sysv,dbus,udev,openssh-server,sudo,tzdata,ca-certificates"
"""What Raspberry Pi OS has and the set-up wants."""
COMMENT = "the owner's key, $HOME"
SETTINGS = '[output]\nkind = "simulated"\nfile = "/var/lib/maskgate/outputs.jsonl"\n'


@pytest.fixture(scope="module")
def door(tmp_path_factory, package, emulation):
    """A folder with a card file, settings and a key to trust."""
    folder = tmp_path_factory.mktemp("door")
    pem = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "maskgate.pub.pem").write_bytes(pem)
    (folder / "door.toml").write_text(SETTINGS)
    (folder / "card.toml").write_text(
        f'hostname = "door7"\nuser = "porter"\ntimezone = "Europe/Berlin"\nssh_keys = ["{KEY} {COMMENT}"]\n'
        'trusted_keys = ["maskgate.pub.pem"]\nsettings = "door.toml"\n'
    )
    return folder


def flashed(door, name, files):
    """The boot partition of a flashed card, FAT32 and as large as on a real one's needs."""
    stock = pack(make_image(door / f"{name}-arm64-lite.img", files, megabytes=96))
    card = door / f"{name}.img"
    assert main([str(stock), str(card), "--card", str(door / "card.toml"), "--work", str(door), "--yes"]) == 0
    return boot_partition(card)


def put_boot(boot, system):
    """The card's boot partition where Raspberry Pi OS mounts it."""
    there = system.root / "boot/firmware"
    there.mkdir(parents=True)
    subprocess.run(["mcopy", "-s", "-i", f"{boot.image}@@{boot.offset}", "::/*", str(there)], check=True)


@pytest.fixture(scope="module")
def bookworm(door):
    """A system after `firstrun.sh`; the image's own user and its renaming stand in for Raspberry Pi OS's."""
    system = Chroot("bookworm", BUILD, LIKE_THEIRS)
    (system.root / "etc/hosts").write_text("127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n")
    system.tell("useradd", "--create-home", "--shell", "/usr/sbin/nologin", "pi")
    rename = system.root / "usr/lib/userconf-pi/userconf"
    rename.parent.mkdir()
    rename.write_text(
        '#!/bin/sh -e\nusermod -l "$1" pi\ngroupmod -n "$1" pi\nusermod -m -d "/home/$1" "$1"\n'
        'echo "$1:$2" | chpasswd -e\n'
    )
    rename.chmod(0o755)
    put_boot(flashed(door, "bookworm", BOOKWORM), system)
    system.tell("sh", "/boot/firmware/firstrun.sh")
    return system


@pytest.fixture(scope="module")
def trixie(door):
    """A system after cloud-init went through all its stages."""
    system = Chroot("trixie", BUILD, f"{LIKE_THEIRS},cloud-init")
    (system.root / "etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg").write_text(
        "datasource_list: [NoCloud, None]\ndatasource: {NoCloud: {seedfrom: 'file:///boot/firmware/'}}\n"
        "ssh_deletekeys: false\nssh_genkeytypes: []\n"
    )
    put_boot(flashed(door, "trixie", TRIXIE), system)
    stages = ("init --local", "init", "modules --mode=config", "modules --mode=final")
    system.tell("sh", "-ec", "\n".join(f"cloud-init {stage}" for stage in stages))
    return system


@pytest.fixture(params=["bookworm", "trixie"])
def system(request):
    return request.getfixturevalue(request.param)


def test_the_device_has_its_name_and_time_zone(system):
    assert (system.root / "etc/hostname").read_text().strip() == "door7"
    hosts = (system.root / "etc/hosts").read_text()
    assert [line.split()[-1] for line in hosts.splitlines() if line.startswith("127.0.1.1")] == ["door7"]
    assert os.readlink(system.root / "etc/localtime").endswith("/Europe/Berlin")


def test_the_user_has_a_shell_sudo_and_the_key_and_no_password(system):
    *_, home, shell = system.tell("getent", "passwd", "porter").strip().split(":")
    assert (home, shell) == ("/home/porter", "/bin/bash")
    assert system.tell("getent", "shadow", "porter").split(":")[1][0] in "!*"
    keys = system.root / "home/porter/.ssh/authorized_keys"
    assert f"{KEY} {COMMENT}" in keys.read_text().splitlines()
    owner = system.tell("stat", "-c", "%U %a", "/home/porter/.ssh/authorized_keys").strip()
    assert owner == "porter 600"
    assert "NOPASSWD" in system.tell("sudo", "-l", "-U", "porter")


def test_nobody_can_log_in_with_a_password(system):
    (system.root / "run/sshd").mkdir(parents=True, exist_ok=True)
    rules = system.tell("sh", "-ec", "mkdir -p /run/sshd; exec sshd -T").splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin no"} <= set(rules)
    assert {"pubkeyauthentication yes"} <= set(rules)
    assert is_enabled(system, "ssh.service")


def test_the_package_is_installed_with_the_doors_settings_and_keys(system, door):
    assert system.tell("dpkg-query", "--show", "--showformat", "${db:Status-Status}", "maskgate") == "installed"
    assert (system.root / "etc/maskgate/door.toml").read_text() == SETTINGS
    pem = (door / "maskgate.pub.pem").read_bytes()
    assert (system.root / "etc/maskgate/keys/maskgate.pub.pem").read_bytes() == pem
    assert is_enabled(system, "maskgate.service")
    assert "0.1.0" in system.tell("maskgate", "--version")


def test_a_hang_is_ended_and_picamera2_is_fetched_later(system):
    assert "RuntimeWatchdogSec=10" in (system.root / "etc/systemd/system.conf.d/80-maskgate.conf").read_text()
    assert is_enabled(system, "maskgate-picamera2.service")
    system.tell("systemd-analyze", "verify", "--man=no", "/etc/systemd/system/maskgate-picamera2.service")


def test_what_the_set_up_used_is_gone_and_its_log_stays(system):
    boot = system.root / "boot/firmware"
    assert not (boot / "maskgate").exists() and not (boot / "firstrun.sh").exists()
    assert "set-up ended with 0" in (boot / "maskgate-setup.log").read_text()


def test_on_bookworm_the_command_line_is_as_before(bookworm):
    assert (bookworm.root / "boot/firmware/cmdline.txt").read_text() == BOOKWORM["cmdline.txt"]


def test_on_trixie_cloud_init_found_nothing_wrong(trixie):
    result = json.loads((trixie.root / "var/lib/cloud/data/status.json").read_text())["v1"]
    assert {stage: result[stage]["errors"] for stage in ("init-local", "init", "modules-config", "modules-final")} == {
        "init-local": [], "init": [], "modules-config": [], "modules-final": [],
    }  # fmt: skip


def test_cloud_init_finds_the_user_data_valid(tmp_path):
    assert shutil.which("cloud-init"), "cloud-init is missing; apt-get install cloud-init"
    file = tmp_path / "user-data"
    file.write_text(user_data(make_card()))
    done = subprocess.run(["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def is_enabled(system, unit):
    return system.tell("systemctl", "is-enabled", unit).strip() == "enabled"
