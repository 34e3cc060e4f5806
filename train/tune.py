"""Search settings for the classifier with Keras Tuner: python -m train tune --data DIR [--trials 20 --epochs 4].

Bayesian optimisation of learning rate, dropout, weight decay, label smoothing and width by the cross-entropy on the
validation part. Ends with build/train/tune/best.json and the command that trains with what it found. The same command
goes on where an interrupted search stopped: a trial that was not finished is run again. On two cores a trial takes
about four minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from train import backbones
from train.batches import ChanceBatches, Epoch
from train.crops import Crop
from train.fit import Plan, optimizer, set_up
from train.material import Material, gather
from train.weights import find_weights

ARCHS = ["mobilenet_0.25", "mobilenet_0.5"]
SURPRISE = "surprise"  # cross-entropy without label smoothing, which trials differ in


def train(arguments: argparse.Namespace, data: Path) -> None:
    """From photos to tune/best.json."""
    set_up(arguments.seed)
    material = gather(data, arguments.out, Crop(arguments.size, arguments.margin), arguments.seed)
    folder = arguments.out / "tune"
    search = Search(
        Classifiers(arguments, data, material),
        objective=keras_tuner.Objective(SURPRISE, "min"),
        max_trials=arguments.trials,
        num_initial_points=max(1, min(6, arguments.trials // 2)),
        seed=arguments.seed,
        directory=folder,
        project_name=_fingerprint(arguments, material),
        overwrite=False,
    )
    search.search()
    (trial,) = search.oracle.get_best_trials(1)
    found = trial.hyperparameters.values
    command = shlex.join(["python", "-m", "train", "classifier", "--data", str(data), *_options(arguments, found)])
    best = {"settings": found, SURPRISE: trial.score, "trials": len(search.oracle.trials), "command": command}
    (folder / "best.json").write_text(json.dumps(best, indent=1))
    print(f"the best of {best['trials']} trials, {SURPRISE} {trial.score:.4f}:\n{command}")


class Classifiers(keras_tuner.HyperModel):
    """A compiled classifier for any of the settings, and how it is tried."""

    def __init__(self, arguments: argparse.Namespace, data: Path, material: Material) -> None:
        super().__init__()
        self._arguments, self._material = arguments, material
        self._weights = {arch: find_weights(arguments.weights, arch, data) for arch in ARCHS}
        self._check = material.check()

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Asking `hp` for a setting is what declares it."""
        given = self._arguments
        arch = hp.Choice("arch", ARCHS)
        outputs = len(self._material.outputs)
        model = backbones.classifier(arch, given.size, self._weights[arch], outputs, hp.Float("dropout", 0.0, 0.5))
        rate = hp.Float("rate", 1e-4, 5e-3, sampling="log")
        decay = hp.Float("weight_decay", 1e-6, 1e-2, sampling="log")
        plan = Plan(given.epochs, given.steps, given.batch, rate, patience=given.epochs, weight_decay=decay)
        smoothing = hp.Float("label_smoothing", 0.0, 0.2)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        surprise = keras.metrics.CategoricalCrossentropy(from_logits=True, name=SURPRISE)
        model.compile(optimizer(plan), loss, metrics=["accuracy", surprise])
        return model

    def surprise(self, model: keras.Model) -> float:
        """Of the validation faces after the training of a built model, the least of its epochs."""
        given = self._arguments
        batches = ChanceBatches(self._material.crops.one, given.batch, given.steps, given.seed)
        calls = [Epoch(batches)]
        done = model.fit(
            batches, validation_data=self._check, epochs=given.epochs, callbacks=calls, shuffle=False, verbose=2
        )
        return float(min(done.history[f"val_{SURPRISE}"]))


class Search(keras_tuner.BayesianOptimization):
    """Keeps no weights: the found settings are what is wanted."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """What the settings of a trial are worth."""
        return {SURPRISE: self.hypermodel.surprise(self.hypermodel.build(trial.hyperparameters))}


def _fingerprint(arguments: argparse.Namespace, material: Material) -> str:
    """The name of the search: another one for other photos or settings. More trials continue a search."""
    names = ("size", "margin", "seed", "epochs", "steps", "batch", "weights")
    settings = {name: str(getattr(arguments, name)) for name in names} | {"data": material.split.fingerprint}
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]


def _options(arguments: argparse.Namespace, found: dict[str, Any]) -> list[str]:
    """Of the command that trains a classifier with what was found."""
    same = {name: getattr(arguments, name) for name in ("size", "margin", "batch", "weights")}
    rounded = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in found.items()}
    return [word for name, value in (rounded | same).items() for word in (f"--{name.replace('_', '-')}", str(value))]
