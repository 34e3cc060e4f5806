"""How the faces look that a bundle was chosen on, for the device to tell when its people look otherwise.

python -m convert.reference BUNDLE [--train build/train] [--data DIR] adds reference.json to a finished bundle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from convert.bundle import write
from convert.photos import frames_of
from edge.contract import Bundle, Contract, ModelFile, load_bundle, sha256
from edge.drift import LEAST_ACCEPTED, Reference
from edge.errors import InputError, MaskgateError
from edge.judge import Judge
from edge.people import People, Person
from edge.settings import DecisionSettings
from edge.stability import Counts, add
from edge.track import Tracker
from edge.values import Decision, Frame, Rgb, State
from train.datasets import Picture
from train.measure import NEAR
from train.noted import find_photos, read_split

REFERENCE_FILE = "reference.json"
SECONDS, RATE = 3.0, 10
"""Each photo stands at the door for so long, at so many frames a second."""


def add_reference(bundle: Bundle, pictures: Sequence[Picture]) -> Contract:
    """Write reference.json into the bundle's folder, counted on whole photos; the contract with it.

    With too few near faces in the photos the bundle gets none.
    """
    counts: Counts = {}
    judge, people = Judge.from_bundle(bundle), 0
    for _, rgb in frames_of(pictures):
        for person in people_in(rgb, judge):
            add(counts, person)
            people += 1
    if people < LEAST_ACCEPTED:
        print(
            f"reference: {people} near faces in the validation part, {LEAST_ACCEPTED} are needed; the bundle has none"
        )
        return msgspec.structs.replace(bundle.contract, reference=None)
    file = bundle.folder / REFERENCE_FILE
    contract = bundle.contract
    reference = Reference(people, counts, f"{contract.name}-{contract.version}")
    file.write_bytes(msgspec.json.encode(reference) + b"\n")
    return msgspec.structs.replace(contract, reference=ModelFile(file.name, sha256(file)))


def people_in(rgb: Rgb, judge: Judge) -> list[Person]:
    """What the device would keep of the people of a photo, uint8 (H, W, 3), had they stood at the door like that."""
    near = [face for face in judge.judge(rgb) if face.box.height >= NEAR * rgb.shape[0]]
    left: list[Person] = []
    people = People([lambda person, _: left.append(person)], keep_crops=False)
    tracker = Tracker(DecisionSettings())
    for time in (number / RATE for number in range(round(SECONDS * RATE))):
        people(Decision(time, State.CHECKING, "", tracker.update(near, time)), Frame(rgb, time))
    people(Decision(SECONDS, State.IDLE, ""), None)
    return left


def main(arguments: Sequence[str] | None = None) -> int:
    """Add reference.json to a finished bundle; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m convert.reference", description="Add reference.json to a bundle.")
    parser.add_argument("bundle", type=Path, help="its folder")
    parser.add_argument("--train", type=Path, default=Path("build/train"), help="where training left its split")
    parser.add_argument("--data", type=Path, help="the photos, if they are not where training had them")
    options = parser.parse_args(arguments)
    try:
        bundle = load_bundle(options.bundle)
        split = read_split(find_photos(options.train, options.data), options.train)
        if split.fingerprint != bundle.contract.training.get("fingerprint"):
            raise InputError(f"{options.train}: not the photos that {options.bundle} was trained on; give its --train")
        write(bundle.folder, add_reference(bundle, split.validation), {})
    except MaskgateError as error:
        print(f"convert.reference: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
