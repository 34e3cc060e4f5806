"""The bundle: whole, signed, with the right answers on this processor, and quick enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.finding import Finding, Status, fail, ok, refused, warn
from edge.doctor.service import Service
from edge.errors import MaskgateError

if TYPE_CHECKING:
    from edge.accelerator import Stick
    from edge.contract import Bundle
    from edge.settings import Settings

VERDICTS = 20
LATE = 0.95
"""The part of the verdicts that must be within the budget."""
QUICKER = (
    "more cores (model.threads), a Coral stick, or fewer frames (camera.frames_per_second): "
    "`sudoedit /etc/maskgate/door.toml`"
)


def bundle(settings: Settings) -> list[Finding]:
    """Whether the bundle in use can be loaded, and its networks give on this processor what they gave at home."""
    from edge.contract import load_bundle
    from edge.selftest import self_test

    try:
        loaded = load_bundle(Path(settings.model.bundle) if settings.model.bundle else None)
        found = ok("bundle", f"{_name(loaded)}, {loaded.folder}")
    except MaskgateError as error:
        return [refused("bundle", str(error))]
    if loaded.contract.golden is None:
        old = "the bundle has no golden answers, so nothing tells whether this processor gives the right ones"
        return [found, warn("self-test", old, "convert it again: `make convert`")]
    try:
        self_test(loaded)
    except MaskgateError as error:
        return [found, refused("self-test", str(error))]
    return [found, ok("self-test", "the golden pictures get their golden answers")]


def _name(loaded: Bundle) -> str:
    return f"{loaded.contract.name}-{loaded.contract.version}"


def signatures(settings: Settings, store: Path | None, keys: Path) -> list[Finding]:
    """Who signed what is in use. keys: folder of the public keys to trust."""
    from edge.update.signature import trusted_keys
    from edge.update.store import current

    name = "signature"
    try:
        if settings.update.index:  # what it offers is refused without keys
            trusted_keys(keys)
        if store and (installed := current(store, "settings")):
            _prove(installed, keys)
        if not settings.model.bundle:
            return [ok(name, "the bundle is part of the package")]
        folder = Path(settings.model.bundle)
        if not (folder / "bundle.sig").exists() and not (store and folder.is_relative_to(store)):
            return [
                warn(name, f"{folder}: not signed", "`make sign` on the workstation, then `maskgate bundle install`")
            ]
        return [ok(name, f"{folder.name}: signed by {_prove(folder, keys)[:16]}..., a key in {keys}")]
    except MaskgateError as error:
        return [refused(name, str(error))]


def _prove(folder: Path, keys: Path) -> str:
    """The fingerprint of the key that signed a release. Raises MaskgateError."""
    from edge.update.signature import prove, read_folder, trusted_keys

    manifest = read_folder(folder)
    prove(manifest, trusted_keys(keys), folder)
    return manifest.key


def verdict(settings: Settings, service: Service) -> list[Finding]:
    """How long it takes from a frame to a face's verdict, and where; while the service runs, what that says of itself.

    A Coral stick is used if the settings want it, which takes it from everybody else for as long.
    """
    if service.pace is not None:
        return [budget(settings, service.pace.delay, "from frame to decision, says the service (median)")]
    from edge.accelerator import open_stick, runs_on
    from edge.contract import load_bundle

    try:
        loaded = load_bundle(Path(settings.model.bundle) if settings.model.bundle else None)
        # while the service runs, the stick is its own
        stick = None if service.active else open_stick(loaded, settings.model.accelerator)
        delay = late_of(_judging(loaded, settings, stick))
    except MaskgateError as error:
        return [refused("verdict", str(error))]
    finding = budget(
        settings, delay, f"from frame to one face's verdict ({LATE:.0%} of {VERDICTS}), on the {runs_on(stick)}"
    )
    if stick is not None and stick.fault and finding.status == Status.OK:
        return [warn("verdict", finding.found, 'mend the coral stick below, or set model.accelerator to "cpu"')]
    return [finding]


def budget(settings: Settings, delay: float, how: str) -> Finding:
    """delay: seconds from a frame to its verdict."""
    period = 1 / settings.camera.frames_per_second
    limit = settings.decision.frame_age_limit
    found = f"{delay * 1000:.0f} ms {how}"
    if delay >= limit:
        return fail("verdict", f"{found}: decision.frame_age_limit is {limit:g} s, older frames are a fault", QUICKER)
    if delay > period:
        return warn("verdict", f"{found}: a frame comes every {period * 1000:.0f} ms, so some are not judged", QUICKER)
    return ok("verdict", f"{found}; a frame comes every {period * 1000:.0f} ms")


def late_of(
    judge: Callable[[], object], count: int = VERDICTS, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds that all but the slowest of `count` calls take; the first, which warms up, does not count."""
    judge()
    times = []
    for _ in range(count):
        start = clock()
        judge()
        times.append(clock() - start)
    return sorted(times)[int(LATE * count) - 1]


def _judging(loaded: Bundle, settings: Settings, stick: Stick | None) -> Callable[[], object]:
    """One frame with one face: find, crop, tell. Frames are noise, so the face is put into their middle.

    Each frame differs from the one before: a network that answers twice the same is asked more, see `Network.invoke`.
    """
    import numpy as np

    from edge.accelerator import Assisted
    from edge.classify import MaskClassifier
    from edge.interpreter import networks
    from edge.locate import FaceLocator
    from edge.preprocess import face_input
    from edge.values import Box

    find, tell = networks(loaded, settings.model.threads)
    both = (find, tell) if stick is None else (Assisted(find, stick, 0), Assisted(tell, stick, 1))
    contract = loaded.contract.classifier
    locator, classifier = FaceLocator(both[0], loaded.contract.locator), MaskClassifier(both[1], contract)
    width, height = settings.camera.width, settings.camera.height
    noise = np.random.default_rng(0).integers(0, 256, (4, height, width, 3), np.uint8)
    frames = cycle(noise)
    face = Box(width * 0.4, height * 0.3, width * 0.6, height * 0.7)

    def judge() -> object:
        frame = next(frames)
        return locator.locate(frame), classifier.classify([face_input(frame, face, contract)])

    return judge
