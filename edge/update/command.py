"""The command `maskgate bundle`: install, verify, list, rollback, poll and watch."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from edge.contract import Bundle
from edge.errors import BundleError, InputError
from edge.update import CONFIG, STORE
from edge.update.archive import LARGEST_ARCHIVE
from edge.update.change import back, locked, start_over, sweep
from edge.update.fetch import opened
from edge.update.install import Device, boot_id, install, verify
from edge.update.poll import MACHINE_ID, poll
from edge.update.service import find_service
from edge.update.store import KINDS, Kind, State, current, installed_settings, load, packaged
from edge.update.watch import Watch, now_text

WENT_BACK = 1


def bundle(arguments: argparse.Namespace) -> int:
    """Do `arguments.action`; 0, or 1 when `watch` had to go back. Raises MaskgateError.

    arguments: action, source (install and verify: a file or address), store, config, keys. Without `store` and `config`
    it is about those of the service.
    """
    if arguments.store is None:
        arguments.store = STORE
        arguments.config = arguments.config or (CONFIG if CONFIG.is_file() else None)
    # the daemon, another user, reads what is installed
    os.umask(0o022)
    return ACTIONS[arguments.action](arguments)


def _install(arguments: argparse.Namespace) -> int:
    with locked(arguments.store):
        device = _device(arguments)
        with opened(arguments.source, LARGEST_ARCHIVE, device.settings.update.ca_file) as source:
            print(install(device, source))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    device = _device(arguments)
    with (
        opened(arguments.source, LARGEST_ARCHIVE, device.settings.update.ca_file) as source,
        tempfile.TemporaryDirectory(prefix="maskgate-") as folder,
    ):
        print(verify(device, source, Path(folder)))
    return 0


def _poll(arguments: argparse.Namespace) -> int:
    with locked(arguments.store):
        try:
            machine = MACHINE_ID.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise InputError(f"{MACHINE_ID}: cannot be read; make it with `systemd-machine-id-setup`") from error
        print(poll(_device(arguments), machine))
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    if (service := find_service()) is None:
        raise InputError("bundle watch: systemd does not run here, so there is no service to watch")
    return 0 if Watch(arguments.store, service, boot_id()).run() else WENT_BACK


def _rollback(arguments: argparse.Namespace) -> int:
    store = arguments.store
    with locked(store):
        try:
            state = load(store)
        except BundleError as error:
            print(f"{error.args[0].rpartition(';')[0]}; what came with the package is in use again")
            state = start_over(store)
        else:
            kind = _latest(state)
            state = back(store, state, kind, "by hand", now_text())
            print(f"{kind}: {state.shelf(kind).current or 'what came with the package'} is in use again")
        sweep(store, state)
    if service := find_service():
        service.restart()
    return 0


def _latest(state: State) -> Kind:
    """The kind that was changed last, or the other one when that is as it came with the package."""
    return max(KINDS, key=lambda kind: (bool(state.shelf(kind).current), kind == state.latest))


def _list(arguments: argparse.Namespace) -> int:
    state = load(arguments.store)
    came = {"models": packaged(), "settings": str(arguments.config or "the defaults")}
    for kind in KINDS:
        shelf, release = state.shelf(kind), current(arguments.store, kind)
        print(f"{kind:8}  {release.name if release else came[kind]:20}  in use{_trial(state, kind)}")
        if release:
            print(f"{'':8}  {shelf.previous or came[kind]:20}  before it")
    if gone := state.rollback:
        print(f"went back from {gone.release}, {gone.when}: {gone.reason}")
    return 0


def _trial(state: State, kind: Kind) -> str:
    if state.trial is None or state.trial.kind != kind:
        return ""
    return f", on trial until it has run well for another {state.trial.left:.0f} s"


def _device(arguments: argparse.Namespace) -> Device:
    settings = installed_settings(arguments.store, arguments.config)
    return Device(arguments.store, arguments.keys, settings, find_service(), _self_test)


def _self_test(bundle: Bundle) -> None:
    # the networks are not needed for most of the commands, and slow to import
    from edge.selftest import self_test

    self_test(bundle)


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "install": _install,
    "verify": _verify,
    "list": _list,
    "rollback": _rollback,
    "poll": _poll,
    "watch": _watch,
}
