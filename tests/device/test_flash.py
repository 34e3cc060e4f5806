"""A stock card is flashed, and its first-boot set-up runs in a root file system of the release that it is for.

    make test-device

bookworm runs `firstrun.sh`, trixie the real cloud-init, both on emulated arm64; systemd is not running there, so units
are enabled and not started. Needs root, `make deb`, mmdebstrap, qemu-user-static, mtools, fdisk, dosfstools and
cloud-init, and fails without them. About a minute; the first time some more, for the root file systems.
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
from edge.device.flash import PACKAGE, main
from edge.device.stock_image import boot_partition
from tests.device.stock import root_of, unpack_root, within
from tests.edge.device.stand_in import BOOKWORM, KEY, TRIXIE, make_card, make_image, pack

pytestmark = pytest.mark.device

BUILD = Path(__file__).resolve().parents[2] / "build/device/stock"
COMMENT = "the owner's key, $HOME"
SETTINGS = '[output]\nkind = "simulated"\nfile = "/var/lib/maskgate/outputs.jsonl"\n'


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A folder with a card file, settings and a key to trust."""
    assert os.geteuid() == 0, "needs root, to enter the root file systems"
    assert PACKAGE.is_file(), f"{PACKAGE} is missing; `make deb` builds it"
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


def with_boot(boot, root):
    """The root file system with the card's boot partition where Raspberry Pi OS mounts it."""
    there = root / "boot/firmware"
    there.mkdir(parents=True)
    subprocess.run(["mcopy", "-s", "-i", f"{boot.image}@@{boot.offset}", "::/*", str(there)], check=True)
    return root


@pytest.fixture(scope="module")
def bookworm(door):
    """A root file system after `firstrun.sh`; the image's own user and its renaming stand in for Raspberry Pi OS's."""
    root = unpack_root(root_of("bookworm", "", BUILD), door / "bookworm-root")
    (root / "etc/hosts").write_text("127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n")
    within(root, "useradd", "--create-home", "--shell", "/usr/sbin/nologin", "pi")
    rename = root / "usr/lib/userconf-pi/userconf"
    rename.parent.mkdir()
    rename.write_text(
        '#!/bin/sh -e\nusermod -l "$1" pi\ngroupmod -n "$1" pi\nusermod -m -d "/home/$1" "$1"\n'
        'echo "$1:$2" | chpasswd -e\n'
    )
    rename.chmod(0o755)
    with_boot(flashed(door, "bookworm", BOOKWORM), root)
    within(root, "sh", "/boot/firmware/firstrun.sh")
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def trixie(door):
    """A root file system after cloud-init went through all its stages."""
    root = unpack_root(root_of("trixie", "cloud-init", BUILD), door / "trixie-root")
    (root / "etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg").write_text(
        "datasource_list: [NoCloud, None]\ndatasource: {NoCloud: {seedfrom: 'file:///boot/firmware/'}}\n"
        "ssh_deletekeys: false\nssh_genkeytypes: []\n"
    )
    with_boot(flashed(door, "trixie", TRIXIE), root)
    stages = ("init --local", "init", "modules --mode=config", "modules --mode=final")
    within(root, "sh", "-ec", "\n".join(f"cloud-init {stage}" for stage in stages))
    yield root
    shutil.rmtree(root)


@pytest.fixture(params=["bookworm", "trixie"])
def root(request):
    return request.getfixturevalue(request.param)


def test_the_device_has_its_name_and_time_zone(root):
    assert (root / "etc/hostname").read_text().strip() == "door7"
    hosts = (root / "etc/hosts").read_text()
    assert [line.split()[-1] for line in hosts.splitlines() if line.startswith("127.0.1.1")] == ["door7"]
    assert os.readlink(root / "etc/localtime").endswith("/Europe/Berlin")


def test_the_user_has_a_shell_sudo_and_the_key_and_no_password(root):
    *_, home, shell = within(root, "getent", "passwd", "porter").strip().split(":")
    assert (home, shell) == ("/home/porter", "/bin/bash")
    assert within(root, "getent", "shadow", "porter").split(":")[1][0] in "!*"
    keys = root / "home/porter/.ssh/authorized_keys"
    assert f"{KEY} {COMMENT}" in keys.read_text().splitlines()
    owner = within(root, "stat", "-c", "%U %a", "/home/porter/.ssh/authorized_keys").strip()
    assert owner == "porter 600"
    assert "NOPASSWD" in within(root, "sudo", "-l", "-U", "porter")


def test_nobody_can_log_in_with_a_password(root):
    (root / "run/sshd").mkdir(parents=True, exist_ok=True)
    rules = within(root, "sh", "-ec", "mkdir -p /run/sshd; exec sshd -T").splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin no"} <= set(rules)
    assert {"pubkeyauthentication yes"} <= set(rules)
    assert is_enabled(root, "ssh.service")


def test_the_package_is_installed_with_the_doors_settings_and_keys(root, door):
    assert within(root, "dpkg-query", "--show", "--showformat", "${db:Status-Status}", "maskgate") == "installed"
    assert (root / "etc/maskgate/door.toml").read_text() == SETTINGS
    pem = (door / "maskgate.pub.pem").read_bytes()
    assert (root / "etc/maskgate/keys/maskgate.pub.pem").read_bytes() == pem
    assert is_enabled(root, "maskgate.service")
    assert "0.1.0" in within(root, "maskgate", "--version")


def test_a_hang_is_ended_and_picamera2_is_fetched_later(root):
    assert "RuntimeWatchdogSec=10" in (root / "etc/systemd/system.conf.d/80-maskgate.conf").read_text()
    assert is_enabled(root, "maskgate-picamera2.service")
    within(root, "systemd-analyze", "verify", "--man=no", "/etc/systemd/system/maskgate-picamera2.service")


def test_what_the_set_up_used_is_gone_and_its_log_stays(root):
    boot = root / "boot/firmware"
    assert not (boot / "maskgate").exists() and not (boot / "firstrun.sh").exists()
    assert "set-up ended with 0" in (boot / "maskgate-setup.log").read_text()


def test_on_bookworm_the_command_line_is_as_before(bookworm):
    assert (bookworm / "boot/firmware/cmdline.txt").read_text() == BOOKWORM["cmdline.txt"]


def test_on_trixie_cloud_init_found_nothing_wrong(trixie):
    result = json.loads((trixie / "var/lib/cloud/data/status.json").read_text())["v1"]
    assert {stage: result[stage]["errors"] for stage in ("init-local", "init", "modules-config", "modules-final")} == {
        "init-local": [], "init": [], "modules-config": [], "modules-final": [],
    }  # fmt: skip


def test_cloud_init_finds_the_user_data_valid(tmp_path):
    assert shutil.which("cloud-init"), "cloud-init is missing; apt-get install cloud-init"
    file = tmp_path / "user-data"
    file.write_text(user_data(make_card()))
    done = subprocess.run(["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def is_enabled(root, unit):
    return within(root, "systemctl", "is-enabled", unit).strip() == "enabled"
