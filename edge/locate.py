"""Find the faces of a frame, masked or not."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import LocatorContract
from edge.errors import ModelError
from edge.laps import Laps
from edge.preprocess import frame_input
from edge.values import Box, Face, Rgb

Floats = NDArray[np.float32]


class Model(Protocol):
    """What runs the network: `edge.interpreter.Network`, or a stand-in."""

    def invoke(self, rgb: Rgb) -> list[Floats]: ...


class FaceLocator:
    """The locator's network with its contract. laps: gets what each frame's time was spent on."""

    def __init__(self, network: Model, contract: LocatorContract, laps: Laps | None = None) -> None:
        self._network = network
        self._contract = contract
        self._laps = laps or Laps()
        self._canvas = np.zeros((contract.height, contract.width, 3), np.uint8)
        self._cells = cells(contract)
        # the network gives the square of the score
        self._least = contract.score_threshold**2

    def locate(self, rgb: Rgb) -> list[Face]:
        """Faces of a frame, uint8 (H, W, 3), best first; boxes in pixels of the frame. Raises ModelError."""
        pixels, scale = frame_input(rgb, self._contract, self._canvas)
        self._laps.lap("resize")
        scores, boxes = self._network.invoke(pixels)
        self._laps.lap("locate")
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
            raise ModelError("the locator gives what is no number; restart, or install the bundle again")
        scores = scores.ravel()
        sure = np.flatnonzero(scores >= self._least)
        corners = decode(boxes[0][sure], self._cells[sure]) / scale
        faces = suppress(corners, np.sqrt(scores[sure]), self._contract.overlap_threshold)
        self._laps.lap("decode")
        return faces


def cells(contract: LocatorContract) -> Floats:
    """Of each cell, in the order of the network's rows: column, row and stride; float32 (N, 3)."""
    grids = []
    for stride in contract.strides:
        rows, columns = np.mgrid[: contract.height // stride, : contract.width // stride]
        grids.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    return np.concatenate(grids).astype(np.float32)


def decode(terms: Floats, cells: Floats) -> Floats:
    """Boxes x_min, y_min, x_max, y_max in pixels of the input, float32 (N, 4), from dx, dy, log w, log h and cells."""
    stride = cells[:, 2:]
    centre = (cells[:, :2] + terms[:, :2]) * stride
    half = np.exp(terms[:, 2:]) * stride / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def suppress(corners: Floats, scores: Floats, overlap: float) -> list[Face]:
    """Of boxes that overlap by more than `overlap` (IoU), only the best; best first."""
    if not len(scores):
        return []
    sizes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, overlap)
    return [Face(Box(*map(float, corners[k])), float(scores[k])) for k in np.asarray(kept).ravel()]
