"""Runs the programs that know disks and file systems; one that is absent or fails ends in one line."""

from __future__ import annotations

import os
import subprocess

from edge.errors import InputError

PACKAGES = {
    "bmaptool": "bmap-tools", "dd": "coreutils", "lsblk": "util-linux", "sfdisk": "fdisk",
    "mcopy": "mtools", "mdir": "mtools", "mmd": "mtools", "mtype": "mtools",
}  # fmt: skip
"""The Debian package of each."""
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"}
"""sfdisk lies where a plain user's PATH does not lead."""


def output_of(*command: str, data: bytes = b"") -> bytes:
    """What a program answers on standard output, given `data` on standard input. Raises InputError."""
    try:
        done = subprocess.run(command, input=data, capture_output=True, env=ENVIRONMENT)
    except FileNotFoundError as error:
        raise InputError(f"{command[0]}: not installed; apt-get install {PACKAGES[command[0]]}") from error
    if done.returncode:
        complaint = " ".join(done.stderr.decode(errors="replace").split())
        raise InputError(f"{command[0]}: {complaint or f'failed with {done.returncode}'}")
    return done.stdout
