"""A faster locator, taught by an accurate one: python -m train locator --teacher locator.keras.

The student has YuNet's neck and heads behind another front (`networks`), which first learns to give the teacher's
features at stride 8; then all of it learns from the boxes as any locator does, and from what the teacher says of the
same samples.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from train.losses import SimOtaLoss, cross_entropy

TERMS = 6  # that a locator says of a cell


def with_teacher(student: keras.Model, teacher: keras.Model) -> keras.Model:
    """Both on the same pictures: (batch, N, 12), the student's six terms, then the teacher's; he does not learn."""
    teacher.trainable = False
    image = keras.Input(student.input_shape[1:], name="rgb")
    return keras.Model(image, layers.Concatenate(dtype="float32")([student(image), teacher(image)]))


def fronts_apart(student: keras.Model, teacher: keras.Model) -> keras.Model:
    """How far the fronts' features at stride 8 lie apart: (batch, H / 8, W / 8, 64)."""
    teacher.trainable = False
    image = keras.Input(student.input_shape[1:], name="rgb")
    mine, his = (_front(model)(image) for model in (student, teacher))
    return keras.Model(image, layers.Subtract(dtype="float32")([mine, his]))


def _front(model: keras.Model) -> keras.Model:
    network = model.get_layer("network")
    return keras.Model(network.input, network.get_layer("front").output)


def mean_square(y_true: Any, y_pred: Any) -> Any:
    """The loss of `fronts_apart`; what is labelled in the pictures plays no part."""
    return ops.mean(y_pred**2, axis=(1, 2, 3))


class TaughtLoss(SimOtaLoss):
    """The detection loss, and how far the student's terms lie from the teacher's, of `with_teacher`.

    Cross entropy of both logits with the teacher's probabilities; where he sees a face, the boxes' terms too.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        mine, his = y_pred[..., :TERMS], ops.stop_gradient(y_pred[..., TERMS:])
        label, thing = (ops.sigmoid(his[..., k]) for k in range(2))
        score = label * thing
        boxes = ops.sum(ops.abs(mine[..., 2:] - his[..., 2:]), axis=-1)
        each = cross_entropy(mine[..., 1], thing) + score * (cross_entropy(mine[..., 0], label) + boxes)
        faces = ops.maximum(ops.sum(score), 1.0)
        taught = ops.sum(each, axis=1) / faces * ops.cast(ops.shape(y_true)[0], "float32")
        return super().call(y_true, mine) + taught
