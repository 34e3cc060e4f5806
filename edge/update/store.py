"""What was installed over the air: releases of models and settings, and which of them is in use.

STORE/models/NAME-VERSION/, STORE/settings/NAME-VERSION/   the releases, each as it was signed
STORE/store.json                                           which is in use: the whole truth, replaced at one blow

The daemon only reads it, so this module knows no more than that takes; `install` changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from edge.contract import CONTRACT_FILE, DEFAULT_BUNDLES
from edge.errors import BundleError, SettingsError
from edge.settings import Settings, load_settings

STATE_FILE = "store.json"
REMEDY = "`sudo maskgate bundle rollback` goes back"

Kind = Literal["models", "settings"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAIN_FILE: Mapping[Kind, str] = {"models": CONTRACT_FILE, "settings": "door.toml"}
"""The file that makes a folder a release of its kind."""

Release = Annotated[str, Meta(pattern=r"\A([A-Za-z0-9_]{1,64}-[1-9][0-9]{0,9})?\Z")]
"""The folder of a release, NAME-VERSION; "" for what came with the package."""


class Shelf(msgspec.Struct, frozen=True):
    """The releases of one kind. highest: the highest version that was ever in use; nothing up to it is new."""

    current: Release = ""
    previous: Release = ""
    highest: Annotated[int, Meta(ge=0)] = 0


class Trial(msgspec.Struct, frozen=True):
    """A release that has yet to show that it does well, see `trial`.

    left: seconds for which it still has to. unwell: seconds in which it did not. known_fault: what was wrong before it.
    restarts: of the service, by itself. boots: of the device; boot: the last of them.
    """

    kind: Kind
    release: Release
    left: float
    known_fault: str = ""
    unwell: float = 0.0
    restarts: int = 0
    boots: int = 0
    boot: str = ""


class Rollback(msgspec.Struct, frozen=True):
    """A release that was taken out of use, when (the device's clock, ISO 8601) and why."""

    kind: Kind
    release: Release
    when: str
    reason: str


class State(msgspec.Struct, frozen=True):
    """The whole of store.json. latest: the kind changed last. index, etag: the fleet's index when it was last done."""

    models: Shelf = Shelf()
    settings: Shelf = Shelf()
    latest: Kind = "models"
    trial: Trial | None = None
    rollback: Rollback | None = None
    index: str = ""
    etag: str = ""

    def shelf(self, kind: Kind) -> Shelf:
        return self.models if kind == "models" else self.settings

    def with_shelf(self, kind: Kind, shelf: Shelf) -> State:
        changed = {"models": self.models, "settings": self.settings} | {kind: shelf}
        return msgspec.structs.replace(self, **changed)


def load(store: Path) -> State:
    """What the store holds; nothing where there is none yet. Raises BundleError when that cannot be told."""
    file = store / STATE_FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=State)
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise BundleError(f"{file}: cannot be read ({error.strerror}); {REMEDY}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{file}: {error}; {REMEDY}") from error


def version_of(release: str) -> int:
    """The version of NAME-VERSION; 0 for ""."""
    return int(release.rpartition("-")[2] or 0)


def packaged() -> Release:
    """The newest of the bundles that come with the package; "" without any."""
    names = [file.parent.name for file in DEFAULT_BUNDLES.glob(f"*/{CONTRACT_FILE}")]
    return max(names, key=version_of, default="")


def current(store: Path, kind: Kind) -> Path | None:
    """The folder of the release in use; None for what came with the package. Raises BundleError."""
    release = load(store).shelf(kind).current
    if not release or (kind == "models" and _superseded(release)):
        return None
    folder = store / kind / release
    if not (folder / MAIN_FILE[kind]).is_file():
        raise BundleError(f"{folder}: {MAIN_FILE[kind]} is missing; {REMEDY}")
    return folder


def _superseded(release: str) -> bool:
    """Whether the package has come to hold a newer bundle of the same name."""
    name, known = release.rpartition("-")[0], packaged()
    return name == known.rpartition("-")[0] and version_of(release) < version_of(known)


def installed_settings(store: Path | None, config: Path | None) -> Settings:
    """The settings in use: those installed over the air, else `config`, else the defaults; with the models in use.

    Raises SettingsError, or BundleError when the store cannot be read or lacks what it should hold.
    """
    installed = current(store, "settings") if store else None
    settings = _installed(installed) if installed else load_settings(config) if config else Settings()
    models = current(store, "models") if store and not settings.model.bundle else None
    if models is None:
        return settings
    model = msgspec.structs.replace(settings.model, bundle=str(models))
    return msgspec.structs.replace(settings, model=model)


def settings_for_safety(store: Path | None, config: Path | None) -> Settings:
    """The settings in use, or `config` where the store is broken: lines must go to their safe level even then.

    Raises SettingsError.
    """
    try:
        return installed_settings(store, config)
    except (BundleError, SettingsError):
        return installed_settings(None, config)


def _installed(folder: Path) -> Settings:
    try:
        return load_settings(folder / MAIN_FILE["settings"])
    except SettingsError as error:
        raise SettingsError(f"{error}; {REMEDY}") from error
