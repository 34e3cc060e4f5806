"""Other ways to look at a frame, for `train.evaluation.side_by_side`: each takes a picture, uint8 (H, W, 3), RGB."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.interpreter import Interpreter  # type: ignore[attr-defined]
from edge.quiet import quiet
from edge.values import Box, Rgb

Floats = NDArray[np.float32]

SIDE = 224
CELLS = (33, 17, 9, 5, 3)
"""Of AIZOO's maps, a side."""
SCALES = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
ASPECTS = (0.62, 0.42)
VARIANCE = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
THRESHOLD, OVERLAP = 0.5, 0.4


class Lite:
    """A float .tflite network, its file or its bytes, on one thread. Raises InputError."""

    def __init__(self, model: Path | bytes) -> None:
        try:
            with quiet():
                content = model if isinstance(model, bytes) else model.read_bytes()
                self._network = Interpreter(model_content=content, num_threads=1)
                self._network.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"{model!s:.80}: not a .tflite network ({error})") from error
        self._input = self._network.get_input_details()[0]["index"]
        outputs = self._network.get_output_details()
        self._outputs = [each["index"] for each in sorted(outputs, key=lambda each: int(each["shape"][-1]))]

    def run(self, pixels: Floats) -> list[Floats]:
        """float32 (1, H, W, 3) -> the outputs, the narrowest first."""
        self._network.set_tensor(self._input, pixels)
        self._network.invoke()
        return [self._network.get_tensor(index) for index in self._outputs]

    def invoke(self, rgb: Rgb) -> list[Floats]:
        """The same of a picture whose grey levels the network takes as they are; see `edge.locate.Model`."""
        return self.run(rgb[np.newaxis].astype(np.float32))


class OneFace:
    """How most projects of this kind judge a face: cut it out, resize it to 224 x 224, scale it, `predict`.

    predict: takes float32 (1, 224, 224, 3), 0 to 1. box: where the face is, which here costs them nothing.
    """

    def __init__(self, predict: Any, box: Box) -> None:
        self._predict = predict
        self._box = [round(side) for side in box]

    def __call__(self, rgb: Rgb) -> object:
        left, top, right, bottom = self._box
        face = cv2.resize(rgb[max(0, top) : bottom, max(0, left) : right], (SIDE, SIDE))
        return self._predict(np.expand_dims(face.astype(np.float32) / 255, 0))


class Aizoo:
    """The public network of AIZOO, 260 x 260, as its authors call it: find and judge faces in one go."""

    def __init__(self, file: Path) -> None:
        self._network = Lite(file)
        self._anchors = anchors()

    def __call__(self, rgb: Rgb) -> list[Box]:
        pixels = cv2.resize(rgb, (260, 260)).astype(np.float32) / 255
        scores, terms = self._network.run(pixels[np.newaxis])
        best = scores[0].max(axis=1)
        sure = np.flatnonzero(best > THRESHOLD)
        corners = self._decode(terms[0][sure], self._anchors[sure]) * (rgb.shape[1::-1] * 2)
        sizes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        kept = cv2.dnn.NMSBoxes(sizes.tolist(), best[sure].tolist(), THRESHOLD, OVERLAP)
        return [Box(*map(float, corners[k])) for k in np.asarray(kept, int).ravel()]

    @staticmethod
    def _decode(terms: Floats, anchors: Floats) -> Floats:
        """Corners as fractions of the picture, (N, 4)."""
        terms = terms * VARIANCE
        centre = anchors[:, :2] + terms[:, :2] * anchors[:, 2:]
        half = anchors[:, 2:] * np.exp(terms[:, 2:]) / 2
        return np.clip(np.concatenate([centre - half, centre + half], axis=1), 0, 1)


def anchors() -> Floats:
    """AIZOO's 5,972 anchors: centre, width and height as fractions of the picture, float32 (N, 4)."""
    every = []
    for cells, (small, large) in zip(CELLS, SCALES, strict=True):
        shapes = [(small, small), (large, large), *((small * a**0.5, small / a**0.5) for a in ASPECTS)]
        rows, columns = np.mgrid[:cells, :cells]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 1, 2) + 0.5) / cells
        sides = np.broadcast_to(np.array(shapes), (cells * cells, len(shapes), 2))
        every.append(np.concatenate([np.broadcast_to(centres, sides.shape), sides], axis=2).reshape(-1, 4))
    return np.concatenate(every).astype(np.float32)


class YuNet:
    """YuNet by OpenCV, an .onnx file: finds faces and judges nothing. Raises InputError."""

    def __init__(self, file: Path, size: tuple[int, int]) -> None:
        try:
            self._detector = cv2.FaceDetectorYN.create(str(file), "", size, 0.6)
        except cv2.error as error:
            raise InputError(f"{file}: not a YuNet that OpenCV can load ({str(error).strip()})") from error

    def __call__(self, rgb: Rgb) -> object:
        return self._detector.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1]


def keras_network(arch: str) -> Any:
    """A classifier of `train.backbones` for 224 x 224 pixels of 0 to 1, weights random: only its time counts."""
    with quiet():
        from train.backbones import classifier

        return classifier(arch, SIDE, "none", 3).get_layer("network")


def as_float_lite(network: Any) -> bytes:
    """A Keras network as a float .tflite file, for a batch of 1."""
    with quiet(), contextlib.redirect_stdout(io.StringIO()):  # a page about every variable
        import tensorflow as tf

        return bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
