"""The pair of keys for faces that devices keep for review: python -m train.review.key.

Each device seals them with the public key; only the private one, which stays here, opens them. Exit code 0, or 2 with
what is wrong; a key that is there is never replaced.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge.errors import InputError, MaskgateError

KEY = Path("~/.config/maskgate/review-key.pem")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as the arguments say; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m train.review.key", description="Make the keys for review, once.")
    parser.add_argument("--key", type=Path, default=KEY, metavar="FILE", help=f"private key; default {KEY}")
    try:
        print(make_key(parser.parse_args(arguments).key.expanduser()))
    except MaskgateError as error:
        print(f"review: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"review: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def make_key(file: Path) -> str:
    """Write a private key, PEM, and the public one as .pub.pem; what to do with them. Never replaces a key."""
    public_file = file.with_suffix(".pub.pem")
    for taken in (file, public_file):
        if taken.exists():
            raise InputError(f"{taken}: exists already and is not replaced; move it away, or give another --key")
    key = X25519PrivateKey.generate()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_new(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _write_new(public_file, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return (
        f"private key: {file}  opens what devices keep; it never leaves this machine, keep a copy of it safe\n"
        f"public key:  {public_file}  copy it to each device, and name it there as review.key"
    )


def read_key(file: Path) -> X25519PrivateKey:
    """The private key. Raises InputError."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); `make review-key` makes one") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: not a private key without a password; `make review-key` makes one") from error
    if not isinstance(key, X25519PrivateKey):
        raise InputError(f"{file}: not an X25519 key; `make review-key` makes one")
    return key


def _write_new(file: Path, content: bytes, mode: int) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)


if __name__ == "__main__":
    sys.exit(main())
