"""From a signed release to one in use: verify, try, place, switch, and have it watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.contract import Bundle, load_bundle
from edge.errors import BundleError, SettingsError
from edge.settings import Settings, load_settings
from edge.update.archive import Source, read_manifest, unpack
from edge.update.change import incoming, place, sweep, switch
from edge.update.service import Service
from edge.update.signature import Manifest, read_folder, trusted_keys
from edge.update.store import MAIN_FILE, State, Trial, load, packaged, version_of
from edge.update.trial import known_fault

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Device:
    """What an installation needs of the device.

    store: folder of what is installed. keys: folder of public keys. settings: those in use. service: the daemon; None
    where systemd does not run. self_test: raises BundleError when the networks do not answer as on the workstation.
    """

    store: Path
    keys: Path
    settings: Settings
    service: Service | None
    self_test: Callable[[Bundle], None]


def verify(device: Device, source: Source, folder: Path) -> str:
    """Check a release in all that `install` checks, in an empty folder; what it is, in one line. Raises BundleError."""
    state = load(device.store)
    manifest, _ = read_manifest(source, trusted_keys(device.keys))
    if not in_use(manifest, device.store, state):
        check_new(manifest, state, source)
    receive(source, manifest, folder, device.self_test)
    return f"{manifest.folder}: {manifest.kind}, whole, signed by the trusted key {manifest.key[:16]}..."


def install(device: Device, source: Source) -> str:
    """Install a release and use it, on trial where there is a service to watch; what was done, in one line.

    The store is locked. Raises BundleError, SettingsError or InputError, and then nothing has changed.
    """
    state = load(device.store)
    sweep(device.store, state)
    manifest, signature = read_manifest(source, trusted_keys(device.keys))
    if in_use(manifest, device.store, state):
        _resume(device, state)
        return f"{manifest.folder}: in use already"
    _check_free(device, state, source)
    check_new(manifest, state, source)
    _check_used(device, manifest, source)
    with incoming(device.store) as folder:
        receive(source, manifest, folder, device.self_test)
        trial = _trial(device, manifest)
        place(folder, manifest, signature, device.store)
    try:
        state = switch(device.store, state, manifest, trial)
    finally:
        sweep(device.store, state)
    return f"{manifest.folder}: {_start(device)}"


def check_new(manifest: Manifest, state: State, source: object) -> None:
    """Raises BundleError unless the version is higher than any that was in use, or came with the package."""
    highest = state.shelf(manifest.kind).highest
    if manifest.kind == "models":
        highest = max(highest, version_of(packaged()))
    if manifest.version <= highest:
        raise BundleError(
            f"{source}: version {manifest.version} of the {manifest.kind} is not newer than {highest}, which was here "
            f"already; sign it with a higher version"
        )


def receive(source: Source, manifest: Manifest, folder: Path, self_test: Callable[[Bundle], None]) -> None:
    """Unpack what follows the manifest into an empty folder, and try it. Raises BundleError or SettingsError."""
    unpack(source, manifest, folder)
    try:
        if manifest.kind == "settings":
            load_settings(folder / MAIN_FILE["settings"])
        else:
            _try_models(manifest, load_bundle(folder), self_test)
    except (BundleError, SettingsError) as error:
        raise type(error)(f"{source}: {str(error).replace(str(folder), manifest.folder)}") from error


def _try_models(manifest: Manifest, bundle: Bundle, self_test: Callable[[Bundle], None]) -> None:
    contract = bundle.contract
    if (contract.name, contract.version) != (manifest.name, manifest.version):
        named = f"{contract.name}-{contract.version}"
        raise BundleError(f"signed as {manifest.folder}, but its contract says {named}; sign it again")
    if contract.golden is None:
        raise BundleError("has no golden answers to test it by on the device; convert the models again")
    self_test(bundle)


def in_use(manifest: Manifest, store: Path, state: State) -> bool:
    """Whether this very release is the current one, and whole."""
    if state.shelf(manifest.kind).current != manifest.folder:
        return False
    try:
        return read_folder(store / manifest.kind / manifest.folder) == manifest
    except BundleError:
        return False


def _check_free(device: Device, state: State, source: Source) -> None:
    if state.trial is None:
        return
    _resume(device, state)
    raise BundleError(
        f"{source}: {state.trial.release} is on trial for another {state.trial.left:.0f} s of running well; "
        f"wait, or end it with `sudo maskgate bundle rollback`"
    )


def _check_used(device: Device, manifest: Manifest, source: Source) -> None:
    """The daemon takes the store's models only where its settings name none."""
    named = device.settings.model.bundle
    if manifest.kind == "models" and named and Path(named).parent != device.store / "models":
        raise BundleError(f"{source}: would not be used, model.bundle in the settings is {named}; leave that out")


def _trial(device: Device, manifest: Manifest) -> Trial | None:
    if device.service is None:
        return None
    fault, boot = known_fault(device.service.look()), boot_id()
    return Trial(manifest.kind, manifest.folder, device.settings.update.trial_seconds, fault, boot=boot)


def _start(device: Device) -> str:
    if device.service is None:
        return "in use from the daemon's next start on; without systemd nothing watches it"
    device.service.restart()
    device.service.watch()
    return f"in use, on trial for {device.settings.update.trial_seconds:g} s; see `maskgate bundle list`"


def _resume(device: Device, state: State) -> None:
    """Whoever watched the trial may have been killed."""
    if state.trial and device.service:
        device.service.watch()


def boot_id() -> str:
    """Another one after each start of the machine."""
    return BOOT_ID.read_text().strip()
