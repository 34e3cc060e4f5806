"""The virtual machines: a board with simulated GPIO chip and camera, and a Raspberry Pi 3B whose registers are read."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

COMMAND = ["qemu-system-aarch64", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio"]
# a nanosecond an instruction, and none for waiting: its clock goes by its work, however busy the workstation is
COMMAND += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
UNGUARDED = "kpti=off mitigations=off"
"""A kernel that does not guard itself against its programs: to do so takes a fifth of an emulated one's time."""
KERNEL = f"console=ttyAMA0 rdinit=/opt/door/init panic=-1 loglevel=3 systemd.show_status=0 TERM=dumb {UNGUARDED}"
BOOT_LIMIT = 1800.0
"""Seconds until a machine is switched off, done or not."""

GPIO = 0x3F200000
"""Where the Pi 3's GPIO registers lie: the functions of ten pins each, three bits a pin; from 0x34 on the levels."""
LEVELS = GPIO + 0x34
FUNCTIONS = {0: "input", 1: "output"}


def boot_board(build: Path, console: Path) -> None:
    """Until it switches itself off; leaves what it said on its serial console."""
    machine = ["-M", "virt", "-cpu", "cortex-a72", "-smp", "1", "-m", "1536", "-nic", "none"]
    with console.open("wb") as log:
        try:
            subprocess.run(command(build, machine, KERNEL), **output(log), timeout=BOOT_LIMIT)
        except subprocess.TimeoutExpired:
            log.write(f"\nswitched off after {BOOT_LIMIT:g} s".encode())


def boot_pi(build: Path, console: Path, pins: Sequence[int], done: str) -> dict[int, list[tuple[str, int]]]:
    """Until it says `done` on its console; what each pin was in turn, as its registers say: function and level."""
    seen: dict[int, list[tuple[str, int]]] = {pin: [] for pin in pins}
    # there is no VideoCore in it to talk to; and the archive may take more than half of the memory
    kernel = f"{KERNEL} rootfstype=ramfs module_blacklist=vchiq,vc4"
    machine = ["-M", "raspi3b", "-dtb", str(build / "bcm2837-rpi-3-b.dtb")]
    with tempfile.TemporaryDirectory() as folder, console.open("wb") as log:
        path = Path(folder, "qmp")
        machine += ["-qmp", f"unix:{path},server=on,wait=off"]
        deadline = time.monotonic() + BOOT_LIMIT
        with subprocess.Popen(command(build, machine, kernel), **output(log)) as running:
            try:
                with registers(path, deadline) as read:
                    while time.monotonic() < deadline and done not in text_of(console):
                        for pin, states in seen.items():
                            state = state_of(pin, read)
                            if states[-1:] != [state]:
                                states.append(state)
                        time.sleep(0.02)
            finally:
                running.kill()
    return seen


def command(build: Path, machine: list[str], kernel: str) -> list[str]:
    files = ["-kernel", str(build / "vmlinuz"), "-initrd", str(build / "initramfs.cpio")]
    return [*COMMAND, *machine, *files, "-append", kernel]


def output(log: object) -> dict[str, object]:
    return {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}


def text_of(console: Path) -> str:
    return console.read_text(errors="replace")


def state_of(pin: int, read: Callable[[int], int]) -> tuple[str, int]:
    function = read(GPIO + 4 * (pin // 10)) >> 3 * (pin % 10) & 7
    return FUNCTIONS.get(function, "other"), read(LEVELS + 4 * (pin // 32)) >> pin % 32 & 1


@contextmanager
def registers(path: Path, deadline: float) -> Iterator[Callable[[int], int]]:
    """Reads a word of the machine's memory, through qemu's own socket."""
    with socket.socket(socket.AF_UNIX) as channel:
        while channel.connect_ex(str(path)):  # it is not there yet
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path}: qemu does not answer")
            time.sleep(0.1)
        with channel.makefile("rw") as stream:
            stream.readline()

            def execute(name: str, **arguments: str) -> str:
                stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                stream.flush()
                while "return" not in (answer := json.loads(stream.readline())):
                    pass
                return answer["return"]

            def read(address: int) -> int:
                told = execute("human-monitor-command", **{"command-line": f"xp /1wx {address:#x}"})
                return int(told.split(":")[1], 16)

            execute("qmp_capabilities")
            yield read
