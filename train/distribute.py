"""Training on several GPUs (`--distribute mirrored`) or several machines (`--distribute multiworker`, with TF_CONFIG).

Each machine runs the same command with its own TF_CONFIG, for two of them and for the second (index 1):

    TF_CONFIG='{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 1}}' \
        python -m train classifier --data DIR --distribute multiworker

`Model.fit` of Keras 3 works with MirroredStrategy, but not with MultiWorkerMirroredStrategy (issue 20585 of
keras-team/keras: it averages batches and losses in a way that several workers cannot). `fit_together` stands in for it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import InputError
from edge.quiet import quiet

EXAMPLE = '{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True, slots=True)
class Team:
    """Those who train one model.

    strategy: a tf.distribute.Strategy, None for one device. number: of this worker, 0 for the chief, who alone writes
    models, histories and reports.
    """

    strategy: Any = None
    number: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        return self.number == 0

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Models and optimisers must be made within it."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def batch(self, whole: int) -> int:
        """How many samples a batch of this worker has, of `whole` samples a step of all."""
        return -(-whole // self.strategy.num_replicas_in_sync) if self.workers > 1 else whole

    def seed(self, seed: int) -> int:
        """Of this worker's samples: no two workers draw the same."""
        return seed + 1_000_003 * self.number

    def folder(self, out: Path) -> Path:
        """Where this worker may write: `out` is the chief's."""
        return out if self.chief else out / f"worker-{self.number}"

    def from_chief(self, values: Sequence[Any]) -> list[np.ndarray]:
        """The chief's numbers or arrays, on every worker; all must ask for the same ones at the same place."""
        given = [np.asarray(value) for value in values]
        if self.workers == 1:
            return given
        import tensorflow as tf

        def summed() -> Any:
            context = tf.distribute.get_replica_context()
            share = tf.cast(context.replica_id_in_sync_group == 0, tf.float64)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, [share * each.astype(np.float64) for each in given])

        sums = tf.function(lambda: self.strategy.run(summed))()
        local = [self.strategy.experimental_local_results(each)[0] for each in sums]
        return [np.asarray(ours).astype(each.dtype) for ours, each in zip(local, given, strict=True)]

    def share(self, variables: Sequence[Any]) -> None:
        """Every worker's variables take the chief's values."""
        if self.workers > 1:
            values = self.from_chief([keras.ops.convert_to_numpy(variable) for variable in variables])
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


ALONE = Team()


def team(kind: str | None) -> Team:
    """Of `--distribute KIND`: none, "mirrored" or "multiworker"; to be asked for before anything is computed.

    Raises InputError if TF_CONFIG does not tell which worker this is.
    """
    if kind is None:
        return ALONE
    if kind == "multiworker":
        number, workers = _place(os.environ.get("TF_CONFIG", ""))
    with quiet():
        import tensorflow as tf

        if kind == "mirrored":
            return Team(tf.distribute.MirroredStrategy())
        return Team(tf.distribute.MultiWorkerMirroredStrategy(), number, workers)


def _place(config: str) -> tuple[int, int]:
    """The number of this worker and how many there are."""
    try:
        found = json.loads(config)
        number, workers = int(found["task"]["index"]), len(found["cluster"]["worker"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"TF_CONFIG: {config or 'not set'}; --distribute multiworker wants {EXAMPLE}") from error
    if found["task"].get("type") != "worker" or not 0 <= number < workers:
        raise InputError(f"TF_CONFIG: task {found['task']} is none of {workers} workers; wanted is {EXAMPLE}")
    return number, workers


def fit_together(
    together: Team,
    model: keras.Model,
    batches: keras.utils.PyDataset,
    check: keras.utils.PyDataset,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """`model.fit` for several workers: the same callbacks, called after each epoch.

    The chief's state is what all start from, so that its backup is enough to go on from.
    """
    import tensorflow as tf

    strategy = together.strategy
    learn = tf.function(lambda *batch: strategy.run(model.train_step, args=(batch,)))
    judge = tf.function(lambda *batch: strategy.run(model.test_step, args=(batch,)))
    local = strategy.num_replicas_in_sync // together.workers
    verbose = 2 if together.chief else 0
    calls = keras.callbacks.CallbackList(
        list(callbacks), add_progbar=together.chief, model=model, verbose=verbose, epochs=epochs, steps=len(batches)
    )
    with together.scope():
        model.optimizer.build(model.trainable_variables)
    model.stop_training = False
    calls.on_train_begin()
    together.share([*model.weights, *model.optimizer.variables])
    (start,) = together.from_chief([model._initial_epoch or 0])  # of a backup
    for epoch in range(int(start), epochs):
        calls.on_epoch_begin(epoch)
        logs = _measured(model, learn, _dataset(strategy, batches, len(batches) * local))
        of_check = _measured(model, judge, _dataset(strategy, check, len(check)))
        calls.on_epoch_end(epoch, logs | {f"val_{name}": value for name, value in of_check.items()})
        if model.stop_training:
            break
    calls.on_train_end()


def _measured(model: keras.Model, step: Any, data: Any) -> dict[str, float]:
    model.reset_metrics()
    for batch in data:
        step(*batch)
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def _dataset(strategy: Any, batches: keras.utils.PyDataset, count: int) -> Any:
    """Batches 0 to count - 1, made beside the training, one a replica of this worker."""
    import tensorflow as tf

    kinds = [(tf.as_dtype(each.dtype), (None, *each.shape[1:])) for each in batches[0]]

    def batch(number: Any) -> tuple[Any, ...]:
        made = tf.numpy_function(lambda k: batches[int(k)], [number], [dtype for dtype, _ in kinds])
        return tuple(tf.ensure_shape(each, shape) for each, (_, shape) in zip(made, kinds, strict=True))

    def mine(_: Any) -> Any:
        numbers = tf.data.Dataset.range(count)
        return numbers.map(batch, num_parallel_calls=os.cpu_count(), deterministic=True).prefetch(2)

    return strategy.distribute_datasets_from_function(mine)
