"""Root file systems of Debian for arm64, entered with qemu's user emulation: what Raspberry Pi OS is made of."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.device.chroot import CPU, ENVIRONMENT, enable_qemu, mirror

PACKAGES = "systemd,systemd-sysv,dbus,udev,python3,openssh-server,sudo,tzdata,ca-certificates,libstdc++6,zlib1g"
ENTER = 'mount -t proc proc "$1/proc" && mount -t tmpfs run "$1/run" && exec chroot "$@"'


def root_of(suite: str, more: str, kept: Path) -> Path:
    """A tar of a minimal system with these packages more, separated by commas; made once, in two to four minutes."""
    enable_qemu()
    tar = kept / f"{suite}.tar"
    if not tar.exists():
        kept.mkdir(parents=True, exist_ok=True)
        unfinished = kept / f"unfinished-{suite}.tar"
        packages = ",".join(filter(None, [PACKAGES, more]))
        subprocess.run(
            ["mmdebstrap", "--quiet", "--architectures=arm64", "--variant=minbase", f"--include={packages}", suite,
             str(unfinished), mirror()],
            check=True, env={**os.environ, "QEMU_CPU": CPU},
        )  # fmt: skip
        unfinished.rename(tar)
    return tar


def unpack_root(tar: Path, folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["tar", "-C", str(folder), "-xf", str(tar)], check=True)
    return folder


def within(root: Path, *command: str) -> str:
    """What a command says there; /proc and an empty /run are there for as long as it runs."""
    line = ["unshare", "--mount", "--fork", "sh", "-ec", ENTER, "enter", str(root), *command]
    done = subprocess.run(
        line, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}"
    return done.stdout
