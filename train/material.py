"""What a training of the classifier learns from and is checked by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.picture import read_picture
from edge.values import NO_FACE, OUTPUTS
from train.batches import FixedBatches, Sample
from train.boxes import shipped_locator, with_boxes
from train.crops import Crop, LabelledFace, check_enough, cut, labelled_faces, outputs_of
from train.proposals import LEAST_SCORE, backgrounds, propose
from train.samples import NO_FACE_SHARE, FaceCrops
from train.split import Split, prepare


@dataclass(frozen=True, slots=True)
class Material:
    """Photos split by groups, and the faces cut from them.

    outputs: what occurs among the faces to train on, a beginning of OUTPUTS. crops: makes training samples by chance.
    validation, test: the faces to check and to report by.
    """

    split: Split
    crop: Crop
    outputs: tuple[str, ...]
    faces: int
    crops: FaceCrops
    validation: list[LabelledFace]
    test: list[LabelledFace]

    def check(self) -> FixedBatches:
        """The validation faces as the device cuts them, with the probability of each output, float32 (outputs,)."""
        targets = np.eye(len(self.outputs), dtype=np.float32)
        return FixedBatches([(rgb, targets[label]) for rgb, label in cut_all(self.validation, self.crop)], 64)


def gather(data: Path, out: Path, crop: Crop, seed: int, outputs: tuple[str, ...] = ()) -> Material:
    """The photos in `data`; their split is noted in `out`. Raises InputError if they cannot teach a classifier.

    outputs: of a network that goes on learning; by default what occurs in the photos.
    """
    split = prepare(data, out, seed)
    locate = shipped_locator(LEAST_SCORE)
    pictures, checked = with_boxes(split.train), with_boxes(split.validation)
    proposals = propose(pictures, locate)
    train, validation = labelled_faces(pictures, proposals), labelled_faces(checked, propose(checked, locate))
    test = labelled_faces(with_boxes(split.test))
    check_enough(train, validation, test)
    outputs = outputs or outputs_of(train)
    known = thinned([face for face in validation if OUTPUTS[face.label] in outputs])
    crops = FaceCrops(train, crop, outputs, backgrounds(pictures, proposals))
    return Material(split, crop, outputs, len(train), crops, known, test)


def thinned(faces: list[LabelledFace]) -> list[LabelledFace]:
    """The faces, with no more false detections among them than among training samples.

    There are so many that the validation loss would be theirs, and choose the epoch that knows them best.
    """
    false = [face for face in faces if OUTPUTS[face.label] == NO_FACE]
    most = round(NO_FACE_SHARE / (1 - NO_FACE_SHARE) * (len(faces) - len(false)))
    kept = {false[k * len(false) // most] for k in range(most)} if len(false) > most else {*false}
    return [face for face in faces if OUTPUTS[face.label] != NO_FACE or face in kept]


def cut_all(faces: list[LabelledFace], crop: Crop) -> list[Sample]:
    """Every face as the device would cut it, with its output's number, int64 ()."""
    return [(cut(read_picture(face.picture.path), face, crop), np.array(face.label)) for face in faces]
