"""What a trained network is worth on pictures it never saw: counting alone, no drawing and no files.

A figure is a dict: value, low and high (its 95 % interval), n, and count where value is count / n; value is None where
there was nothing to count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, chi2
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_fscore_support

from edge.values import INCORRECT, LABELS, WITH_MASK, WITHOUT_MASK, Box, Face, Rgb

Figure = dict[str, Any]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

NEAR = 0.12  # a near face is at least this high, as a share of the picture's height
MATCH, TOUCH = 0.4, 0.3  # overlap (IoU) from which a detection finds a face, or at least is no false one
THRESHOLDS = np.arange(50, 1001) / 1000
HEIGHTS = (0.04, 0.08, NEAR, 0.2, 0.35, 0.6)
BINS = 15  # of the scores, for the calibration
MASKED = LABELS.index(WITH_MASK)
NOTHING: Figure = {"value": None, "low": None, "high": None, "count": 0, "n": 0}


@dataclass(frozen=True)
class Sample:
    """One test face of the classifier as it was fed.

    name: the picture's path, relative to the data. truth: index in `edge.values.LABELS`. crop: uint8 (S, S, 3).
    """

    name: str
    source: str
    truth: int
    crop: Rgb


@dataclass(frozen=True)
class LocatedPicture:
    """One test picture of the locator; boxes in pixels of the picture.

    truth: every face. ignore: neither face nor background. found: all detections from score 0.05 up.
    """

    name: str
    source: str
    rgb: Rgb
    truth: tuple[Box, ...]
    ignore: tuple[Box, ...]
    found: tuple[Face, ...]


@dataclass(frozen=True)
class Matched:
    """The faces of a picture against what was found.

    faces: those that count. found_from: float64 (faces,), the highest threshold at which each is found, 0 = never.
    false: detections that are no face, whatever the threshold, the surest first.
    """

    faces: tuple[Box, ...]
    found_from: Floats
    false: tuple[Face, ...]


def share(count: int | np.integer, n: int | np.integer) -> Figure:
    """A proportion with its 95 % interval after Wilson, which holds for few and for extreme counts too."""
    if n == 0:
        return dict(NOTHING)
    low, high = binomtest(int(count), int(n)).proportion_ci(method="wilson")
    return {"value": int(count) / int(n), "low": float(low), "high": float(high), "count": int(count), "n": int(n)}


def per_100(count: int, n: int) -> Figure:
    """A rate per 100 pictures with its exact 95 % Poisson interval; it may exceed 100, so it is no proportion."""
    if n == 0:
        return dict(NOTHING)
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    value, low, high = (float(100 * each / n) for each in (count, low, high))
    return {"value": value, "low": low, "high": high, "count": count, "n": n}


def match_near_faces(picture: LocatedPicture, least_height: float = NEAR) -> Matched:
    """Which faces of at least `least_height` (share of the picture's height) are found, and which detections are false.

    A detection on an `ignore` box is neither. At any threshold the faces choose in turn, each the free detection that
    overlaps it most, if by MATCH. False is what is high enough itself and overlaps no face, near or far, by TOUCH.
    """
    least = least_height * picture.rgb.shape[0]
    faces = tuple(box for box in picture.truth if box.height >= least)
    found = _judged(picture)
    boxes = [face.box for face in found]
    touching = best_overlap(boxes, picture.truth) >= TOUCH
    false = (face for face, touches in zip(found, touching, strict=True) if not touches and face.box.height >= least)
    scores = np.array([face.score for face in found])
    return Matched(faces, _found_from(overlaps(boxes, faces), scores), tuple(false))


def overlaps(a: Sequence[Box], b: Sequence[Box]) -> Floats:
    """IoU of every box of `a` with every box of `b`: float64 (len(a), len(b))."""
    first, second = np.reshape(a, (-1, 1, 4)).astype(float), np.reshape(b, (1, -1, 4)).astype(float)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = sides.clip(0).prod(axis=-1)
    areas = ((each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (first, second))
    return np.asarray(shared / np.maximum(sum(areas) - shared, 1e-9))


def best_overlap(a: Sequence[Box], b: Sequence[Box]) -> Floats:
    """The largest IoU of each box of `a` with any of `b`, 0 without any: float64 (len(a),)."""
    return np.asarray(overlaps(a, b).max(axis=1, initial=0.0))


def _judged(picture: LocatedPicture) -> list[Face]:
    """The detections that count, the surest first: those on an `ignore` box fall out unless a face is closer."""
    found = sorted(picture.found, key=lambda face: -face.score)
    boxes = [face.box for face in found]
    ignored, true = best_overlap(boxes, picture.ignore), best_overlap(boxes, picture.truth)
    keep = (ignored < TOUCH) | (true > ignored)
    return [face for face, kept in zip(found, keep, strict=True) if kept]


def _found_from(overlap: Floats, scores: Floats) -> Floats:
    """The highest threshold that finds each face; a face once found stays found as the threshold falls."""
    able = overlap.max(axis=1, initial=0.0) >= MATCH
    overlap, scores = overlap[able], scores[able]
    found_from = np.zeros(overlap.shape[1])
    for count, score in enumerate(scores, 1):
        new = _chosen(overlap[:count]) & (found_from == 0)
        found_from[new] = score
    return found_from


def _chosen(overlap: Floats) -> NDArray[np.bool_]:
    free, found = overlap.copy(), np.zeros(overlap.shape[1], bool)
    for face in range(overlap.shape[1]):
        best = free[:, face].argmax()
        if free[best, face] >= MATCH:
            found[face], free[best] = True, 0.0
    return found


def recall_at(matches: Sequence[Matched], threshold: float) -> Figure:
    """The share of the faces that is found at a threshold."""
    found = _at_or_over((match.found_from for match in matches), np.array([threshold]))
    return share(int(found[0]), sum(len(match.faces) for match in matches))


def false_at(matches: Sequence[Matched], threshold: float) -> Figure:
    """False detections per 100 pictures at a threshold."""
    return per_100(int(_at_or_over(map(_false_scores, matches), np.array([threshold]))[0]), len(matches))


def curve(matches: Sequence[Matched]) -> tuple[Floats, Floats]:
    """Recall (nan without faces) and false detections per 100 pictures at each of THRESHOLDS: float64 (T,) both."""
    faces = sum(len(match.faces) for match in matches)
    recall = _at_or_over((match.found_from for match in matches), THRESHOLDS) / (faces or np.nan)
    return recall, _at_or_over(map(_false_scores, matches), THRESHOLDS) * 100 / max(1, len(matches))


def choose_threshold(pictures: Sequence[LocatedPicture], most_false_per_100: float) -> float:
    """The lowest of THRESHOLDS with at most so many false detections per 100 pictures; 1.0 where none keeps to it."""
    _, false = curve([match_near_faces(picture) for picture in pictures])
    kept = THRESHOLDS[false <= most_false_per_100 + 1e-9]
    return float(kept[0]) if len(kept) else 1.0


def _false_scores(match: Matched) -> Floats:
    return np.array([face.score for face in match.false])


def _at_or_over(scores: Iterable[Floats], thresholds: Floats) -> Numbers:
    """How many scores reach each threshold."""
    ordered = np.sort(np.concatenate([np.zeros(0), *scores]))
    return np.asarray(len(ordered) - np.searchsorted(ordered, thresholds, side="left"))


def locator_figures(pictures: Sequence[LocatedPicture], matches: Sequence[Matched], threshold: float) -> Figure:
    """All that is counted of the locator at its threshold; `matches` are the near faces of `pictures`."""
    empty = [match for picture, match in zip(pictures, matches, strict=True) if not picture.truth]
    hit = sum(any(face.score >= threshold for face in match.false) for match in empty)
    return {
        "pictures": len(pictures),
        "threshold": threshold,
        "recall": recall_at(matches, threshold),
        "false_per_100": false_at(matches, threshold),
        "face_free_with_false": share(hit, len(empty)),
        "sources": _by_source(pictures, matches, threshold),
        "heights": _by_height(pictures, threshold),
    }


def _by_source(
    pictures: Sequence[LocatedPicture], matches: Sequence[Matched], threshold: float
) -> dict[str, dict[str, Figure]]:
    gathered: dict[str, list[Matched]] = {source: [] for source in sorted({picture.source for picture in pictures})}
    for picture, match in zip(pictures, matches, strict=True):
        gathered[picture.source].append(match)
    return {
        source: {"recall": recall_at(each, threshold), "false_per_100": false_at(each, threshold)}
        for source, each in gathered.items()
    }


def _by_height(pictures: Sequence[LocatedPicture], threshold: float) -> list[Figure]:
    """Recall of the faces between two heights (shares of the picture's), far ones too; `least`, `below`, `recall`."""
    heights, found = [], []
    for picture in pictures:
        match = match_near_faces(picture, 0.0)
        heights += [box.height / picture.rgb.shape[0] for box in match.faces]
        found += list(match.found_from >= threshold)
    edges = (*HEIGHTS, np.inf)
    bins = np.digitize(heights, edges)
    counted = [share(int(np.sum(found, where=bins == k)), int((bins == k).sum())) for k in range(1, len(edges))]
    ends = (*HEIGHTS[1:], None)
    return [
        {"least": low, "below": high, "recall": each} for low, high, each in zip(HEIGHTS, ends, counted, strict=True)
    ]


def classifier_figures(samples: Sequence[Sample], probabilities: NDArray[np.float32]) -> Figure:
    """All that is counted of the classifier; the verdict is the likeliest label.

    False accept: a bare or incorrectly worn face called with_mask. False reject: a proper mask called otherwise.
    """
    truth, verdict = np.array([sample.truth for sample in samples]), probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, verdict, labels=range(len(LABELS)))
    accepted, faces = confusion[:, MASKED], confusion.sum(axis=1)
    classes = _classes(probabilities, truth, confusion)
    macro, f1 = _means(truth, verdict, confusion)
    bare, wrong = LABELS.index(WITHOUT_MASK), LABELS.index(INCORRECT)
    return {
        "faces": len(samples),
        "false_accepts": {
            "all": share(accepted[bare] + accepted[wrong], faces[bare] + faces[wrong]),
            WITHOUT_MASK: share(accepted[bare], faces[bare]),
            INCORRECT: share(accepted[wrong], faces[wrong]),
        },
        "false_rejects": share(faces[MASKED] - accepted[MASKED], faces[MASKED]),
        "accuracy": share(np.trace(confusion), len(samples)),
        "macro": macro,
        "classes": {label: figure | {"f1": f1.get(label, NOTHING)} for label, figure in classes.items()},
        "confusion": confusion.tolist(),
        "expected_calibration_error": calibration_error(truth, probabilities),
        "sources": _accuracy_by_source(samples, truth, verdict),
    }


def _classes(probabilities: NDArray[np.float32], truth: Numbers, confusion: Numbers) -> dict[str, Figure]:
    called, faces, right = confusion.sum(axis=0), confusion.sum(axis=1), confusion.diagonal()
    return {
        label: {
            "precision": share(right[k], called[k]),
            "recall": share(right[k], faces[k]),
            "average_precision": float(average_precision_score(truth == k, probabilities[:, k])) if faces[k] else None,
        }
        for k, label in enumerate(LABELS)
    }


def _means(truth: Numbers, verdict: Numbers, confusion: Numbers) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """Mean precision, recall and F1 over the labels that occur (two folders have no incorrect ones); each label's F1.

    The intervals are those of 2,000 test splits, drawn from this one with replacement (bootstrap).
    """
    n, present = len(truth), np.unique(truth)
    chance = np.random.default_rng(0)
    drawn = _scores(chance.multinomial(n, confusion.ravel() / n, 2000).reshape(-1, *confusion.shape))
    values = precision_recall_fscore_support(truth, verdict, labels=range(len(LABELS)), zero_division=0)[:3]
    names = ("precision", "recall", "f1")
    macro = {
        name: _spread(values[k][present].mean(), drawn[:, k, present].mean(axis=-1), n) for k, name in enumerate(names)
    }
    f1 = {LABELS[k]: _spread(values[2][k], drawn[:, 2, k], int((truth == k).sum())) for k in present}
    return macro, f1


def _scores(confusion: Numbers) -> Floats:
    """Precision, recall and F1 by label of many confusion matrices: (B, L, L) -> (B, 3, L); 0 where nothing is."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    called, faces = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return np.stack([2 * right / np.maximum(1, each) for each in (2 * called, 2 * faces, called + faces)], axis=-2)


def _spread(value: float, drawn: Floats, n: int) -> Figure:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {"value": float(value), "low": float(low), "high": float(high), "n": n}


def _accuracy_by_source(samples: Sequence[Sample], truth: Numbers, verdict: Numbers) -> dict[str, Figure]:
    source = np.array([sample.source for sample in samples])
    figures = {}
    for name in np.unique(source):
        mine, improper = source == name, (source == name) & (truth != MASKED)
        accepted = improper & (verdict == MASKED)
        figures[str(name)] = {
            "accuracy": share((mine & (truth == verdict)).sum(), mine.sum()),
            "false_accepts": share(accepted.sum(), improper.sum()),
        }
    return figures


def reliability(truth: Numbers, probabilities: NDArray[np.float32]) -> list[tuple[float, Figure]]:
    """For each of BINS equal steps of the score that holds faces: their mean score, and the share that was right."""
    scores, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        (float(scores[bins == k].mean()), share(int(right[bins == k].sum()), int((bins == k).sum())))
        for k in np.unique(bins)
    ]


def calibration_error(truth: Numbers, probabilities: NDArray[np.float32]) -> float:
    """Expected calibration error: how far score and accuracy lie apart on average over the faces, 0 to 1."""
    steps = reliability(truth, probabilities)
    return float(sum(abs(score - right["value"]) * right["n"] for score, right in steps) / len(truth))
