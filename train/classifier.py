"""Train the mask classifier: python -m train classifier --data DIR [--backbone mobilenet_0.5 --weights FILE].

Ends with classifier.keras, classifier.json and its part of the report in build/train/. On two cores the defaults take
about 25 minutes; test accuracy should pass 0.95, validation accuracy after the first epoch of fine-tuning 0.85.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from scipy.optimize import minimize_scalar

from edge.classify import softmax
from edge.picture import read_picture
from edge.values import LABELS, WITH_MASK
from train import networks
from train.augment import Chance
from train.batches import ChanceBatches, FixedBatches, Sample, stack
from train.boxes import with_boxes
from train.crops import Crop, FacePool, LabelledFace, check_enough, cut, cut_by_chance, labelled_faces
from train.fit import History, Plan, fit, set_up
from train.measure import Sample as JudgedSample
from train.report import report_classifier
from train.split import prepare

NOTICE = "fine-tuned from ImageNet weights of keras.applications, Copyright the TensorFlow Authors, Apache-2.0"
MOST_UNKNOWN = 0.02  # of properly masked faces; sets the score below which a label is unknown
LEAST_SCORE = 0.5


def train(arguments: argparse.Namespace, data: Path) -> None:
    """From photos to classifier.keras."""
    set_up(arguments.seed)
    split = prepare(data, arguments.out, arguments.seed)
    crop = Crop(arguments.size, arguments.margin)
    settings = {name: getattr(arguments, name) for name in ("backbone", "size", "margin", "seed")}
    settings |= {"weights": Path(arguments.weights).name, "data": split.fingerprint}
    faces, check_faces, test_faces = (
        labelled_faces(with_boxes(part)) for part in (split.train, split.validation, split.test)
    )
    check_enough(faces, check_faces, test_faces)
    pool = FacePool(faces)

    def one(chance: Chance) -> Sample:
        face = pool.one(chance)
        return cut_by_chance(read_picture(face.picture.path), face, crop, chance), np.int64(face.label)

    model = networks.classifier(arguments.backbone, crop.size, arguments.weights)
    check = FixedBatches(cut_all(check_faces, crop), 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    history: History = {}
    head_epochs = 0
    for name, plan in _phases(arguments):
        _let_train(model, everything=name == "all")
        batches = ChanceBatches(one, plan.batch, plan.steps, arguments.seed)
        part = fit(
            model, loss, ["accuracy"], plan, batches, check, arguments.out / "work" / f"classifier-{name}", settings
        )
        history = {key: history.get(key, []) + values for key, values in part.items()}
        head_epochs = len(part["loss"]) if name == "head" else head_epochs

    exported = networks.exported_classifier(model, arguments.backbone, crop.size)
    exported.save(arguments.out / "classifier.keras")
    logits, truth = predict(exported, cut_all(check_faces, crop))
    temperature = fit_temperature(logits, truth)
    threshold = choose_score(softmax(logits / temperature), truth)
    settings |= {"faces": len(faces), "head_epochs": head_epochs}
    samples = cut_all(test_faces, crop)
    judged = [
        JudgedSample(str(face.picture.path.relative_to(data)), face.picture.source, int(label), rgb)
        for face, (rgb, label) in zip(test_faces, samples, strict=True)
    ]
    probabilities = softmax(predict(exported, samples)[0] / temperature)
    figures = report_classifier(arguments.out / "report", history, judged, probabilities, settings)
    card = {
        "backbone": arguments.backbone,
        "size": crop.size,
        "margin": crop.margin,
        "temperature": temperature,
        "score_threshold": threshold,
        "notices": [NOTICE] if arguments.weights != "none" else [],
        "training": settings | {"test": figures},
    }
    (arguments.out / "classifier.json").write_text(json.dumps(card, indent=1))


def _phases(arguments: argparse.Namespace) -> list[tuple[str, Plan]]:
    """The head alone first when the backbone brings weights, then everything."""
    head = Plan(arguments.head_epochs, arguments.steps, arguments.batch, arguments.rate, patience=3)
    everything = Plan(arguments.epochs, arguments.steps, arguments.batch, arguments.rate, patience=5)
    return [("head", head), ("all", everything)] if arguments.weights != "none" else [("all", everything)]


def _let_train(model: keras.Model, everything: bool) -> None:
    for layer in model.get_layer("network").layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = everything or layer.name == "logits"


def cut_all(faces: Sequence[LabelledFace], crop: Crop) -> list[Sample]:
    """Every face as the device would cut it, with its label's number."""
    return [(cut(read_picture(face.picture.path), face, crop), np.int64(face.label)) for face in faces]


def predict(model: keras.Model, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 (n, labels) and true label numbers int64 (n,)."""
    logits = [np.asarray(model(stack(samples[k : k + 64])[0], training=False)) for k in range(0, len(samples), 64)]
    return np.concatenate(logits), np.array([label for _, label in samples])


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature under which the probabilities fit the labels best (Guo et al. 2017), 0.2 to 5."""

    def surprise(temperature: float) -> float:
        probabilities = softmax(logits / temperature)
        return float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-9).mean())

    return float(minimize_scalar(surprise, bounds=(0.2, 5.0), method="bounded").x)


def choose_score(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The score below which a label is unknown: the highest that refuses few enough properly masked faces."""
    scores = probabilities[truth == LABELS.index(WITH_MASK)].max(axis=1)
    return max(LEAST_SCORE, round(float(np.quantile(scores, MOST_UNKNOWN)), 2)) if len(scores) else LEAST_SCORE
