"""Verdicts on whole pictures, counted face by face and picture by picture as the public benchmark counts them.

A face counts from a least height on, a share of its picture's; what is found on a smaller one, or on an `ignore` box,
is neither right nor wrong. A verdict counts whose score is at least 0.5. In turn each face takes the verdict whose box
overlaps its own most, if by an IoU of 0.4. A false detection overlaps no face by 0.3 and is high enough to count. A
picture is granted if every face found in it, from three quarters of the least height on, is called with_mask.

`covered` faces count as bare ones, and apart as well. Faces labelled `face` count for the locator alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged
from train.measure import MATCH, NEAR, NOTHING, TOUCH, Figure, Floats, best_overlap, overlaps, per_100, share
from train.readers import COVERED, FACE, LabelledBox

LEAST_SCORE = 0.5
SAME = 0.5  # overlap (IoU) from which a detection counts for the average precision
DECIDING = 0.75  # of the least height: so high is a found face that decides over its picture
MISSED = "missed"
DRAWS = 500  # of the pictures with replacement, for the interval of the average precision

Ranked = list[tuple[float, bool]]


@dataclass(frozen=True)
class JudgedPicture:
    """A picture with what is known of it and what a judge said.

    height: pixels. truth: its faces with their labels, `ignore` boxes apart. found: every judged face.
    """

    name: str
    source: str
    height: int
    truth: tuple[LabelledBox, ...]
    ignore: tuple[Box, ...]
    found: tuple[Judged, ...]


@dataclass(frozen=True)
class Verdict:
    """A face that counts, and what was found on it; None where it was missed."""

    truth: LabelledBox
    found: Judged | None

    @property
    def said(self) -> str:
        """A label, UNKNOWN or MISSED."""
        return self.found.classification.label if self.found else MISSED


@dataclass(frozen=True)
class Counted:
    """One picture, counted.

    wanted: whether every face that counts is properly masked; None without faces, or if that cannot be told.
    ranked: of each label, score of its detections and whether they are right.
    """

    picture: JudgedPicture
    verdicts: tuple[Verdict, ...]
    false: tuple[Judged, ...]
    wanted: bool | None
    granted: bool
    ranked: dict[str, Ranked]


def count(picture: JudgedPicture, least_height: float = NEAR, least_score: float = LEAST_SCORE) -> Counted:
    """Hold what was found against what is there; `least_height` is a share of the picture's height."""
    least = least_height * picture.height
    found = _counting(picture)
    sure = [each for each in found if each.classification.score >= least_score]
    faces = [each for each in picture.truth if each.box.height >= least]
    touching = best_overlap(_boxes(sure), [each.box for each in picture.truth]) >= TOUCH
    false = (each for each, touches in zip(sure, touching, strict=True) if not touches and each.box.height >= least)
    deciding = [each for each in sure if each.box.height >= DECIDING * least]
    granted = bool(deciding) and all(each.classification.label == WITH_MASK for each in deciding)
    ranked = {label: _ranked(picture, found, label, least) for label in LABELS}
    return Counted(picture, _matched(faces, sure), tuple(false), _wanted(faces), granted, ranked)


def known(label: str) -> str | None:
    """The label that a verdict should give of a face; None where nobody told."""
    return WITHOUT_MASK if label == COVERED else label if label in LABELS else None


def likeliest(said: Classification) -> str:
    """The label with the highest probability, sure enough or not."""
    return LABELS[int(np.argmax(said.probabilities))]


def _boxes(found: Sequence[Judged]) -> list[Box]:
    return [each.box for each in found]


def _counting(picture: JudgedPicture) -> list[Judged]:
    """What was found, the surest first; on an `ignore` box it counts only if a face is closer."""
    found = sorted(picture.found, key=lambda each: -each.classification.score)
    ignored = best_overlap(_boxes(found), picture.ignore)
    true = best_overlap(_boxes(found), [each.box for each in picture.truth])
    keep = (ignored < TOUCH) | (true > ignored)
    return [each for each, kept in zip(found, keep, strict=True) if kept]


def _matched(faces: Sequence[LabelledBox], found: Sequence[Judged]) -> tuple[Verdict, ...]:
    free = overlaps([face.box for face in faces], _boxes(found))
    verdicts = []
    for face, overlap in zip(faces, free, strict=True):
        best = int(overlap.argmax()) if overlap.size else 0
        taken = bool(overlap.size) and overlap[best] >= MATCH
        verdicts.append(Verdict(face, found[best] if taken else None))
        if taken:
            free[:, best] = 0.0
    return tuple(verdicts)


def _wanted(faces: Sequence[LabelledBox]) -> bool | None:
    labels = {known(face.label) for face in faces}
    if labels - {WITH_MASK, None}:
        return False
    return True if labels == {WITH_MASK} else None


def _ranked(picture: JudgedPicture, found: Sequence[Judged], label: str, least: float) -> Ranked:
    """Score and rightness of the detections of a label; each face has one right detection, small ones none."""
    mine = [each.box for each in picture.truth if known(each.label) == label]
    called = [each for each in found if each.classification.label == label]
    untold = best_overlap(_boxes(called), [each.box for each in picture.truth if each.label == FACE])
    overlap, taken, ranked = overlaps(_boxes(called), mine), set[int](), Ranked()
    for each, row, aside in zip(called, overlap, untold, strict=True):
        best = int(row.argmax()) if row.size else -1
        closest = row[best] if row.size else 0.0
        if closest >= SAME and best not in taken:
            taken.add(best)
            if mine[best].height >= least:
                ranked.append((each.classification.score, True))
        elif each.box.height >= least and aside < max(SAME, closest):
            ranked.append((each.classification.score, False))
    return ranked


def figures(counted: Sequence[Counted]) -> Figure:
    """All figures of some pictures: Counts of `train.evaluation.evaluate`."""
    with_faces = [each for each in counted if each.picture.truth]
    empty = [each for each in counted if not each.picture.truth and not each.picture.ignore]
    verdicts = [verdict for each in with_faces for verdict in each.verdicts]
    return {
        "pictures": len(with_faces),
        "faces": len(verdicts),
        "recall": share(sum(each.found is not None for each in verdicts), len(verdicts)),
        "false_per_100": per_100(sum(len(each.false) for each in with_faces), len(with_faces)),
        "face_free_found": share(sum(bool(each.false) for each in empty), len(empty)),
        **verdict_figures([(each.truth.label, each.said) for each in verdicts]),
        **_grants(with_faces),
        "ap50": {label: _average_precision(with_faces, label) for label in LABELS},
    }


def verdict_figures(pairs: Sequence[tuple[str, str]]) -> Figure:
    """What the verdicts on faces are worth, from pairs of true label and verdict; missed ones are not judged."""
    told = Counter(pairs)
    labels = sorted({truth for truth, _ in told}, key=(*LABELS, COVERED, FACE).index)
    confusion = {label: {said: n for (truth, said), n in sorted(told.items()) if truth == label} for label in labels}
    judged = Counter({pair: n for pair, n in told.items() if pair[1] != MISSED and pair[0] != FACE})
    right = sum(n for (truth, said), n in judged.items() if known(truth) == said)
    accepted = {
        "all": _called_masked(judged, WITHOUT_MASK, COVERED, INCORRECT),
        WITHOUT_MASK: _called_masked(judged, WITHOUT_MASK, COVERED),
        COVERED: _called_masked(judged, COVERED),
        INCORRECT: _called_masked(judged, INCORRECT),
    }
    masked = _called_masked(judged, WITH_MASK)
    return {
        "class_accuracy": share(right, judged.total()),
        "false_accepts": accepted,
        "false_rejects": share(masked["n"] - masked["count"], masked["n"]),
        "unknown": share(sum(n for (_, said), n in judged.items() if said == UNKNOWN), judged.total()),
        "confusion": confusion,
    }


def _called_masked(judged: Counter[tuple[str, str]], *labels: str) -> Figure:
    faces = sum(n for (truth, _), n in judged.items() if truth in labels)
    return share(sum(judged[label, WITH_MASK] for label in labels), faces)


def _grants(counted: Sequence[Counted]) -> dict[str, Figure]:
    """Of the pictures that should not be granted, and of those that should: how many are."""
    refused = [each for each in counted if each.wanted is False]
    wanted = [each for each in counted if each.wanted]
    return {
        "granted_wrongly": share(sum(each.granted for each in refused), len(refused)),
        "granted_rightly": share(sum(each.granted for each in wanted), len(wanted)),
    }


def _average_precision(counted: Sequence[Counted], label: str) -> Figure:
    """AP50 over all points; its interval is that of DRAWS of the pictures with replacement (bootstrap)."""
    faces = np.array([sum(known(v.truth.label) == label for v in each.verdicts) for each in counted])
    if not faces.sum():
        return dict(NOTHING)
    picture = np.repeat(np.arange(len(counted)), [len(each.ranked[label]) for each in counted])
    ranked = np.array([pair for each in counted for pair in each.ranked[label]], float).reshape(-1, 2)
    order = np.lexsort((-ranked[:, 1], -ranked[:, 0]))
    hits, picture = ranked[order, 1], picture[order]
    value = area_under(hits, np.ones(len(hits)), int(faces.sum()))
    chance = np.random.default_rng(0)
    drawn = chance.multinomial(len(counted), np.full(len(counted), 1 / len(counted)), DRAWS)
    areas = [area_under(hits, weights[picture], int(weights @ faces)) for weights in drawn]
    low, high = np.percentile(areas, (2.5, 97.5))
    return {"value": value, "low": float(low), "high": float(high), "n": int(faces.sum())}


def area_under(hits: Floats, weights: Floats, faces: int) -> float:
    """The area under precision over recall, precision made to fall; hits 0 or 1, the surest first; weights of each."""
    if not faces or not weights.sum():
        return 0.0
    hits, weights = hits[weights > 0], weights[weights > 0]
    right = np.cumsum(hits * weights)
    recall = np.r_[0, right / faces, 1]
    precision = np.r_[1, right / np.cumsum(weights), 0]
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * falling[1:]))
