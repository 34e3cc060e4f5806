"""Classifiers side by side: python -m train beside build/seed build/train --benchmark DIR --out build/beside.

Each folder is one in which `python -m train classifier` left its model. Draws their learning curves into one picture,
and prints what each is worth on the test part of its own data, and on a box data set that none was trained on: near
faces cut by their labelled boxes, the likeliest label, float.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from edge.classify import classification, softmax
from edge.errors import InputError
from edge.picture import read_picture
from edge.values import LABELS
from train.classifier import predict
from train.crops import Crop, LabelledFace, labelled_faces
from train.evaluation.evaluate import box_pictures
from train.evaluation.tables import markdown, text
from train.evaluation.verdicts import likeliest, verdict_figures
from train.fit import History, read_history
from train.material import cut_all
from train.measure import NEAR, Figure
from train.plots import curves
from train.readers import COVERED

PICTURE = "beside.png"
HEAD = (
    "folder",
    "architecture",
    "own test part: right",
    "benchmark: right",
    "bare called masked",
    "wrongly worn",
    "masked",
)


def beside(arguments: argparse.Namespace) -> None:
    """The command. Raises InputError for a folder without a trained classifier, or a benchmark without boxes."""
    cards = {folder: _card(folder) for folder in arguments.folders}
    faces = near_faces(arguments.benchmark) if arguments.benchmark else []
    rows = [row(folder.name, card, judged(folder, card, faces)) for folder, card in cards.items()]
    print(markdown([HEAD, *rows]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    curves(arguments.out / PICTURE, {folder.name: history_of(folder) for folder in cards})
    print(f"wrote {arguments.out / PICTURE}")


def near_faces(benchmark: Path) -> list[LabelledFace]:
    """The labelled faces of a box data set that are near."""
    pictures = box_pictures(benchmark)
    heights = {picture.path: read_picture(picture.path).shape[0] for picture in pictures}
    return [
        face
        for face in labelled_faces(pictures)
        if face.box is not None and face.box.height >= NEAR * heights[face.picture.path]
    ]


def judged(folder: Path, card: dict[str, Any], faces: Sequence[LabelledFace]) -> Figure:
    """What the folder's classifier makes of the faces; figures of `verdict_figures`."""
    model = keras.models.load_model(folder / "classifier.keras", compile=False)
    samples = cut_all(list(faces), Crop(card["size"], card["margin"]))
    said = [likeliest(classification(each, 0.0)) for each in softmax(predict(model, samples)[0])] if samples else []
    truth = [COVERED if face.covered else LABELS[face.label] for face in faces]
    return verdict_figures(list(zip(truth, said, strict=True)))


def row(name: str, card: dict[str, Any], found: Figure) -> tuple[str, ...]:
    """A line of the table."""
    accepts, rejects = found["false_accepts"], found["false_rejects"]
    masked = {"count": rejects["n"] - rejects["count"], "n": rejects["n"]}
    shares = text(card["training"]["test"]["accuracy"]), text(found["class_accuracy"])
    counts = (f"{each['count']} of {each['n']}" for each in (accepts["without_mask"], accepts["incorrect"], masked))
    return name, card["arch"], *shares, *counts


def history_of(folder: Path) -> History:
    """What was measured after each epoch of all phases; empty where the folder does not keep it."""
    whole: History = {}
    for log in sorted((folder / "work").glob("classifier-*/history.csv"), key=lambda log: "all" in log.parent.name):
        for key, values in read_history(log).items():
            whole[key] = whole.get(key, []) + values
    return whole


def _card(folder: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((folder / "classifier.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder}: holds no trained classifier; train one with --out {folder}") from error
    return card
