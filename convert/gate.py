"""The accuracy gate: what quantisation may cost, measured on the test part through the device's own interpreter.

Every figure is compared before (float, Keras) and after (INT8) and may drop by so many percentage points. No limit is
finer than one sample: of a class with 40 test faces one face is 2.5 points, so that with fewer than 100 of them
"1 point" means "one face". A table that shows the number of samples says how much such a figure is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from convert.photos import faces_of, frames_of, located
from edge.classify import MaskClassifier
from edge.judge import Judge
from edge.preprocess import Framing
from edge.values import LABELS, WITH_MASK, Classification, Face, Rgb
from train.datasets import Picture
from train.measure import NEAR, LocatedPicture, best_overlap, match_near_faces

ACCURACY_DROP = 0.3
VERDICT_DROP = 0.5  # agreement of at least 99.5 %
RECALL_DROP = 1.0
UNKNOWN_DROP = 2.0  # agreement of at least 98 %
REFUSED_DROP = 1.0
PRECISION_DROP = 1.0
BOX_DROP = 2.0  # agreement of at least 98 %
SAME_BOX = 0.5  # IoU

Labels = NDArray[np.str_]


class Finder(Protocol):
    """What finds faces: `edge.locate.FaceLocator`, `Verified`, or a stand-in."""

    def locate(self, rgb: Rgb) -> list[Face]: ...


class Verified:
    """Finds as the device does: of the locator's proposals those that the classifier takes for faces."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def locate(self, rgb: Rgb) -> list[Face]:
        return [Face(each.box, each.face_score) for each in self._judge.judge(rgb)]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    before, after: 0 to 1, float and INT8; of an agreement `before` is 1. samples: how many faces it rests on.
    limit: percentage points by which it may drop.
    """

    name: str
    before: float
    after: float
    samples: int
    limit: float

    @property
    def drop(self) -> float:
        """Percentage points lost; negative where INT8 is better."""
        return 100 * (self.before - self.after)

    @property
    def allowed(self) -> float:
        """The limit, or one sample where that is more."""
        return max(self.limit, 100 / self.samples) if self.samples else 0.0

    @property
    def passed(self) -> bool:
        """Within the limit; nothing measured is not passed."""
        return self.samples > 0 and self.drop <= self.allowed + 1e-9


@dataclass(slots=True)
class Verdicts:
    """Of each test face: its true label, and what the float and the INT8 classifier say."""

    truth: list[str] = field(default_factory=list)
    before: list[Classification] = field(default_factory=list)
    after: list[Classification] = field(default_factory=list)


@dataclass(slots=True)
class Finds:
    """What a locator found: near faces, those found, false detections; and pictures."""

    faces: int = 0
    found: int = 0
    false: int = 0

    @property
    def recall(self) -> float:
        return self.found / max(1, self.faces)

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.false)


@dataclass(slots=True)
class Located:
    """Both locators on the same pictures, and how many of the float one's near boxes the INT8 one has too."""

    before: Finds = field(default_factory=Finds)
    after: Finds = field(default_factory=Finds)
    boxes: int = 0
    same: int = 0


def classifier_figures(verdicts: Verdicts) -> list[Figure]:
    """Accuracy, agreement and recalls of the likeliest label, as in the training report; then what the device says.

    The device calls a face unknown whose likeliest label is not sure enough. That is one more border to cross, so that
    its agreement has a wider limit; what matters of it is that as many improper faces are refused as before.
    A label without test faces has no figure.
    """
    truth = np.array(verdicts.truth, dtype=str)
    before, after = _likeliest(verdicts.before), _likeliest(verdicts.after)
    said, says = _said(verdicts.before), _said(verdicts.after)
    improper, all_same = truth != WITH_MASK, np.ones(len(truth), bool)
    figures = [
        _figure("accuracy", before == truth, after == truth, ACCURACY_DROP),
        _figure("verdict agreement", all_same, before == after, VERDICT_DROP),
    ]
    for label in LABELS:
        mine = truth == label
        figures.append(_figure(f"recall of {label}", before[mine] == label, after[mine] == label, RECALL_DROP))
    figures += [
        _figure("agreement with unknown", all_same, said == says, UNKNOWN_DROP),
        _figure("improper faces refused", said[improper] != WITH_MASK, says[improper] != WITH_MASK, REFUSED_DROP),
    ]
    return [each for each in figures if each.samples] or figures[:2]


def _likeliest(said: Sequence[Classification]) -> Labels:
    return np.array([LABELS[int(np.argmax(each.probabilities))] for each in said], dtype=str)


def _said(said: Sequence[Classification]) -> Labels:
    return np.array([each.label for each in said], dtype=str)


def _figure(name: str, before: NDArray[np.bool_], after: NDArray[np.bool_], limit: float) -> Figure:
    """The share of hits before and after."""
    first, then = (float(hits.mean()) if hits.size else 0.0 for hits in (before, after))
    return Figure(f"classifier {name}", first, then, before.size, limit)


def locator_figures(found: Located, whose: str = "locator") -> list[Figure]:
    """Recall and precision on near faces, and agreement of the boxes; `whose` finds they are."""
    before, after = found.before, found.after
    detections = after.found + after.false
    return [
        Figure(f"{whose} recall of near faces", before.recall, after.recall, before.faces, RECALL_DROP),
        Figure(f"{whose} precision of near faces", before.precision, after.precision, detections, PRECISION_DROP),
        Figure(f"{whose} box agreement", 1.0, found.same / max(1, found.boxes), found.boxes, BOX_DROP),
    ]


def verified_figures(found: Located) -> list[Figure]:
    """Recall and precision of what the classifier leaves of the locator's proposals, where there is any to measure."""
    recall, precision, _ = locator_figures(found, "verified")
    return [figure for figure in (recall, precision) if figure.samples]


def measure_classifier(
    pictures: Sequence[Picture], framing: Framing, before: MaskClassifier, after: MaskClassifier
) -> Verdicts:
    """What both say of every labelled face of the pictures, each crop cut as the device cuts it."""
    verdicts = Verdicts()
    for face, crop in faces_of(pictures, framing):
        verdicts.truth.append(LABELS[face.label])
        verdicts.before += before.classify([crop])
        verdicts.after += after.classify([crop])
    return verdicts


def measure_locator(pictures: Sequence[Picture], before: Finder, after: Finder) -> Located:
    """What both find in every scene and every face-free picture."""
    both = Located()
    for picture, rgb in frames_of(pictures):
        found = before.locate(rgb), after.locate(rgb)
        for finds, some in zip((both.before, both.after), found, strict=True):
            _count(finds, located(picture, rgb, some))
        boxes, same = shared(*found, NEAR * rgb.shape[0])
        both.boxes, both.same = both.boxes + boxes, both.same + same
    return both


def _count(finds: Finds, picture: LocatedPicture) -> None:
    matched = match_near_faces(picture)
    finds.faces += len(matched.faces)
    finds.found += int((matched.found_from > 0).sum())
    finds.false += len(matched.false)


def shared(before: Sequence[Face], after: Sequence[Face], least: float) -> tuple[int, int]:
    """How many faces of `before` are at least so many pixels high, and how many of these `after` has too."""
    near = [face.box for face in before if face.box.height >= least]
    overlap = best_overlap(near, [face.box for face in after])
    return len(near), int((overlap >= SAME_BOX).sum())


def accuracy(figures: Sequence[Figure]) -> dict[str, dict[str, float]]:
    """Figures by name as bundle.json has them: float and INT8 as shares, 0 to 1; drop and limit in points."""
    return {
        figure.name: {
            "float": round(figure.before, 5),
            "int8": round(figure.after, 5),
            "drop": round(figure.drop, 3),
            "limit": round(figure.allowed, 3),
            "samples": figure.samples,
        }
        for figure in figures
    }


def figures_of(accuracy: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    """The figures that a bundle.json has."""
    return [
        Figure(name, each["float"], each["int8"], int(each["samples"]), each["limit"])
        for name, each in accuracy.items()
    ]


def table(figures: Sequence[Figure]) -> str:
    """All figures as a Markdown table that is as readable on a terminal."""
    head = ("figure", "float", "INT8", "drop, points", "at most", "samples", "verdict")
    rows = [head, *map(_row, figures)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def _row(figure: Figure) -> tuple[str, ...]:
    numbers = [f"{100 * figure.before:.2f} %", f"{100 * figure.after:.2f} %", f"{figure.drop:.2f}"]
    limit = f"{figure.allowed:.2f}" + (" (one sample)" if figure.allowed > figure.limit else "")
    return figure.name, *numbers, limit, str(figure.samples), "pass" if figure.passed else "FAIL"
