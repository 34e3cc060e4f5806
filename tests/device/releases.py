"""Releases for the virtual board, signed as users sign them: with `python -m convert.sign`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from edge.contract import DEFAULT_BUNDLES

ROOT = Path(__file__).resolve().parents[2]


def signed_models(key: Path, version: int, **locator: object) -> Path:
    """The shipped networks with another version, and with other terms for the locator if any are given."""
    folder = key.parent / f"maskgate-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(next(DEFAULT_BUNDLES.glob("maskgate-*")), folder)
    contract = json.loads((folder / "bundle.json").read_text())
    contract["version"] = version
    contract["locator"] |= locator
    (folder / "bundle.json").write_text(json.dumps(contract))
    sign(key, folder)
    return key.parent / f"maskgate-{version}.tar"


def signed_settings(key: Path, version: int, text: str) -> Path:
    file = key.parent / "new-door.toml"
    file.write_text(text)
    sign(key, file, "--version", str(version))
    return key.parent / f"door-{version}.tar"


def sign(key: Path, *arguments: object) -> None:
    command = [sys.executable, "-m", "convert.sign", "sign", "--key", key, "--out", key.parent, *arguments]
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
