"""The pair of keys for faces that devices keep for review: python -m train.review.key.

Each device seals them with the public key; only the private one, which stays here, opens them. Exit code 0, or 2 with
what is wrong; a key that is there is never replaced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.errors import InputError, MaskgateError
from train.key_pair import write_pair

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
    public_file = write_pair(X25519PrivateKey.generate(), file)
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


if __name__ == "__main__":
    sys.exit(main())
