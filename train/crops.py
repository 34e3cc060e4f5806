"""Labelled faces for the classifier: which there are, and how the device would cut each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import InputError
from edge.preprocess import face_input
from edge.values import LABELS, NO_FACE, OUTPUTS, WITHOUT_MASK, Box, Rgb
from train.datasets import NEGATIVES, Picture
from train.overlays import tight_face
from train.proposals import Proposals, false_places, seen_box
from train.readers import COVERED

LEAST_HEIGHT = 20  # pixels; a smaller face does not show whether its nose is bare


@dataclass(frozen=True, slots=True)
class Crop:
    """How a face is cut out: `size` pixels a side, `margin` of the box's longer side on each side."""

    size: int
    margin: float


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A face to learn from, or what was taken for one.

    label: its number in OUTPUTS. covered: behind something that is no mask (its label is that of a bare face).
    box: in pixels of the picture, or None where the picture holds the face and nothing else.
    seen: the box that a locator gives it, as the device would crop it; None where it does not find it, and for a face
        alone in its picture, of which locators tend to find an eye or half.
    """

    picture: Picture
    label: int
    covered: bool
    box: Box | None
    seen: Box | None = None


def labelled_faces(pictures: Sequence[Picture], proposals: Proposals | None = None) -> list[LabelledFace]:
    """All faces with a label of at least LEAST_HEIGHT; those of unknown state and those to ignore are left out.

    proposals: with them the faces are known as the locator frames them, and its false detections join, as NO_FACE.
    """
    proposals = proposals or {}
    faces = []
    for picture in pictures:
        found = proposals.get(picture.path, ())
        for label, box in _labels(picture):
            known = label == COVERED or label in LABELS
            if known and (box is None or min(box.width, box.height) >= LEAST_HEIGHT):
                number = OUTPUTS.index(WITHOUT_MASK if label == COVERED else label)
                faces.append(LabelledFace(picture, number, label == COVERED, box, box and seen_box(box, found)))
        faces += [LabelledFace(picture, OUTPUTS.index(NO_FACE), False, box) for box in false_places(picture, found)]
    return faces


def outputs_of(faces: Sequence[LabelledFace]) -> tuple[str, ...]:
    """What a network that learns from these faces can tell apart: the beginning of OUTPUTS that holds them all."""
    return OUTPUTS[: max(2, 1 + max(face.label for face in faces))]


def check_enough(
    train: Sequence[LabelledFace], validation: Sequence[LabelledFace], test: Sequence[LabelledFace]
) -> None:
    """InputError unless every part has a face, and those to train on have two labels at least."""
    if not (train and validation and test):
        counts = f"{len(train)} faces to train on, {len(validation)} to validate, {len(test)} to test"
        raise InputError(f"{counts}; give more photos")
    labels = {face.label for face in train} - {OUTPUTS.index(NO_FACE)}
    if len(labels) < 2:
        raise InputError(f"every face to train on is {OUTPUTS[labels.pop()]}; give more photos, of both kinds")


def _labels(picture: Picture) -> list[tuple[str, Box | None]]:
    if picture.boxes:
        return [(each.label, each.box) for each in picture.boxes]
    return [] if picture.kind == NEGATIVES or picture.label is None else [(picture.label, None)]


def whole_box(rgb: Rgb) -> Box:
    """The whole picture as a face's box."""
    return Box(0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))


def face_alone(rgb: Rgb) -> Box:
    """The box, brow to chin, of the face in a picture of nothing but a face; it reaches a little beyond the top."""
    height, width = rgb.shape[:2]
    x_min, y_min, x_max, y_max = tight_face(1)
    return Box(x_min * width, y_min * height, x_max * width, y_max * height)


def cut(rgb: Rgb, face: LabelledFace, crop: Crop) -> Rgb:
    """The crop that the device would make; a picture that is nothing but a face is taken whole if it is not found."""
    box = face.seen or face.box
    return face_input(rgb, whole_box(rgb), Crop(crop.size, 0.0)) if box is None else face_input(rgb, box, crop)
