"""Small arm64 Debian systems as folders, whose programs run under qemu-user; needs root, mmdebstrap, qemu-user-static.

What is installed in one is undone by taking a fresh copy: the system itself is made once and kept as an archive.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from zlib import crc32

PACKAGES = "python3,systemd,init-system-helpers"
MIRROR = Path(__file__).resolve().parents[2] / "edge/device/mirror.sh"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
TOOLS = {"mmdebstrap": "mmdebstrap", "qemu-aarch64-static": "qemu-user-static", "update-binfmts": "binfmt-support"}
# the Pi 4's: it has no pointer authentication, which Debian 13 uses and qemu emulates very slowly
CPU = "cortex-a72"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "QEMU_CPU": CPU, "DEBIAN_FRONTEND": "noninteractive"}


class Chroot:
    """A fresh Debian of one release, such as "trixie", in the folder build/chroot-SUITE, made at the first time.

    more: packages beside PACKAGES, with commas between them.
    """

    def __init__(self, suite: str, build: Path, more: str = "") -> None:
        self.root = build / f"chroot-{suite}"
        packages = ",".join(filter(None, [PACKAGES, more]))
        archive = build / f"chroot-{suite}-{crc32(packages.encode()):x}.tar"
        if not archive.exists():
            make(suite, packages, archive)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", self.root], check=True)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command within; its output and errors come together, in the order in which they were written."""
        # not /sys: LiteRT would take the workstation's processor for an arm64 one, and crash
        mounts = 'mount -t proc proc "$1/proc"; mount -t tmpfs run "$1/run"; exec chroot "$@"'
        enter = ["sh", "-ec", mounts, "sh", str(self.root), *command]
        private = ["unshare", "--mount", "--propagation", "private"]
        output = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(private + enter, env=ENVIRONMENT, text=True, **output)

    def tell(self, *command: str) -> str:
        """What a command that must succeed says."""
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}"
        return done.stdout

    def files(self) -> set[str]:
        """All paths within."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}


def hindrance() -> str | None:
    """Why no chroot can be had here, in one line; None when it can."""
    if os.geteuid() != 0:
        return "these tests need root, for chroots of arm64; sudo make test-device"
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool, path=PATH) is None]
    if missing:
        return f"missing: {' '.join(missing)}; apt-get install --no-install-recommends {' '.join(missing)}"
    return None


def enable_qemu() -> None:
    """Let the kernel hand arm64 programs to qemu; another process may do so at the same moment."""
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=False)
    if not (BINFMT / "qemu-aarch64").exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=False)
    assert (BINFMT / "qemu-aarch64").exists(), "the kernel does not take qemu-aarch64; is the module binfmt_misc there?"


def make(suite: str, packages: str, archive: Path) -> None:
    """Write a small system as a tar archive; its packages' scripts run emulated, which takes a minute or two."""
    mirror = subprocess.run([MIRROR], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    source = f"deb [signed-by={KEYRING}] {mirror} {suite} main"
    options = [
        "--mode=root",
        "--variant=minbase",
        "--architectures=arm64",
        f"--include={packages}",
        "--quiet",
    ]
    options += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "doc", "locale")]
    part = archive.with_suffix(".part.tar")
    archive.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mmdebstrap", *options, suite, part, source], check=True, env=os.environ | {"QEMU_CPU": CPU})
    part.rename(archive)
