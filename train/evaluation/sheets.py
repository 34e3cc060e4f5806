"""Contact sheets of what a bundle got wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.picture import read_picture
from edge.values import INCORRECT, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box
from train.evaluation.verdicts import Counted, known
from train.measure import Figure
from train.plots import GREEN, RED, Tile, contact_sheet, surroundings
from train.readers import COVERED

MOST = 36  # on a sheet
SHORT = {WITH_MASK: "with", WITHOUT_MASK: "without", INCORRECT: "incorrect", COVERED: "covered", UNKNOWN: "unknown"}

Wrong = tuple[Path, Box, float, Figure]
"""A picture, the place in it, how bad it is (the worst first), and what the report says of it."""


def write_sheets(folder: Path, looked: Sequence[tuple[Path, Counted]]) -> dict[str, list[Figure]]:
    """Write evaluation_NAME.png for the false accepts, false rejects, misses and false detections that there are.

    looked: each picture's file with what was counted in it. Gives the lists behind the sheets, as the page shows them.
    """
    kinds: dict[str, tuple[Callable[[Path, Counted], list[Wrong]], str]] = {
        "accepts": (_accepts, RED),
        "rejects": (_rejects, GREEN),
        "misses": (_misses, GREEN),
        "false": (_false, RED),
    }
    lists = {}
    for name, (wrong_in, colour) in kinds.items():
        wrong = [each for file, counted in looked for each in wrong_in(file, counted)]
        worst = sorted(wrong, key=lambda each: -each[2])[:MOST]
        tiles = [_tile(*each, colour, name == "accepts") for each in worst]
        if tiles:
            contact_sheet(folder / f"evaluation_{name}.png", tiles)
        lists[name] = [listed for _, _, _, listed in worst]
    return lists


def _accepts(file: Path, counted: Counted) -> list[Wrong]:
    return _mistakes(file, counted, lambda truth, said: truth != WITH_MASK and said == WITH_MASK)


def _rejects(file: Path, counted: Counted) -> list[Wrong]:
    return _mistakes(file, counted, lambda truth, said: truth == WITH_MASK and said != WITH_MASK)


def _mistakes(file: Path, counted: Counted, wrong: Callable[[str, str], bool]) -> list[Wrong]:
    found = [
        (each.truth, each.found.classification)
        for each in counted.verdicts
        if each.found and (label := known(each.truth.label)) and wrong(label, each.said)
    ]
    return [
        (
            file,
            truth.box,
            said.score,
            _named(counted, truth.box, said.score) | {"truth": truth.label, "verdict": said.label},
        )
        for truth, said in found
    ]


def _misses(file: Path, counted: Counted) -> list[Wrong]:
    missed = (each.truth.box for each in counted.verdicts if not each.found)
    return [(file, box, box.height / counted.picture.height, _named(counted, box, 0.0)) for box in missed]


def _false(file: Path, counted: Counted) -> list[Wrong]:
    return [
        (file, each.box, each.face_score, _named(counted, each.box, each.face_score) | {"verdict": said.label})
        for each in counted.false
        if (said := each.classification)
    ]


def _named(counted: Counted, box: Box, score: float) -> Figure:
    place = [round(side, 1) for side in box]
    return {"name": counted.picture.name, "source": counted.picture.source, "box": place, "score": score}


def _tile(file: Path, box: Box, worst: float, listed: Figure, colour: str, alarm: bool) -> Tile:
    said = [SHORT[listed[key]] for key in ("truth", "verdict") if key in listed]
    first = " → ".join(said) or f"{100 * worst:.0f} % of the height"
    second = f"{listed['score']:.2f}  {listed['source']}" if said else listed["source"]
    return Tile(surroundings(read_picture(file), box, colour), (first, second), alarm)
