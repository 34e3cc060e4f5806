"""Labelled faces for the classifier: which there are, and how each is cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import InputError
from edge.preprocess import face_input
from edge.values import INCORRECT, LABELS, WITH_MASK, WITHOUT_MASK, Box, Rgb
from train.augment import CROP_STEPS, Chance, augment
from train.datasets import NEGATIVES, Picture
from train.pools import Pool, shares
from train.readers import COVERED

LEAST_HEIGHT = 20  # pixels; a smaller face does not show whether its nose is bare
TIGHT_SHARE = 0.25  # of the samples, cut as tight as pictures that hold nothing but a face


@dataclass(frozen=True, slots=True)
class Crop:
    """How a face is cut out: `size` pixels a side, `margin` of the box's longer side on each side."""

    size: int
    margin: float


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A face to learn from.

    label: its number in LABELS. covered: behind something that is no mask (its label is that of a bare face).
    box: in pixels of the picture, or None where the picture holds the face and nothing else.
    """

    picture: Picture
    label: int
    covered: bool
    box: Box | None


def labelled_faces(pictures: Sequence[Picture]) -> list[LabelledFace]:
    """All faces with a label of at least LEAST_HEIGHT; those of unknown state and those to ignore are left out."""
    faces = []
    for picture in pictures:
        for label, box in _labels(picture):
            known = label == COVERED or label in LABELS
            if known and (box is None or min(box.width, box.height) >= LEAST_HEIGHT):
                number = LABELS.index(WITHOUT_MASK if label == COVERED else label)
                faces.append(LabelledFace(picture, number, label == COVERED, box))
    return faces


def check_enough(
    train: Sequence[LabelledFace], validation: Sequence[LabelledFace], test: Sequence[LabelledFace]
) -> None:
    """InputError unless every part has a face, and those to train on have two labels at least."""
    if not (train and validation and test):
        counts = f"{len(train)} faces to train on, {len(validation)} to validate, {len(test)} to test"
        raise InputError(f"{counts}; give more photos")
    if len(labels := {face.label for face in train}) < 2:
        raise InputError(f"every face to train on is {LABELS[labels.pop()]}; give more photos, of both kinds")


def _labels(picture: Picture) -> list[tuple[str, Box | None]]:
    if picture.boxes:
        return [(each.label, each.box) for each in picture.boxes]
    return [] if picture.kind == NEGATIVES or picture.label is None else [(picture.label, None)]


def whole_box(rgb: Rgb) -> Box:
    """The whole picture as a face's box."""
    return Box(0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))


def cut(rgb: Rgb, face: LabelledFace, crop: Crop) -> Rgb:
    """The crop that the device would make; a picture that is nothing but a face is taken whole."""
    if face.box is None:
        return face_input(rgb, whole_box(rgb), Crop(crop.size, 0.0))
    return face_input(rgb, face.box, crop)


def cut_by_chance(rgb: Rgb, face: LabelledFace, crop: Crop, chance: Chance) -> Rgb:
    """A crop with a shaken box and margin, turned, lit and degraded by chance.

    Pictures that hold nothing but a face run from the brow to under the chin. A share of the other faces is cut just
    as tight, or the framing would give the label away.
    """
    if face.box is None:
        box, margin = _tight(whole_box(rgb), chance, top=0.0), 0.0
    elif chance.random() < TIGHT_SHARE:
        box, margin = _tight(face.box, chance, top=chance.uniform(0.12, 0.3)), 0.0
    else:
        box, margin = face.box, crop.margin + chance.uniform(-0.18, 0.18)
    shift_x, shift_y = chance.uniform(-0.08, 0.08, 2) * max(box.width, box.height)
    moved = Box(box.x_min + shift_x, box.y_min + shift_y, box.x_max + shift_x, box.y_max + shift_y)
    return augment(face_input(rgb, moved, Crop(crop.size, margin)), CROP_STEPS, chance)


def _tight(box: Box, chance: Chance, top: float) -> Box:
    """A square within the box without its top part; now and then as long as the longer side."""
    y_min = box.y_min + top * box.height
    width, height = box.width, box.y_max - y_min
    half = (max(width, height) if chance.random() < 0.25 else min(width, height) * chance.uniform(0.85, 1.0)) / 2
    x, y = box.centre[0], (y_min + box.y_max) / 2
    return Box(x - half, y - half, x + half, y + half)


class FacePool:
    """Draws faces: labels by their share, a label's faces by `Pool`."""

    SHARES = (
        (WITHOUT_MASK, False, 0.30),
        (WITHOUT_MASK, True, 0.10),
        (WITH_MASK, False, 0.40),
        (INCORRECT, False, 0.20),
    )

    def __init__(self, faces: Sequence[LabelledFace]) -> None:
        self._pools, weights = [], []
        for label, covered, share in self.SHARES:
            mine = [face for face in faces if (face.label, face.covered) == (LABELS.index(label), covered)]
            if mine:
                self._pools.append(Pool(mine, lambda face: face.picture.source))
                weights.append(share)
        self._weights = shares(weights)

    def one(self, chance: Chance) -> LabelledFace:
        return self._pools[chance.choice(len(self._pools), p=self._weights)].one(chance)
