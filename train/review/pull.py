"""Bring the faces that a device kept to this workstation: python -m train.review.pull pi@door1.

Reads the device's folder over SSH, opens each file with the owner's private key, and leaves it as a PNG in
build/review/new/, where `python -m train review` takes it from. The device is not changed: there they go by themselves
after `review.days`. What was pulled before is passed over. Exit code 0, or 2 with what is wrong.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edge.errors import InputError, MaskgateError
from edge.review import SUFFIX, unseal
from train.review.crops import write_crop
from train.review.desk import NEW, PLACES
from train.review.key import KEY, read_key

DEVICE_FOLDER = "/var/lib/maskgate/review"
FOLDER = Path("build/review")
MOST_FILES, LARGEST = 20_000, 4_000_000
SSH = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
NAME = re.compile(rf"(?:\./)?([0-9a-f]{{32}}){re.escape(SUFFIX)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Pull as the arguments say; the exit code."""
    try:
        options = parse(arguments)
        print(pull(options))
    except MaskgateError as error:
        print(f"pull: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"pull: error: {error.filename or 'ssh'}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.review.pull", description="Bring kept faces here.")
    parser.add_argument("host", help="the device, as in pi@door1")
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--from", dest="there", default=DEVICE_FOLDER, metavar="DIR", help="its review.folder")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help=f"default {FOLDER}")
    parser.add_argument("--key", type=Path, default=KEY, metavar="FILE", help=f"private key; default {KEY}")
    return parser.parse_args(arguments)


def pull(options: argparse.Namespace) -> str:
    """Bring what is new; what came, in one line. Raises InputError."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@:%-]*", options.host):
        raise InputError(f"{options.host!r}: no name of a device; give HOST=pi@door1")
    key = read_key(options.key.expanduser())
    source = options.host.rpartition("@")[2]
    (options.out / NEW).mkdir(parents=True, exist_ok=True, mode=0o700)
    known = {file.stem for place in PLACES for file in (options.out / place).glob("*.png")}
    came, refused, there = 0, "", 0
    for name, content in sealed_there(options.host, options.port, options.there):
        there += 1
        if name not in known:
            fault = _open(content, key, options.out / NEW / f"{name}.png", source)
            came, refused = came + (not fault), fault or refused
    if refused and not came:
        raise InputError(f"{source}: none of {there} faces can be opened: {refused}; is review.key there of this key?")
    return f"{came} new of {there} faces on {source}; " + (refused or "`python -m train review` shows them")


def _open(content: bytes, key: X25519PrivateKey, file: Path, source: str) -> str:
    """Why a sealed face could not be opened; "" when it lies in the file."""
    try:
        write_crop(file, unseal(content, key), source)
    except InputError as error:
        return str(error)
    return ""


def sealed_there(host: str, port: int, folder: str) -> Iterator[tuple[str, bytes]]:
    """Name, without its suffix, and content of each sealed file on a device. Raises InputError."""
    listed = f"sudo -n tar --create --directory={shlex.quote(folder)} --file=- ."
    with tempfile.TemporaryFile() as said:
        command = [*SSH, "-p", str(port), "--", host, listed]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as ssh:
            assert ssh.stdout is not None
            broken = None
            try:
                yield from _members(ssh.stdout)
            except tarfile.TarError as error:
                broken = error
            finally:
                ssh.stdout.close()
        said.seek(0)
        # tar ends with 1 when a file was deleted meanwhile, as happens to old ones
        if ssh.returncode not in (0, 1) or broken:
            raise InputError(_explained(host, port, folder, ssh.returncode, said.read().decode(errors="replace")))


def _members(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for number, member in enumerate(archive):
            match = NAME.fullmatch(member.name)
            if number >= MOST_FILES:
                raise InputError(f"the device sends more than {MOST_FILES} files; is --from its review.folder?")
            if match and member.isreg() and member.size <= LARGEST:
                file = archive.extractfile(member)
                assert file is not None
                yield match[1], file.read()


def _explained(host: str, port: int, folder: str, code: int, said: str) -> str:
    lines = [line for line in said.replace("\r", "").splitlines() if line.strip() and "not recoverable" not in line]
    last = lines[-1] if lines else "no answer"
    if code == 255:
        return f"{host}: {last}; does `ssh -p {port} {host}` work without a password?"
    return f"{host}: {folder}: {last}; is review.enabled there, and sudo without a password?"


if __name__ == "__main__":
    sys.exit(main())
