"""What a stock Raspberry Pi OS shall do when it boots for the first time, laid onto its boot partition.

A folder `maskgate/` holds the package, settings, keys and `setup.sh`. On trixie cloud-init's `user-data` makes the user
and runs it; on bookworm `firstrun.sh` does so, named on the kernel's command line as Raspberry Pi Imager does.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from edge.device.card_file import Card
from edge.device.stock_image import BootPartition, Kind
from edge.errors import InputError

FILES = Path(__file__).parent / "firstboot"
FOLDER = "maskgate"
ON_DEVICE = f"/boot/firmware/{FOLDER}"
FIRST_RUN = (
    "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot systemd.run_failure_action=reboot "
    "systemd.unit=kernel-command-line.target"
)
GROUPS = "adm,dialout,audio,sudo,video,plugdev,users,input,render,netdev,gpio,i2c,spi,systemd-journal"
CAMERA = "camera_auto_detect=1"


def set_up(boot: BootPartition, kind: Kind, card: Card, package: Path) -> None:
    """Write the set-up onto a boot partition. Raises InputError."""
    if FOLDER in boot.names():
        raise InputError(f"{boot.image.name}: was set up before; take the image as it was downloaded")
    boot.make_folder(FOLDER)
    boot.make_folder(f"{FOLDER}/keys")
    boot.write(f"{FOLDER}/card.env", environment(card))
    for name in ("setup.sh", "maskgate-picamera2.service"):
        boot.copy(FILES / name, f"{FOLDER}/{name}")
    boot.copy(package, f"{FOLDER}/{package.name}")
    for key in card.trusted_keys:
        boot.copy(key, f"{FOLDER}/keys/{key.name}")
    if card.settings is not None:
        boot.copy(card.settings, f"{FOLDER}/door.toml")
    _find_camera(boot)
    if kind == "cloud-init":
        boot.write("user-data", user_data(card))
    else:
        boot.copy(FILES / "firstrun.sh", "firstrun.sh")
        boot.write("cmdline.txt", with_first_run(boot.read("cmdline.txt")))


def environment(card: Card) -> str:
    """What the scripts on the device read: NAME='value' lines."""
    values = {"hostname": card.hostname, "user": card.user, "timezone": card.timezone, "keys": "\n".join(card.ssh_keys)}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def user_data(card: Card) -> str:
    """cloud-init's file; JSON, which is YAML too."""
    user = {
        "name": card.user,
        "groups": GROUPS,
        "shell": "/bin/bash",
        "lock_passwd": True,
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": list(card.ssh_keys),
    }
    wanted = {
        "hostname": card.hostname,
        "manage_etc_hosts": True,
        "timezone": card.timezone,
        "ssh_pwauth": False,
        "disable_root": True,
        "users": [user],
        "runcmd": [["sh", f"{ON_DEVICE}/setup.sh"]],
    }
    return f"#cloud-config\n{json.dumps(wanted, indent=2)}\n"


def with_first_run(command_line: str) -> str:
    """The kernel's command line, one line, with our script to run once."""
    kept = [word for word in command_line.split() if not word.startswith("systemd.run")]
    return " ".join([*kept, FIRST_RUN]) + "\n"


def _find_camera(boot: BootPartition) -> None:
    """The firmware looks for a camera on the ribbon cable only when told to."""
    lines = boot.read("config.txt").splitlines() if "config.txt" in boot.names() else []
    if CAMERA not in (line.strip() for line in lines):
        boot.write("config.txt", "\n".join([*lines, "", "[all]", CAMERA, ""]))
