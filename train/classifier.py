"""Train the mask classifier: python -m train classifier --data DIR [--arch mobilenet_0.5 --weights FILE].

Ends with classifier.keras, classifier.json and its part of the report in build/train/. On two cores the defaults take
about 25 minutes; test accuracy should pass 0.95, validation accuracy after the first epoch of fine-tuning 0.85.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.classify import classification, softmax
from train import backbones
from train.batches import ChanceBatches, Sample, stack
from train.calibration import fit_temperature
from train.crops import Crop
from train.distribute import Team, team
from train.fit import History, Plan, fit, set_up
from train.material import Material, cut_all, gather
from train.measure import Sample as JudgedSample
from train.report import report_classifier

NOTICE = "fine-tuned from ImageNet weights of keras.applications, Copyright the TensorFlow Authors, Apache-2.0"
SETTINGS = ("arch", "size", "margin", "dropout", "label_smoothing", "seed")


def train(arguments: argparse.Namespace, data: Path) -> None:
    """From photos to classifier.keras."""
    set_up(arguments.seed)
    workers = team(arguments.distribute)
    out = workers.folder(arguments.out)
    material = gather(data, out, Crop(arguments.size, arguments.margin), arguments.seed)
    settings = {name: getattr(arguments, name) for name in SETTINGS}
    settings |= {"weights": Path(arguments.weights).name, "data": material.split.fingerprint}
    settings |= {"labels": list(material.outputs), "workers": workers.workers}
    model, history, head_epochs = _trained(arguments, workers, out, material, settings)
    if workers.chief:
        settings |= {"faces": material.faces, "head_epochs": head_epochs}
        _finish(arguments, data, material, model, history, settings)
    workers.from_chief([0])  # a worker that leaves earlier takes the others with it


def _trained(
    arguments: argparse.Namespace, workers: Team, out: Path, material: Material, settings: dict[str, Any]
) -> tuple[keras.Model, History, int]:
    """The model, what was measured after each epoch, and how many epochs trained the head alone."""
    size, outputs = material.crop.size, len(material.outputs)
    with workers.scope():
        model = backbones.classifier(arguments.arch, size, arguments.weights, outputs, arguments.dropout)
    check = material.check()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=arguments.label_smoothing)
    history: History = {}
    head_epochs = 0
    for name, plan in _phases(arguments):
        _let_train(model, everything=name == "all")
        batches = ChanceBatches(material.crops.one, workers.batch(plan.batch), plan.steps, workers.seed(arguments.seed))
        work = out / "work" / f"classifier-{name}"
        part = fit(model, loss, ["accuracy"], plan, batches, check, work, settings, team=workers)
        history = {key: history.get(key, []) + values for key, values in part.items()}
        head_epochs = len(part.get("loss", ())) if name == "head" else head_epochs
    return model, history, head_epochs


def _finish(
    arguments: argparse.Namespace,
    data: Path,
    material: Material,
    model: keras.Model,
    history: History,
    settings: dict[str, Any],
) -> None:
    """Writes the model in float32, its card, and its part of the report, judged by the test faces."""
    crop = material.crop
    exported = backbones.exported_classifier(model, arguments.arch, crop.size, len(material.outputs))
    exported.save(arguments.out / "classifier.keras")
    temperature = fit_temperature(*predict(exported, cut_all(material.validation, crop)))
    samples = cut_all(material.test, crop)
    judged = [
        JudgedSample(str(face.picture.path.relative_to(data)), face.picture.source, int(label), rgb)
        for face, (rgb, label) in zip(material.test, samples, strict=True)
    ]
    probabilities = softmax(np.asarray(predict(exported, samples)[0] / temperature, np.float32))
    said = np.array([classification(each, 0.0).probabilities for each in probabilities], np.float32)
    figures = report_classifier(arguments.out / "report", history, judged, said, settings)
    card = {
        "arch": arguments.arch,
        "labels": material.outputs,
        "size": crop.size,
        "margin": crop.margin,
        "temperature": temperature,
        "notices": [NOTICE] if arguments.weights != "none" and arguments.arch != "seed" else [],
        "training": settings | {"test": figures},
    }
    (arguments.out / "classifier.json").write_text(json.dumps(card, indent=1))


def _phases(arguments: argparse.Namespace) -> list[tuple[str, Plan]]:
    """The head alone first when the backbone brings weights, then everything."""
    how = (arguments.steps, arguments.batch, arguments.rate)
    pace = {"weight_decay": arguments.weight_decay, "optimizer": arguments.optimizer}
    head = Plan(arguments.head_epochs, *how, patience=arguments.head_epochs, **pace)
    everything = Plan(arguments.epochs, *how, patience=max(5, 3 * arguments.epochs // 4), **pace)
    with_head = arguments.weights != "none" and arguments.head_epochs
    return [("head", head), ("all", everything)] if with_head else [("all", everything)]


def _let_train(model: keras.Model, everything: bool) -> None:
    for layer in model.get_layer("network").layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = everything or layer.name == "logits"


def predict(model: keras.Model, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 (n, labels) and true label numbers int64 (n,)."""
    logits = [np.asarray(model(stack(samples[k : k + 64])[0], training=False)) for k in range(0, len(samples), 64)]
    return np.concatenate(logits), np.array([label for _, label in samples])
