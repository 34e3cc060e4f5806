"""The locator's loss: which cells answer for which face, and what they should have said."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from train.canvases import ASKED, SPARED

MOST_CELLS = 8  # that one face may take


class SimOtaLoss(keras.losses.Loss):
    """SimOTA assignment and losses of YOLOX (Ge et al. 2021), as YuNet uses them, for one class.

    cells: float32 (N, 3), column, row, stride (`edge.locate.cells`).
    y_true: (batch, M, 5), x_min, y_min, x_max, y_max in pixels and ASKED, PADDING or SPARED.
    y_pred: (batch, N, 6), class logit, object logit, dx, dy, log w, log h.
    A face takes the one to eight cells that cost least under the network's own scores and overlaps. Loss: overlap as
    the class target on those cells, object on every cell outside SPARED boxes, 5 x (1 - IoU squared) for the boxes.
    """

    def __init__(self, cells: np.ndarray) -> None:
        super().__init__(name="simota", dtype="float32")
        self._cells = ops.convert_to_tensor(cells, "float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        boxes = self._decode(y_pred)
        overlap = _iou(y_true[:, :, None, :4], boxes[:, None])  # (batch, M, N)
        matched, target = self._assign(y_true, y_pred, overlap)
        answers = ops.max(matched, axis=1)  # (batch, N): 1 where the cell answers for a face
        best = ops.sum(matched * overlap, axis=1)
        spared = (1 - answers) * self._inside(y_true, SPARED)
        label, thing = (cross_entropy(y_pred[..., k], goal) for k, goal in enumerate((target, answers)))
        each = answers * (label + 5 * (1 - best**2)) + (1 - spared) * thing
        faces = ops.maximum(ops.sum(answers), 1.0)
        return ops.sum(each, axis=1) / faces * ops.cast(ops.shape(y_true)[0], "float32")

    def _decode(self, y_pred: Any) -> Any:
        stride = self._cells[:, 2:]
        centre = (self._cells[:, :2] + y_pred[..., 2:4]) * stride
        half = ops.exp(ops.clip(y_pred[..., 4:6], -4.0, 4.0)) * stride / 2
        return ops.concatenate([centre - half, centre + half], axis=-1)

    def _assign(self, y_true: Any, y_pred: Any, overlap: Any) -> tuple[Any, Any]:
        """Which cell answers for which face, (batch, M, N) of 0 and 1, and each cell's overlap with its face."""
        overlap = ops.stop_gradient(overlap)
        logits = ops.stop_gradient(y_pred[..., :2])
        score = ops.sqrt(ops.prod(ops.sigmoid(logits), axis=-1))
        allowed = self._near_centre(y_true)
        cost = -ops.log(score + 1e-7)[:, None] - 3 * ops.log(overlap + 1e-7) + 1e5 * (1 - allowed)
        wanted = ops.sum(ops.top_k(overlap * allowed, 10)[0], axis=-1)
        wanted = ops.cast(ops.clip(wanted, 1, MOST_CELLS), "int32") - 1
        cheapest = -ops.top_k(-cost, MOST_CELLS)[0]
        limit = ops.take_along_axis(cheapest, wanted[..., None], axis=-1)
        face = ops.cast(y_true[..., 4:] == ASKED, "float32")
        matched = ops.cast(cost <= limit, "float32") * face * allowed
        # a cell that several faces want goes to the one it costs least
        cheapest_face = ops.one_hot(ops.argmin(cost + 1e6 * (1 - matched), axis=1), y_true.shape[1], axis=1)
        matched = matched * cheapest_face
        return matched, ops.sum(matched * overlap, axis=1)

    def _near_centre(self, y_true: Any) -> Any:
        """Cells whose centre lies in the face's box or within 2.5 strides of its centre, (batch, M, N)."""
        x, y, stride = self._centres()
        x_min, y_min, x_max, y_max = (y_true[..., k, None] for k in range(4))
        inside = (x > x_min) & (x < x_max) & (y > y_min) & (y < y_max)
        reach = 2.5 * stride
        close = (ops.abs(x - (x_min + x_max) / 2) < reach) & (ops.abs(y - (y_min + y_max) / 2) < reach)
        return ops.cast(inside | close, "float32")

    def _inside(self, y_true: Any, kind: float) -> Any:
        """1 for the cells whose centre lies in a box of that kind, (batch, N)."""
        x, y, _ = self._centres()
        x_min, y_min, x_max, y_max, kinds = (y_true[..., k, None] for k in range(5))
        inside = (kinds == kind) & (x > x_min) & (x < x_max) & (y > y_min) & (y < y_max)
        return ops.max(ops.cast(inside, "float32"), axis=1)

    def _centres(self) -> tuple[Any, Any, Any]:
        column, row, stride = (self._cells[None, None, :, k] for k in range(3))
        return (column + 0.5) * stride, (row + 0.5) * stride, stride


def _iou(a: Any, b: Any) -> Any:
    """Overlap of boxes along the last axis, broadcast over the others."""
    width = ops.minimum(a[..., 2], b[..., 2]) - ops.maximum(a[..., 0], b[..., 0])
    height = ops.minimum(a[..., 3], b[..., 3]) - ops.maximum(a[..., 1], b[..., 1])
    shared = ops.maximum(width, 0.0) * ops.maximum(height, 0.0)
    area_a, area_b = ((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (a, b))
    return shared / (area_a + area_b - shared + 1e-7)


def cross_entropy(logits: Any, goal: Any) -> Any:
    """Of probabilities sigmoid(logits) with those of the goal, one by one."""
    return ops.maximum(logits, 0.0) - logits * goal + ops.log1p(ops.exp(-ops.abs(logits)))
