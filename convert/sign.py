"""Sign what devices install over the air: python -m convert.sign key, then python -m convert.sign sign FOLDER.

key                                     makes the pair of keys; the private one stays here, the public one goes out
sign build/bundle/maskgate-5            signs a bundle: bundle.sig in it, and maskgate-5.tar beside it
sign door.toml --name door --version 3  signs settings: door-3.tar

A device takes only what is signed by a key in its /etc/maskgate/keys, and only a version higher than all before.
The same content and key give the same archive to the bit. Exit code 0, or 2 with what is wrong; then nothing is left.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import re
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.contract import CONTRACT_FILE, load_bundle
from edge.errors import BundleError, InputError, MaskgateError
from edge.settings import load_settings
from edge.update.signature import NAME, SIGNATURE_FILE, Manifest, ReleaseFile, fingerprint, parse
from edge.update.store import MAIN_FILE, Kind
from train.key_pair import read_private, write_pair

KEY = Path("~/.config/maskgate/signing-key.pem")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as the arguments say; the exit code."""
    try:
        options = parse_arguments(arguments)
        print(options.action(options))
    except MaskgateError as error:
        print(f"sign: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"sign: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m convert.sign", description="Sign what devices install.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    key = actions.add_parser("key", help="make the pair of keys, once")
    key.set_defaults(action=lambda options: make_key(options.key.expanduser()))
    sign = actions.add_parser("sign", help="sign a bundle or settings")
    sign.add_argument("source", type=Path, metavar="FOLDER|FILE", help="a bundle's folder, or a door.toml")
    sign.add_argument("--out", type=Path, metavar="DIR", help="where the archive goes; by default beside the source")
    sign.add_argument("--name", default="door", help="of the settings; default door")
    sign.add_argument("--version", type=int, help="of the settings: higher than the one before")
    sign.set_defaults(action=sign_source)
    for action in (key, sign):
        action.add_argument("--key", type=Path, default=KEY, metavar="FILE", help=f"private key; default {KEY}")
    return parser.parse_args(arguments)


def make_key(file: Path) -> str:
    """Write a private key, PEM, and the public one as .pub.pem; what to do with them. Never replaces a key."""
    key = Ed25519PrivateKey.generate()
    public_file = write_pair(key, file)
    return (
        f"private key: {file}  keep it secret, and a copy of it safe\n"
        f"public key:  {public_file}  for /etc/maskgate/keys of each device\n"
        f"fingerprint: {fingerprint(key.public_key())}"
    )


def sign_source(options: argparse.Namespace) -> str:
    """Sign what the options name; where the archive is. Raises InputError, BundleError or SettingsError."""
    source: Path = options.source
    key = read_key(options.key.expanduser())
    is_models = source.is_dir()
    if is_models:
        files, title = _models(source)
    else:
        files, title = _settings(source, options.name, options.version)
    manifest = signed("models" if is_models else "settings", *title, files, key)
    signature = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    parse(signature, source)  # as strictly as a device
    archive = (options.out or source.resolve().parent) / f"{manifest.folder}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(archive, packed(manifest.folder, {SIGNATURE_FILE: signature} | files))
    if is_models:
        _write_whole(source / SIGNATURE_FILE, signature)
    return f"signed: {archive}, {archive.stat().st_size} bytes, by the key {manifest.key[:16]}..."


def read_key(file: Path) -> Ed25519PrivateKey:
    """The private key. Raises InputError."""
    return read_private(file, Ed25519PrivateKey, "make key")  # type: ignore[type-abstract]


def _models(folder: Path) -> tuple[dict[str, bytes], tuple[str, int]]:
    contract = load_bundle(folder).contract
    if contract.golden is None:
        raise BundleError(f"{folder}: has no golden answers, so no device takes it; convert the models again")
    files = {path.name: _content(path) for path in sorted(folder.iterdir()) if path.name != SIGNATURE_FILE}
    return files, (contract.name, contract.version)


def _content(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path}: not a plain file; only those can be in a release")
    return path.read_bytes()


def _settings(file: Path, name: str, version: int | None) -> tuple[dict[str, bytes], tuple[str, int]]:
    if not file.is_file():
        raise InputError(f"{file}: neither a bundle with its {CONTRACT_FILE} nor a file of settings")
    if version is None:
        raise InputError(f"{file}: settings need a --version, higher than the one before")
    if not re.match(NAME, name) or version < 1:
        raise InputError(f"{name}-{version}: not letters, digits, underscores, and a whole number from 1 up")
    load_settings(file)
    return {MAIN_FILE["settings"]: file.read_bytes()}, (name, version)


def signed(kind: Kind, name: str, version: int, files: Mapping[str, bytes], key: Ed25519PrivateKey) -> Manifest:
    """The manifest of these files by their names, signed."""
    listed = {
        file: ReleaseFile(hashlib.sha256(content).hexdigest(), len(content)) for file, content in sorted(files.items())
    }
    manifest = Manifest(kind, name, version, listed, fingerprint(key.public_key()))
    signature = base64.b64encode(key.sign(manifest.signed())).decode()
    return msgspec.structs.replace(manifest, signature=signature)


def packed(folder: str, files: Mapping[str, bytes]) -> bytes:
    """A plain tar of files in one folder, in their order; owners, times and modes are always the same."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def _write_whole(file: Path, content: bytes) -> None:
    """A file that is there whole or not at all."""
    making = file.with_name(f".{file.name}.making")
    try:
        making.write_bytes(content)
        making.replace(file)
    finally:
        making.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
