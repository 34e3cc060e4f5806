"""What training ends with: build/train/report/ with figures (JSON), plots (PNG) and one page, index.html.

`report_classifier` and `report_locator` each write their part and the page anew, from whichever parts are there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.values import LABELS, Box
from train import plots
from train.measure import (
    MASKED,
    Figure,
    LocatedPicture,
    Matched,
    Sample,
    classifier_figures,
    curve,
    locator_figures,
    match_near_faces,
)
from train.page import write_page

__all__ = ["LocatedPicture", "Sample", "report_classifier", "report_locator", "write_page"]

MOST_MISTAKES, MOST_BOXES = 48, 24  # on a contact sheet
SHORT = dict(zip(LABELS, ("without", "with", "incorrect"), strict=True))

History = dict[str, list[float]]


def report_classifier(
    folder: Path,
    history: History,
    samples: Sequence[Sample],
    probabilities: NDArray[np.float32],
    settings: dict[str, Any],
) -> Figure:
    """Write the classifier's part of the report and return its figures, as they stand in classifier.json.

    history: values by epoch under Keras' names; `settings["head_epochs"]` epochs of it came before fine-tuning.
    samples: the test faces. probabilities: float32 (faces, labels), in the order of LABELS.
    settings: what the page shows of data and training; the data's fingerprint belongs in it.
    Raises InputError when there is no face to test on, or the network gives no numbers.
    """
    if not samples:
        raise InputError("the classifier's test split holds no face; give more photos")
    if not np.isfinite(probabilities).all():
        raise InputError("the classifier gives no numbers (nan): its training broke down; train with a lower rate")
    _clear(folder, "classifier")
    truth = np.array([sample.truth for sample in samples])
    figures = classifier_figures(samples, probabilities)
    plots.learning(folder / "classifier_learning.png", history, settings.get("head_epochs"))
    plots.confusion(folder / "classifier_confusion.png", figures["confusion"])
    plots.precision_recall(folder / "classifier_precision_recall.png", truth, probabilities)
    plots.calibration(folder / "classifier_calibration.png", truth, probabilities)
    order = _worst_first(truth, probabilities)[:MOST_MISTAKES]
    mistakes = [_mistake(samples[k], probabilities[k]) for k in order]
    tiles = [_mistake_tile(samples[k], mistake) for k, mistake in zip(order, mistakes, strict=True)]
    _sheet(folder / "classifier_mistakes.png", tiles)
    _write(folder / "classifier.json", {"figures": figures, "settings": settings, "mistakes": mistakes})
    write_page(folder)
    return figures


def _worst_first(truth: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """The numbers of the mistakes: false accepts, then the others, each the surest first."""
    verdict, score = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.lexsort((-score, verdict != MASKED))
    return np.asarray(order[truth[order] != verdict[order]])


def _mistake(sample: Sample, probabilities: NDArray[np.float32]) -> Figure:
    verdict = int(probabilities.argmax())
    return {
        "name": sample.name,
        "source": sample.source,
        "truth": LABELS[sample.truth],
        "verdict": LABELS[verdict],
        "score": float(probabilities[verdict]),
    }


def _mistake_tile(sample: Sample, mistake: Figure) -> plots.Tile:
    verdict = f"{SHORT[mistake['truth']]} → {SHORT[mistake['verdict']]}"
    accepted = mistake["verdict"] == LABELS[MASKED]
    return plots.Tile(sample.crop, (verdict, f"{mistake['score']:.2f}  {sample.source}"), accepted)


def report_locator(
    folder: Path, history: History, pictures: Sequence[LocatedPicture], threshold: float, settings: dict[str, Any]
) -> Figure:
    """Write the locator's part of the report and return its figures, as they stand in locator.json.

    pictures: the test pictures with all detections from score 0.05 up. threshold: the chosen one, 0.05 to 1.
    history, settings: as for the classifier. Raises InputError when there is no picture to test on.
    """
    if not pictures:
        raise InputError("the locator's test split holds no picture; give more photos")
    _clear(folder, "locator")
    matches = [match_near_faces(picture) for picture in pictures]
    figures = locator_figures(pictures, matches, threshold)
    plots.learning(folder / "locator_learning.png", history, settings.get("head_epochs"))
    plots.working_points(folder / "locator_curve.png", *curve(matches), threshold)
    misses, false = _misses(pictures, matches, threshold), _false(pictures, matches, threshold)
    _sheet(folder / "locator_misses.png", [_miss_tile(*each) for each in misses])
    _sheet(folder / "locator_false.png", [_false_tile(*each) for each in false])
    lists = {"misses": [_named(*each) for each in misses], "false": [_named(*each) for each in false]}
    _write(folder / "locator.json", {"figures": figures, "settings": settings, **lists})
    write_page(folder)
    return figures


Boxed = tuple[LocatedPicture, Box, float]


def _misses(pictures: Sequence[LocatedPicture], matches: Sequence[Matched], threshold: float) -> list[Boxed]:
    """Near faces not found, with the score that would have found them (0: none): the largest in its picture first."""
    missed = [
        (picture, box, float(score))
        for picture, match in zip(pictures, matches, strict=True)
        for box, score in zip(match.faces, match.found_from, strict=True)
        if score < threshold
    ]
    return sorted(missed, key=lambda each: -each[1].height / each[0].rgb.shape[0])[:MOST_BOXES]


def _false(pictures: Sequence[LocatedPicture], matches: Sequence[Matched], threshold: float) -> list[Boxed]:
    """False detections, the surest first."""
    false = [
        (picture, face.box, face.score)
        for picture, match in zip(pictures, matches, strict=True)
        for face in match.false
        if face.score >= threshold
    ]
    return sorted(false, key=lambda each: -each[2])[:MOST_BOXES]


def _miss_tile(picture: LocatedPicture, box: Box, score: float) -> plots.Tile:
    seen = f"only at {score:.2f}" if score else "not at any score"
    return plots.Tile(plots.surroundings(picture.rgb, box, plots.GREEN), (seen, picture.source))


def _false_tile(picture: LocatedPicture, box: Box, score: float) -> plots.Tile:
    return plots.Tile(plots.surroundings(picture.rgb, box, plots.RED), (f"{score:.2f}", picture.source))


def _named(picture: LocatedPicture, box: Box, score: float) -> Figure:
    return {"name": picture.name, "source": picture.source, "box": [round(side, 1) for side in box], "score": score}


def _sheet(file: Path, tiles: Sequence[plots.Tile]) -> None:
    if tiles:
        plots.contact_sheet(file, tiles)


def _clear(folder: Path, part: str) -> None:
    """An earlier report's part, of which some pictures might not be made again."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*folder.glob(f"{part}_*.png"), folder / f"{part}.json"):
        file.unlink(missing_ok=True)


def _write(file: Path, content: Figure) -> None:
    file.write_text(json.dumps(content, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as Python's own; whatever else a setting holds as text."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else str(value)
