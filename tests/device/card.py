"""A virtual board that starts from a card image as a Pi would; GPIO chip and camera are simulated; reached over SSH."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.device.qemu import UNGUARDED

COMMAND = ["qemu-system-aarch64", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio"]
COMMAND += ["-M", "virt", "-cpu", "cortex-a72", "-m", "512", "-device", "virtio-rng-pci", "-device", "i6300esb"]
# a nanosecond an instruction: its clock goes by its work, however busy the workstation is
COMMAND += ["-accel", "tcg,thread=single", "-icount", "shift=0"]
BOOT_LIMIT = 900.0
"""Seconds until a machine must let us in."""
PATIENCE = 900.0
"""Seconds, for whatever takes its time: an emulated board is some ten times slower than a Raspberry Pi, and its clock
stands still while the workstation does something else."""
USER = "tester"
CARD_SIZE = 4 << 30
"""Bytes; the image is smaller, and grows."""
BOOT_PARTITION = 4 << 20
"""Where the image's first partition begins, in bytes."""

BOARD = """\
[Unit]
Description=what a Pi would have: GPIO lines and a camera
DefaultDependencies=no
After=systemd-udevd.service
Before=maskgate.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=modprobe gpio-sim
ExecStart=modprobe vivid node_types=1
ExecStart=/bin/sh -c 'cd /sys/kernel/config/gpio-sim && mkdir -p pi/bank && cd pi && echo 54 >bank/num_lines && \
echo pinctrl-bcm2711 >bank/label && echo 1 >live'
"""
"""A unit for the tests alone: systemd takes it from the kernel's command line, and the card stays as users have it. A
Pi's lines and camera are there before any service, so these are as well."""

CARD = f"""
hostname = "door7"
user = "{USER}"
ssh_keys = ["id.pub"]
trusted_keys = ["signing.pub.pem"]
timezone = "Europe/Berlin"
settings = "door.toml"
"""
SETTINGS = """
[camera]
# as much as an emulated processor manages in good time
width = 320
height = 240
frames_per_second = 5.0

[update]
trial_seconds = 10

[output]
kind = "gpio"
"""


class Guest:
    """A running machine."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, key: Path) -> None:
        self.process = process
        self.port = port
        self._options = ["-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"]
        self._options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
        self._options += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60"]
        self._options += ["-o", f"ControlPath={key.parent}/{port}-%C"]

    def ssh(self, command: str, *options: str, timeout: float = PATIENCE) -> str:
        """What a shell there says to it. Raises CalledProcessError when that fails; its output stands in .output."""
        line = ["ssh", *options, *self._options, "-p", str(self.port), f"{USER}@127.0.0.1", command]
        return run(line, timeout)

    def copy(self, file: Path, to: str = "/tmp/") -> None:
        """A file of ours goes there."""
        run(["scp", "-q", *self._options, "-P", str(self.port), str(file), f"{USER}@127.0.0.1:{to}"], PATIENCE)

    def property(self, name: str, unit: str = "maskgate") -> str:
        """What systemd says of a unit."""
        return self.ssh(f"systemctl show {unit} --property {name} --value").strip()

    def status(self) -> str:
        """What the service says of itself."""
        return self.property("StatusText")

    def install(self, release: Path) -> str:
        """What the device says to a release that it shall use."""
        self.copy(release)
        return self.ssh(f"sudo maskgate bundle install /tmp/{release.name}")

    def releases(self) -> str:
        """What is in use, and what was, in words."""
        return self.ssh("sudo maskgate bundle list")

    def store(self) -> dict[str, Any]:
        """The same as the device keeps it: a hundred times faster, which counts for those who ask again and again."""
        return json.loads(self.ssh("sudo cat /var/lib/maskgate-store/store.json"))

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for it; if it never comes, says what was going on."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(self.ssh("sudo maskgate bundle list; journalctl -u 'maskgate*' --no-pager -n 40"))
            time.sleep(4.0)

    def power_cut(self) -> None:
        """At once, whatever it is writing."""
        self.process.kill()
        self.process.wait()

    def wait_for_ssh(self) -> None:
        """Until somebody can log in."""
        deadline = time.monotonic() + BOOT_LIMIT
        while True:
            try:
                self.ssh("true")
                return
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
            time.sleep(1.0)


def run(command: list[str], timeout: float) -> str:
    """What it says, errors included."""
    said = streams(subprocess.PIPE)
    try:
        return subprocess.run(command, **said, text=True, check=True, timeout=timeout).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.output)
        raise


@contextmanager
def boot(card: Path, key: Path, console: Path) -> Iterator[Guest]:
    """A machine that starts from this card, once somebody can log in with this key; switched off at the end."""
    port = free_port()
    with console.open("ab") as log, subprocess.Popen(machine(card, port), **streams(log)) as process:
        guest = Guest(process, port, key)
        try:
            guest.wait_for_ssh()
            yield guest
        finally:
            guest.power_cut()


def streams(log: object) -> dict[str, object]:
    return {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}


def machine(card: Path, port: int) -> list[str]:
    """qemu's command. It cannot run a Pi's boot ROM, so kernel, initramfs and command line are taken from the card."""
    kernel = boot_files(card)
    return [
        *COMMAND,
        *["-kernel", str(kernel["vmlinuz"]), "-initrd", str(kernel["initrd.img"])],
        *["-append", command_line(kernel["cmdline.txt"].read_text().strip())],
        *["-drive", f"if=none,id=card,format=raw,cache=unsafe,file={card}", "-device", "virtio-blk-pci,drive=card"],
        *["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net,romfile="],
    ]


def command_line(of_the_card: str) -> str:
    unit = base64.b64encode(BOARD.encode()).decode()
    credential = f"systemd.set_credential_binary=systemd.extra-unit.board.service:{unit}"
    return f"{of_the_card} console=ttyAMA0 {UNGUARDED} {credential} systemd.wants=board.service"


def boot_files(card: Path) -> dict[str, Path]:
    """The kernel, its initramfs and its command line, copied out of the card's boot partition."""
    folder = card.with_suffix(".boot")
    folder.mkdir(exist_ok=True)
    names = {"vmlinuz": "vmlinuz-*", "initrd.img": "initrd.img-*", "cmdline.txt": "cmdline.txt"}
    for name, pattern in names.items():
        run(["mcopy", "-n", "-o", "-i", f"{card}@@{BOOT_PARTITION}", f"::{pattern}", str(folder / name)], 60.0)
    return {name: folder / name for name in names}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def insert(image: Path, card: Path, size: int) -> None:
    """The image on a card of this size, in bytes."""
    run(["cp", "--sparse=always", str(image), str(card)], 120.0)
    os.truncate(card, size)
