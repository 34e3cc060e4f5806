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

from edge.errors import MaskgateError
from train.key_pair import read_private, write_pair

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
    return read_private(file, X25519PrivateKey, "make review-key")


if __name__ == "__main__":
    sys.exit(main())
