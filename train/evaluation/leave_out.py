"""The next door is another source: python -m train evaluate --leave-out [SOURCE ...] [--epochs 4 --steps 150].

For each source of the data, all of them or those named, trains a small classifier and a small locator on the others and
tests them on that source. Needs the split of a training before. A source takes about ten minutes on two cores; each is
noted in build/train/leave_one_out.json as soon as it is done, and not run again with the same settings and data. The
figures are lower than those of a full training: what counts is how far the sources lie apart.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.errors import InputError
from edge.quiet import quiet
from edge.values import LABELS
from train.datasets import NEGATIVES, SCENES, Picture
from train.evaluation.tables import CLASSIFIER, LOCATOR, left_out_rows, markdown
from train.measure import Figure
from train.noted import find_photos, read_split
from train.readers import COVERED
from train.split import Split

FILE = "leave_one_out.json"
LEAST = 30  # labelled faces, or whole pictures, of a source that is worth leaving out


def leave_out(arguments: argparse.Namespace) -> None:
    """The command. Raises InputError for a source that the data lacks, or without a training's split."""
    data = find_photos(arguments.float, arguments.data and Path(arguments.data))
    split = read_split(data, arguments.float)
    chosen = choose(split, arguments.leave_out)
    with quiet():
        from train.evaluation.small_models import SmallModels
    models = SmallModels(arguments, split, data)
    book = Book(arguments.float / FILE, models.settings)
    for part, sources in chosen.items():
        for source in sources:
            if book.lacks(part, source):
                rest, left_out = without(split, source)
                print(f"{part} without {source}: to be tested on {len(left_out)} pictures", flush=True)
                book.note(part, source, models.measure(part, source, rest, left_out))
    print(table(book.content))


def choose(split: Split, named: Sequence[str]) -> dict[str, list[str]]:
    """Of each part the sources to leave out: those named, or all with enough to test on."""
    pictures = [*split.train, *split.validation, *split.test]
    faces = Counter(each.source for each in pictures for _ in range(_labelled(each)))
    whole = Counter(each.source for each in pictures if each.kind in (SCENES, NEGATIVES))
    counts = {CLASSIFIER: faces, LOCATOR: whole}
    enough = {part: sorted(source for source, n in each.items() if n >= LEAST) for part, each in counts.items()}
    if unknown := [source for source in named if not any(source in sources for sources in enough.values())]:
        there = ", ".join(sorted({*enough[CLASSIFIER], *enough[LOCATOR]}))
        raise InputError(f"--leave-out {unknown[0]}: no such source with {LEAST} faces or pictures; there are {there}")
    return {part: [source for source in sources if source in named or not named] for part, sources in enough.items()}


def _labelled(picture: Picture) -> int:
    known = (*LABELS, COVERED)
    return sum(each.label in known for each in picture.boxes) if picture.boxes else int(picture.label in known)


def without(split: Split, source: str) -> tuple[Split, list[Picture]]:
    """The split without a source and without what is nearly the same as a picture of it; all pictures of the source."""
    parts = split.train, split.validation, split.test
    left_out = [picture for part in parts for picture in part if picture.source == source]
    groups = {picture.group for picture in left_out}
    train, validation, test = ([picture for picture in part if picture.group not in groups] for part in parts)
    return Split(train, validation, test, split.fingerprint), left_out


class Book:
    """Results on disk: {part: {"settings": ..., "sources": {source: figures}}}; other settings begin a part anew."""

    def __init__(self, file: Path, settings: dict[str, Any]) -> None:
        self._file = file
        old = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        same = {part: each for part, each in old.items() if each["settings"] == settings.get(part)}
        self.content: Figure = {
            part: same.get(part, {"settings": each, "sources": {}}) for part, each in settings.items()
        }

    def lacks(self, part: str, source: str) -> bool:
        return part in self.content and source not in self.content[part]["sources"]

    def note(self, part: str, source: str, figures: Figure) -> None:
        """Add a source's figures; the file is whole at every moment."""
        self.content[part]["sources"][source] = figures
        arriving = self._file.with_suffix(".part")
        arriving.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")
        arriving.replace(self._file)


def table(content: Figure) -> str:
    """What leaving each source out gave, as Markdown."""
    return "\n\n".join(markdown(left_out_rows(part, found)) for part, found in content.items())
