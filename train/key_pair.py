"""A pair of keys as two files, PEM; one that is there is never replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge.errors import InputError

Key = TypeVar("Key", Ed25519PrivateKey, X25519PrivateKey)


def write_pair(key: Ed25519PrivateKey | X25519PrivateKey, file: Path) -> Path:
    """Write a private key, readable by its owner alone, and the public one beside it as .pub.pem; that file.

    Raises InputError when one of them is there, OSError.
    """
    public_file = file.with_suffix(".pub.pem")
    for taken in (file, public_file):
        if taken.exists():
            raise InputError(f"{taken}: exists already and is not replaced; move it away, or give another --key")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_new(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _write_new(public_file, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return public_file


def read_private(file: Path, kind: type[Key], maker: str) -> Key:
    """The private key of a file. maker: the command that makes one. Raises InputError."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); `{maker}` makes one") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: not a private key without a password; `{maker}` makes one") from error
    if not isinstance(key, kind):
        name = kind.__name__.removesuffix("PrivateKey")
        raise InputError(f"{file}: not an {name} key; `{maker}` makes one")
    return key


def _write_new(file: Path, content: bytes, mode: int) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
