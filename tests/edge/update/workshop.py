"""Small releases, signed for real, and a device that takes them."""

import base64
import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from convert.sign import packed, signed
from edge.contract import load_bundle
from edge.settings import ModelSettings, Settings, UpdateSettings
from edge.update.fetch import Stream
from edge.update.install import Device
from edge.update.signature import SIGNATURE_FILE, Manifest, fingerprint
from edge.update.trial import Health

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


class FakeService:
    """Runs what a test says: shows `shown` one after the other, the last for ever, and notes what it is asked for."""

    def __init__(self, *shown: Health) -> None:
        self.shown = list(shown) or [Health("active", 0, "maskgate-4: IDLE, 15 frames/s")]
        self.asked: list[str] = []

    def look(self) -> Health:
        return self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]

    def restart(self) -> None:
        self.asked.append("restart")

    def watch(self) -> None:
        self.asked.append("watch")


def models(version: int = 5, name: str = "maskgate", **changes: object) -> dict[str, bytes]:
    """The files of a bundle with toy networks: good enough for all but running them."""
    files = {"locator.tflite": b"locator" * 500, "classifier.tflite": b"classifier" * 900, "golden.npz": b"golden"}
    parts = {name: {"file": name, "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()}
    contract = msgspec.to_builtins(load_bundle().contract) | {"name": name, "version": version}
    contract["locator"] |= parts["locator.tflite"] | {"edgetpu": None}
    contract["classifier"] |= parts["classifier.tflite"] | {"edgetpu": None}
    contract |= {"golden": parts["golden.npz"], "reference": None}
    return {"bundle.json": msgspec.json.encode(contract | changes)} | files


def settings(text: str = "[door]\nmode = 'remind'\n") -> dict[str, bytes]:
    return {"door.toml": text.encode()}


def manifest(files: dict[str, bytes], version: int = 5, name: str = "", key: Ed25519PrivateKey = KEY) -> Manifest:
    kind = "settings" if "door.toml" in files else "models"
    return signed(kind, name or {"settings": "door", "models": "maskgate"}[kind], version, files, key)


def release(files: dict[str, bytes], version: int = 5, name: str = "", key: Ed25519PrivateKey = KEY) -> bytes:
    """An archive as `python -m convert.sign` makes it."""
    signed_one = manifest(files, version, name, key)
    return packed(signed_one.folder, {SIGNATURE_FILE: msgspec.json.encode(signed_one)} | files)


def archive(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    """Any archive at all, of names or headers and contents."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for header, data in members:
            info = tarfile.TarInfo(header) if isinstance(header, str) else header
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def stream(content: bytes, limit: int = 2**30) -> Stream:
    return Stream(io.BytesIO(content), "release.tar", limit)


def trust(folder: Path, key: Ed25519PrivateKey = KEY) -> Path:
    folder.mkdir(exist_ok=True)
    public = key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{fingerprint(public)[:8]}.pem").write_bytes(pem)
    return folder


def device(tmp_path: Path, service: FakeService | None = None, **changes: object) -> Device:
    """A device with an empty store, or with what is in it already."""
    (tmp_path / "store").mkdir(exist_ok=True)
    update = UpdateSettings(trial_seconds=60.0)
    made = Device(
        store=tmp_path / "store",
        keys=trust(tmp_path / "keys"),
        settings=Settings(model=ModelSettings(), update=update),
        service=service,
        self_test=lambda bundle: None,
    )
    return dataclasses.replace(made, **changes)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, by its path from there."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"/"
        for path in sorted(folder.rglob("*"))
    }


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 0xFF
    return bytes(changed)


def resigned(one: Manifest, key: Ed25519PrivateKey = KEY) -> Manifest:
    """What somebody with the key can sign, whatever `make sign` refuses."""
    return msgspec.structs.replace(one, signature=base64.b64encode(key.sign(one.signed())).decode())
