"""Face crops for the classifier, put together by chance: which face, how it is framed, what is drawn on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.picture import read_picture
from edge.preprocess import face_input
from edge.values import INCORRECT, LABELS, NO_FACE, OUTPUTS, WITH_MASK, WITHOUT_MASK, Box, Rgb
from train import overlays
from train.augment import CROP_STEPS, Chance, augment
from train.crops import Crop, LabelledFace, face_alone, whole_box
from train.pools import Pool, shares
from train.proposals import Background

TIGHT_SHARE = 0.2  # of the samples of faces that are not alone in their picture
SEEN_SHARE = 0.6  # of the others; the rest is framed by the labelled box
UNJUDGEABLE_SHARE, NO_FACE_SHARE = 0.04, 0.08
ELSEWHERE_SHARE = 0.06  # places that no locator takes for a face, to be added to the NO_FACE_SHARE of those one did
TRIES = 8  # to find a face that can be drawn on

Draw = Callable[[Rgb, Box, Chance], Rgb]


@dataclass(frozen=True, slots=True)
class Kind:
    """Of `share` of the samples: faces of a label, covered or not, and what is drawn on them to make them another."""

    share: float
    label: str
    covered: bool = False
    draw: Draw | None = None
    becomes: str | None = None


KINDS = (
    Kind(0.17, WITHOUT_MASK),
    Kind(0.12, WITHOUT_MASK, covered=True),
    Kind(0.06, WITHOUT_MASK, draw=overlays.cover),
    Kind(0.03, WITHOUT_MASK, draw=overlays.chin_mask),
    Kind(0.32, WITH_MASK),
    Kind(0.05, WITHOUT_MASK, draw=overlays.proper_mask, becomes=WITH_MASK),
    Kind(0.11, INCORRECT),
    Kind(0.06, WITHOUT_MASK, draw=overlays.incorrect_mask, becomes=INCORRECT),
    Kind(NO_FACE_SHARE, NO_FACE),
)


class FaceCrops:
    """Makes crops of a kind by its share, of a kind's faces as `Pool` draws them."""

    def __init__(
        self,
        faces: Sequence[LabelledFace],
        crop: Crop,
        outputs: Sequence[str],
        elsewhere: Sequence[Background] = (),
        kinds: Sequence[Kind] = KINDS,
    ) -> None:
        self._crop, self._outputs = crop, outputs
        self._elsewhere = Pool(elsewhere, lambda each: each.picture.source)
        self._elsewhere_share = ELSEWHERE_SHARE if elsewhere and NO_FACE in outputs else 0.0
        self._pools = []
        for kind in kinds:
            mine = [each for each in faces if (OUTPUTS[each.label], each.covered) == (kind.label, kind.covered)]
            if mine and (kind.becomes or kind.label) in outputs:
                self._pools.append((kind, Pool(mine, lambda face: face.picture.source)))
        self._weights = shares([kind.share for kind, _ in self._pools])

    def one(self, chance: Chance) -> tuple[Rgb, NDArray[np.float32]]:
        """A crop, uint8 (size, size, 3), and the probability of each output, float32 (outputs,)."""
        if self._elsewhere_share and chance.random() < self._elsewhere_share:
            background = self._elsewhere.one(chance)
            rgb = read_picture(background.picture.path)
            if place := background.place(rgb, chance):
                return self._finished(face_input(rgb, place, self._crop), NO_FACE, chance)
        kind, pool = self._pools[chance.choice(len(self._pools), p=self._weights)]
        for _ in range(TRIES if kind.draw else 1):
            face = pool.one(chance)
            crop, box = framed(read_picture(face.picture.path), face, self._crop, chance)
            if kind.draw and overlays.drawable(crop, box):
                return self._finished(kind.draw(crop, box, chance), kind.becomes or kind.label, chance)
        return self._finished(crop, kind.label, chance)

    def _finished(self, crop: Rgb, label: str, chance: Chance) -> tuple[Rgb, NDArray[np.float32]]:
        target = np.zeros(len(self._outputs), np.float32)
        target[OUTPUTS.index(label)] = 1.0
        crop = augment(crop, CROP_STEPS, chance)
        if label in LABELS and chance.random() < UNJUDGEABLE_SHARE:
            labels = [name for name in self._outputs if name in LABELS]
            target[:] = 0.0
            target[: len(labels)] = 1 / len(labels)
            crop = unjudgeable(crop, chance)
        return crop, target


def framed(rgb: Rgb, face: LabelledFace, crop: Crop, chance: Chance) -> tuple[Rgb, Box]:
    """The face cut out by chance, uint8 (size, size, 3), and where in it the face lies, brow to chin.

    Framed as the locator frames it, or by its labelled box, with a shaken margin. Pictures that hold nothing but a face
    run from the brow to under the chin: a share of the other faces is cut just as tight, or the framing would give the
    label away.
    """
    alone = face.box is None
    true = face_alone(rgb) if face.box is None else face.box
    if chance.random() < (0.5 if alone else TIGHT_SHARE):
        tight = whole_box(rgb) if alone else true
        box, margin = _tight(tight, chance, top=0.0 if alone else chance.uniform(0.12, 0.3)), 0.0
    else:
        seen = face.seen if face.seen is not None and chance.random() < SEEN_SHARE else true
        box, margin = seen, crop.margin + chance.uniform(-0.18, 0.18)
    shift_x, shift_y = chance.uniform(-0.08, 0.08, 2) * max(box.width, box.height)
    moved = Box(box.x_min + shift_x, box.y_min + shift_y, box.x_max + shift_x, box.y_max + shift_y)
    side = max(moved.width, moved.height) * (1 + 2 * margin)
    left, top = (middle - side / 2 for middle in moved.centre)
    scale = crop.size / side
    inside = Box(*((edge - start) * scale for edge, start in zip(true, (left, top, left, top), strict=True)))
    return face_input(rgb, moved, Crop(crop.size, margin)), inside


def unjudgeable(crop: Rgb, chance: Chance) -> Rgb:
    """So dark, so blurred or of so few pixels that nobody could tell whether a mask is worn."""
    size, way = len(crop), chance.integers(3)
    if way == 0:
        noise = chance.normal(0, chance.uniform(0, 3), crop.shape)
        return (crop * chance.uniform(0.0, 0.04) + noise).clip(0, 255).astype(np.uint8)
    if way == 1:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), size * chance.uniform(0.12, 0.25)), np.uint8)
    few = int(chance.integers(2, 6))
    pixels = cv2.resize(crop, (few, few), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _tight(box: Box, chance: Chance, top: float) -> Box:
    """A square within the box without its top part; now and then as long as the longer side."""
    y_min = box.y_min + top * box.height
    width, height = box.width, box.y_max - y_min
    half = (max(width, height) if chance.random() < 0.25 else min(width, height) * chance.uniform(0.85, 1.0)) / 2
    x, y = box.centre[0], (y_min + box.y_max) / 2
    return Box(x - half, y - half, x + half, y + half)
