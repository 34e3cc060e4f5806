"""The folder in which pulled faces lie: new/ until somebody says what they show, then the folder of that label.

with_mask/, without_mask/ and incorrect/ with boxes.csv and images.csv are a folder data set as `train/datasets.py`
reads it: boxes.csv says where in each picture the face is, so that training cuts it as the device did; images.csv which
door it comes from, and which faces belong together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge.errors import InputError
from edge.values import LABELS
from train.review.crops import Note, read_note

NEW, SKIPPED = "new", "skipped"
PLACES = (NEW, SKIPPED, *LABELS)
BOXES = ("image", "label", "x_min", "y_min", "x_max", "y_max")
IMAGES = ("image", "source", "group")


class Desk:
    """The faces of a folder, each in one of PLACES. Raises InputError when there is no such folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; `make pull HOST=pi@door1` brings faces there")
        self._folder = folder
        self._places: dict[str, str] = {}
        self._notes: dict[str, Note] = {}
        self._moves: list[str] = []
        for place in PLACES:
            (folder / place).mkdir(exist_ok=True, mode=0o700)
            for file in (folder / place).glob("*.png"):
                if note := read_note(file):
                    self._places[file.stem], self._notes[file.stem] = place, note
        self._write_tables()

    @property
    def waiting(self) -> list[str]:
        """The names of those that nobody has looked at, contested ones first, then by their time."""
        names = (name for name, place in self._places.items() if place == NEW)
        return sorted(names, key=lambda name: (not self._notes[name].contested, self._notes[name].at, name))

    @property
    def counts(self) -> dict[str, int]:
        """How many faces lie in each of PLACES."""
        return {place: sum(each == place for each in self._places.values()) for place in PLACES}

    def file(self, name: str) -> Path:
        """Where the picture lies. Raises KeyError for a name that is not here."""
        return self._folder / self._places[name] / f"{name}.png"

    def put(self, name: str, place: str) -> None:
        """Say what a waiting face shows: one of LABELS, or SKIPPED. Raises KeyError when it does not wait."""
        if place not in (SKIPPED, *LABELS) or self._places.get(name) != NEW:
            raise KeyError(name)
        self._move(name, place)
        self._moves.append(name)

    def undo(self) -> str | None:
        """Let the face that was put away last wait again; its name, or None when there is none."""
        if not self._moves:
            return None
        name = self._moves.pop()
        self._move(name, NEW)
        return name

    def _move(self, name: str, place: str) -> None:
        self.file(name).rename(self._folder / place / f"{name}.png")
        self._places[name] = place
        self._write_tables()

    def _write_tables(self) -> None:
        labelled = sorted((place, name) for name, place in self._places.items() if place in LABELS)
        notes = [(f"{place}/{name}.png", place, self._notes[name]) for place, name in labelled]
        self._write("boxes.csv", BOXES, ((file, place, *note.box) for file, place, note in notes))
        self._write("images.csv", IMAGES, ((file, note.source, note.group) for file, _, note in notes))

    def _write(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        part = self._folder / f".{name}.part"
        with part.open("w", newline="", encoding="utf-8") as table:
            writer = csv.writer(table, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        part.replace(self._folder / name)
