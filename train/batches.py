"""Batches for Keras, made while the step before runs; a batch depends on the seed, its epoch and its number alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import keras
import numpy as np

from edge.values import Rgb
from train.augment import Chance
from train.canvases import MOST_FACES, PADDING, Canvas

Sample = tuple[Rgb, np.ndarray]


class ChanceBatches(keras.utils.PyDataset):
    """`steps` batches an epoch of samples made by `one(chance)`: picture uint8 (H, W, 3), target.

    Gives float32 (batch, H, W, 3), raw RGB 0 to 255, and the targets stacked.
    """

    def __init__(self, one: Callable[[Chance], Sample], batch: int, steps: int, seed: int) -> None:
        super().__init__(workers=os.cpu_count() or 1, use_multiprocessing=False, max_queue_size=8)
        self._one, self._batch, self._steps, self._seed = one, batch, steps, seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Sample:
        chance = np.random.default_rng((self._seed, self.epoch, index))
        return stack([self._one(chance) for _ in range(self._batch)])


class FixedBatches(keras.utils.PyDataset):
    """The same samples every epoch, in one shuffled order, so that every batch is a fair one."""

    def __init__(self, samples: Sequence[Sample], batch: int) -> None:
        super().__init__()
        order = np.random.default_rng(0).permutation(len(samples))
        self._samples, self._batch = [samples[k] for k in order], batch

    def __len__(self) -> int:
        return -(-len(self._samples) // self._batch)

    def __getitem__(self, index: int) -> Sample:
        return stack(self._samples[index * self._batch : (index + 1) * self._batch])


class Epoch(keras.callbacks.Callback):
    """Tells the batches which epoch it is, also after an interruption."""

    def __init__(self, batches: ChanceBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._batches.epoch = epoch


def stack(samples: Sequence[Sample]) -> Sample:
    """Pictures as float32 (batch, H, W, 3), targets (batch, ...)."""
    pictures, targets = zip(*samples, strict=True)
    return np.stack(pictures).astype(np.float32), np.stack(targets)


def located(canvas: Canvas) -> Sample:
    """A canvas as the locator's loss wants it: rows padded to float32 (MOST_FACES, 5)."""
    rows = np.full((MOST_FACES, 5), PADDING, np.float32)
    if canvas.rows:
        rows[: len(canvas.rows)] = canvas.rows
    return canvas.rgb, rows
