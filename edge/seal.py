"""Seals what comes on its standard input with the owner's public key: python seal.py KEY < content > sealed.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305, PURPOSE as its info. The daemon runs it as a file of its
own for each of the few faces that are kept: a cryptographic library would take 11 MB of its memory for good.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SUITE, PURPOSE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305), b"maskgate review 1"
REMEDY = "`make review-key` makes one"


def seal(content: bytes, key: X25519PublicKey) -> bytes:
    """What only the private key opens."""
    return SUITE.encrypt(content, key, info=PURPOSE)


def unseal(content: bytes, key: X25519PrivateKey) -> bytes:
    """Raises ValueError when another key sealed it, or nobody."""
    try:
        return SUITE.decrypt(content, key, info=PURPOSE)
    except InvalidTag as error:
        raise ValueError("not sealed for this key, or damaged") from error


def read_key(file: Path) -> X25519PublicKey:
    """Raises ValueError, whose text is for people."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); {REMEDY}") from error
    except ValueError as error:
        raise ValueError(f"{file}: not a public key; {REMEDY}") from error
    if not isinstance(key, X25519PublicKey):
        raise ValueError(f"{file}: not an X25519 key; {REMEDY}")
    return key


def main(arguments: Sequence[str]) -> int:
    """Seal; without content, only look at the key. The exit code."""
    os.nice(19)
    try:
        key = read_key(Path(arguments[0]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if content := sys.stdin.buffer.read():
        sys.stdout.buffer.write(seal(content, key))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
