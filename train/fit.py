"""One phase of training: warm-up, cosine, a progress bar, early stopping, and resuming after an interruption."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras

from edge.quiet import quiet
from train.batches import ChanceBatches, Epoch, FixedBatches
from train.distribute import ALONE, Team, fit_together

History = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast.

    epochs of `steps` batches each; learning rate after warm-up; patience: epochs without a lower validation loss.
    optimizer: one of OPTIMIZERS; weight_decay is that of adamw alone.
    """

    epochs: int
    steps: int
    batch: int
    rate: float
    patience: int
    weight_decay: float = 1e-4
    optimizer: str = "adamw"


def set_up(seed: int) -> None:
    """Seeds; one core a sample; on a GPU, memory that grows with need and mixed precision."""
    keras.utils.set_random_seed(seed)
    cv2.setNumThreads(1)  # the batches are made side by side already
    if keras.backend.backend() == "tensorflow":
        with quiet():
            import tensorflow as tf

            gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        if gpus:
            keras.mixed_precision.set_global_policy("mixed_float16")


def fit(
    model: keras.Model,
    loss: Any,
    metrics: list[str],
    plan: Plan,
    batches: ChanceBatches,
    check: FixedBatches,
    work: Path,
    settings: Mapping[str, Any],
    callbacks: Sequence[keras.callbacks.Callback] = (),
    team: Team = ALONE,
) -> History:
    """Train until the plan is done or the validation loss stops falling; leave the best weights in the model.

    work: this phase's folder: backup after every epoch, the history as CSV, the best weights. With the same plan and
    settings an interrupted phase goes on and a finished one is not run again; with others it begins anew.
    """
    _keep_if_same(work, {**settings, **asdict(plan)})
    log, best, done = work / "history.csv", work / "best.weights.h5", work / "done"
    if any(team.from_chief([done.exists()])):
        print(f"{work.name}: trained before with the same data and settings; remove {work} to train it anew")
    else:
        with team.scope():
            model.compile(optimizer(plan), loss, metrics=metrics)
        stop = keras.callbacks.EarlyStopping(patience=plan.patience, verbose=int(team.chief))
        kept = [
            keras.callbacks.CSVLogger(log, append=True),
            keras.callbacks.ModelCheckpoint(
                best, save_best_only=True, save_weights_only=True, initial_value_threshold=_least(log)
            ),
            stop,
            keras.callbacks.BackupAndRestore(work / "backup"),
        ]
        every = [Epoch(batches), *(kept if team.chief else [stop]), *callbacks]
        if team.workers > 1:
            fit_together(team, model, batches, check, plan.epochs, every)
        else:
            verbose = 1 if sys.stdout.isatty() else 2
            # not shuffled: every batch is drawn by chance anyway, and its order must survive an interruption
            model.fit(
                batches, validation_data=check, epochs=plan.epochs, callbacks=every, verbose=verbose, shuffle=False
            )
        done.touch()
    if team.chief:
        model.load_weights(best)
    team.share(model.weights)
    return read_history(log)


def _keep_if_same(work: Path, settings: Mapping[str, Any]) -> None:
    """Empty the folder unless a training with these settings, which are noted in it, is done or can go on there."""
    noted, text = work / "settings.json", json.dumps(settings, indent=1, sort_keys=True)
    usable = (work / "done").exists() or (work / "backup").exists()
    if not usable or not noted.is_file() or noted.read_text() != text:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        noted.write_text(text)


def read_history(log: Path) -> History:
    """What was measured after each epoch, a list a column; empty where nothing was."""
    if not log.exists():
        return {}
    with log.open(newline="") as file:
        # an epoch that was logged but not backed up is run and logged again
        rows = list({row["epoch"]: row for row in csv.DictReader(file)}.values())
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def _least(log: Path) -> float | None:
    return min(read_history(log).get("val_loss", []), default=None)


OPTIMIZERS = {
    "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
}


def optimizer(plan: Plan) -> keras.optimizers.Optimizer:
    """The plan's, its learning rate warming up and then falling along a cosine."""
    warm_up = min(60, plan.epochs * plan.steps // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        plan.rate / 100, plan.epochs * plan.steps - warm_up, alpha=0.0, warmup_target=plan.rate, warmup_steps=warm_up
    )
    decay = {"weight_decay": plan.weight_decay} if plan.optimizer == "adamw" else {}
    return OPTIMIZERS[plan.optimizer](rate, global_clipnorm=5.0, **decay)
