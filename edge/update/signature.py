"""What a release says of itself, `bundle.sig`, and who signed it.

A release is a folder NAME-VERSION of one of two kinds: "models" (a bundle) or "settings" (a door.toml). Its bundle.sig
lists every other file; the signature (Ed25519) is over that list as canonical JSON, behind a line that keeps it from
ever being taken for a signature of something else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Meta

from edge.contract import sha256
from edge.errors import BundleError, InputError
from edge.update.store import MAIN_FILE, Kind

SIGNATURE_FILE = "bundle.sig"
DOMAIN = b"maskgate release 1\n"
LARGEST, MOST_FILES = 64 * 1024 * 1024, 32
"""Bytes of all files together, and their number, bundle.sig not counted."""

NAME, FILE_NAME, DIGEST = r"\A[A-Za-z0-9_]{1,64}\Z", r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z", r"\A[0-9a-f]{64}\Z"
Digest = Annotated[str, Meta(pattern=DIGEST)]


class ReleaseFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SHA-256 in hexadecimal digits, and size in bytes."""

    sha256: Digest
    size: Annotated[int, Meta(ge=0, le=LARGEST)]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of bundle.sig. version: only ever grows. key: fingerprint of the public key that proves `signature`."""

    kind: Kind
    name: Annotated[str, Meta(pattern=NAME)]
    version: Annotated[int, Meta(ge=1, le=2**31)]
    files: Annotated[dict[Annotated[str, Meta(pattern=FILE_NAME)], ReleaseFile], Meta(max_length=MOST_FILES)]
    key: Digest
    signature: Annotated[str, Meta(max_length=128)] = ""

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def signed(self) -> bytes:
        """The bytes that are signed: everything but the signature."""
        parts = msgspec.to_builtins(self)
        del parts["signature"]
        return DOMAIN + msgspec.json.encode(parts, order="sorted")


def parse(content: bytes, source: object) -> Manifest:
    """The manifest in a bundle.sig, not yet proven. Raises BundleError, which names `source`."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{source}: {SIGNATURE_FILE}: {error}; sign it again with `make sign`") from error
    if (fault := _fault(manifest)) is not None:
        raise BundleError(f"{source}: {fault}")
    return manifest


def _fault(manifest: Manifest) -> str | None:
    if SIGNATURE_FILE in manifest.files:
        return f"{SIGNATURE_FILE} lists itself; sign it again with `make sign`"
    if (main := MAIN_FILE[manifest.kind]) not in manifest.files:
        return f"no {main} in it, so it is no release of {manifest.kind}"
    if manifest.size > LARGEST:
        return f"{manifest.size} bytes when unpacked; at most {LARGEST}"
    return None


def prove(manifest: Manifest, keys: Mapping[str, Ed25519PublicKey], source: object) -> None:
    """Raises BundleError unless one of the keys, by their fingerprints, signed exactly this."""
    if not manifest.signature:
        raise BundleError(f"{source}: not signed; sign it with `make sign`")
    key = keys.get(manifest.key)
    if key is None:
        raise BundleError(
            f"{source}: signed by the key {manifest.key[:16]}..., which this device does not trust; "
            f"it trusts {', '.join(f'{known[:16]}...' for known in sorted(keys))}"
        )
    try:
        key.verify(base64.b64decode(manifest.signature, validate=True), manifest.signed())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise BundleError(f"{source}: the signature does not fit; it was altered after it was signed") from error


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw key, 64 hexadecimal digits."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def trusted_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """The public keys of all *.pem in a folder, by fingerprint. Raises InputError when there is none, or a bad one."""
    keys = [public_key(file) for file in sorted(folder.glob("*.pem"))]
    if not keys:
        raise InputError(f"{folder}: no key to trust; put the signing-key.pub.pem there that `make key` wrote")
    return {fingerprint(key): key for key in keys}


def public_key(file: Path) -> Ed25519PublicKey:
    """The key in a .pub.pem of `make key`. Raises InputError."""
    try:
        pem = file.read_bytes()
        key = load_pem_public_key(pem)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); `make key` makes one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        private = b"PRIVATE KEY" in pem
        what = "holds a private key, which never leaves the workstation" if private else "holds no public key"
        raise InputError(f"{file}: {what}; name the public key that `make key` made, .pub.pem") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{file}: not an Ed25519 key; `make key` makes one")
    return key


def read_folder(folder: Path) -> Manifest:
    """The manifest of an unpacked release whose files are all as it lists them; the signature is not looked at.

    Raises BundleError. With `prove` it says who signed it.
    """
    try:
        manifest = parse((folder / SIGNATURE_FILE).read_bytes(), folder)
        found = {file.name: ReleaseFile(sha256(file), file.stat().st_size) for file in _others(folder)}
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read ({error.strerror}); install it again") from error
    for name in sorted(found.keys() | manifest.files.keys()):
        if found.get(name) != manifest.files.get(name):
            raise BundleError(f"{folder}: {name} is not as {SIGNATURE_FILE} has it; install it again")
    return manifest


def _others(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.name != SIGNATURE_FILE]
