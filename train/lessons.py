"""How a classifier that is good already learns something new, and forgets little.

Of the site's faces it learns their labels; of general samples it learns to say what it said before (Li and Hoiem 2016,
Learning without forgetting). What it is in the end lies between its old weights and the new ones (Wortsman et al. 2022,
Robust fine-tuning), as far towards the new as general photos allow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import keras
import numpy as np

from edge.classify import softmax
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK
from train.batches import Sample, stack
from train.samples import FaceCrops, Kind

EVEN = (
    Kind(0.35, WITHOUT_MASK),
    Kind(0.10, WITHOUT_MASK, covered=True),
    Kind(0.35, WITH_MASK),
    Kind(0.20, INCORRECT),
)
"""The site's faces, bare and masked ones as often. Nothing is drawn on them: drawings know how people usually stand."""
STEPS = (1.0, 0.8, 0.6, 0.4, 0.2)


class Lessons(keras.utils.PyDataset):
    """`steps` batches an epoch, a `share` of each the site's; a batch depends on the seed, its epoch and number alone.

    before: the classifier as it was. Gives float32 (batch, H, W, 3), and the probability of each output.
    """

    def __init__(
        self,
        site: FaceCrops,
        general: FaceCrops,
        before: keras.Model,
        share: float,
        batch: int,
        steps: int,
        seed: int,
    ) -> None:
        super().__init__(workers=os.cpu_count() or 1, use_multiprocessing=False, max_queue_size=8)
        self._site, self._general, self._before = site, general, before
        self._share, self._batch, self._steps, self._seed = share, batch, steps, seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Sample:
        chance = np.random.default_rng((self._seed, self.epoch, index))
        ours = int(chance.binomial(self._batch, self._share))
        samples = [self._site.one(chance) for _ in range(ours)]
        samples += [self._general.one(chance) for _ in range(self._batch - ours)]
        pictures, targets = stack(samples)
        targets[ours:] = softmax(np.asarray(self._before(pictures, training=False))[ours:])
        return pictures, targets


def settle(model: keras.Model, before: keras.Model, keeps: Callable[[keras.Model], bool]) -> float:
    """Take the model back towards what it was, until `keeps` says that nothing is lost; how far it went, 0 to 1."""
    old, new = before.get_weights(), model.get_weights()
    for share in STEPS:
        model.set_weights(between(old, new, share))
        if keeps(model):
            break
    return share


def between(old: Sequence[np.ndarray], new: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    """Weights at `share` of the way from the old to the new ones."""
    return [(1 - share) * was + share * is_now for was, is_now in zip(old, new, strict=True)]
