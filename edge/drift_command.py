"""The command `maskgate drift`: how unlike the normal ones the people at the door are, and what is normal."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edge.contract import load_bundle
from edge.drift import DriftWatch, Reference, accept, accepted_file, read_accepted, read_kept, read_reference
from edge.errors import SettingsError
from edge.settings import Settings
from edge.update import CONFIG, STORE
from edge.update.store import installed_settings

NOT_WELL = 1


def drift(arguments: argparse.Namespace) -> int:
    """Do `arguments.action`, "show" or "accept"; 1 when it shows an alarm, else 0. Raises MaskgateError.

    arguments: days (accept: how many of the last ones), store, config. Without `store` and `config` it is about those
    of the service.
    """
    if arguments.store is None:
        arguments.store = STORE
        arguments.config = arguments.config or (CONFIG if CONFIG.is_file() else None)
    settings = installed_settings(arguments.store, arguments.config)
    if not settings.drift.file:
        raise SettingsError("drift.file is not set, so nobody counts; name a file there")
    file = Path(settings.drift.file)
    return _accept(file, arguments.days) if arguments.action == "accept" else _show(file, settings)


def _show(file: Path, settings: Settings) -> int:
    read_kept(file)
    bundle = load_bundle(Path(settings.model.bundle) if settings.model.bundle else None)
    name = f"{bundle.contract.name}-{bundle.contract.version}"
    watch = DriftWatch(file, name, read_reference(bundle), settings.drift.alarm_above)
    report = watch.report()
    print(f"{report.people} people of whole days, beside {_described(read_accepted(file), name)}")
    for quantity, shift in watch.shifts().items():
        print(f"{quantity:<12}{shift.index:6.2f}  {shift.said}".rstrip())
    if report.alarm:
        print(f"alarm: {report.alarm}")
    return NOT_WELL if report.alarm else 0


def _described(accepted: Reference | None, bundle: str) -> str:
    if accepted is None:
        return f"the photos that {bundle} was tested on"
    return f"{accepted.people} of {accepted.since} and after, accepted as normal"


def _accept(file: Path, days: int) -> int:
    # the daemon, another user, reads what was accepted
    os.umask(0o022)
    normal = accept(file, days)
    print(
        f"normal from now on: the {normal.people} people since {normal.since}; delete {accepted_file(file)} to undo it"
    )
    return 0
