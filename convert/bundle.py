"""Write a bundle, try it as the device would, and install it: NAME-VERSION/ two models, contract, report and card."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.gate import Figure, accuracy
from convert.parts import ALONE, AnyPart, Part
from edge.contract import CONTRACT_FILE, ClassifierContract, Contract, LocatorContract, load_bundle
from edge.errors import InputError
from edge.judge import Judge
from edge.selftest import self_test

REPORT_FILE, CARD_FILE = "report.md", "MODEL_CARD.md"
TOOLS = ("maskgate", "tensorflow", "keras", "ai-edge-litert", "opencv-python-headless", "numpy")


@dataclass(frozen=True, slots=True)
class Title:
    """What a bundle is called; `folder` is NAME-VERSION."""

    name: str
    version: int

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"


def next_version(name: str, places: Iterable[Path]) -> int:
    """One more than the newest bundle of that name in any of the folders; 1 without any."""
    return 1 + max((version for place in places for version, _ in bundles(name, place)), default=0)


def bundles(name: str, place: Path) -> list[tuple[int, Path]]:
    """The bundles of that name in a folder with their versions, the oldest first."""
    found = []
    for file in place.glob(f"*/{CONTRACT_FILE}"):
        if match := re.fullmatch(rf"{re.escape(name)}-(\d+)", file.parent.name):
            found.append((int(match[1]), file.parent))
    return sorted(found)


def write(folder: Path, contract: Contract, pages: Mapping[str, str]) -> None:
    """bundle.json, and Markdown pages by their file's name, beside the two models that `folder` holds already."""
    content = msgspec.json.format(msgspec.json.encode(contract), indent=1)
    (folder / CONTRACT_FILE).write_bytes(content + b"\n")
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def contract_of(
    title: Title,
    locator: Part[LocatorContract],
    classifier: Part[ClassifierContract],
    together: Sequence[Figure],
    training: dict[str, Any],
) -> Contract:
    """The whole contract of two parts; `together`: figures of both at work."""
    parts: dict[str, AnyPart] = {"locator": locator, "classifier": classifier}
    notes = {kind: part.notes.training for kind, part in parts.items()}
    notes["locator"] = notes["locator"] | {ALONE: locator.notes.score_threshold}
    figures = {kind: part.figures for kind, part in parts.items()} | {"verified": together}
    return Contract(
        name=title.name,
        version=title.version,
        locator=locator.contract,
        classifier=classifier.contract,
        training=training | notes,
        calibration=[f"{kind}: {name}" for kind, part in parts.items() for name in part.calibration],
        accuracy={kind: accuracy(some) for kind, some in figures.items() if some},
        tools=tools(),
        notices=list(dict.fromkeys(locator.notes.notices + classifier.notes.notices)),
        made=datetime.now(UTC).date().isoformat(),
    )


def tools() -> dict[str, str]:
    """Versions of what made the bundle."""
    versions = {"python": platform.python_version()}
    for name in TOOLS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def try_out(folder: Path) -> None:
    """Load a bundle, test it and judge an empty frame, as a device does; BundleError if it would refuse."""
    bundle = load_bundle(folder)
    self_test(bundle)
    Judge.from_bundle(bundle).judge(np.zeros((480, 640, 3), np.uint8))


@contextlib.contextmanager
def making(out: Path) -> Iterator[Path]:
    """A new folder beside the bundles to come: what is renamed from there is there whole or not at all."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".making-", dir=out))
    except OSError as error:
        raise InputError(f"{out}: cannot be written to ({error.strerror}); give another folder") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(made: Path, target: Path) -> None:
    """Give a finished bundle its name. InputError if that is taken."""
    if target.exists():
        raise InputError(f"{target}: exists already; a version never changes, give a higher --version")
    made.chmod(0o755)
    made.rename(target)


def install(bundle: Path, title: Title, models: Path) -> Path:
    """Copy a bundle to where the package finds it, in place of older ones of its name."""
    target = models / title.folder
    with making(models) as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        publish(folder, target)
    for version, older in bundles(title.name, models):
        if version < title.version:
            shutil.rmtree(older)
    return target
