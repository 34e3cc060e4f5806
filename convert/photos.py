"""The photos that convert needs: a calibration set from the training part, faces and frames of the others."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from edge.errors import InputError
from edge.picture import read_picture
from edge.preprocess import Framing, Size, frame_input
from edge.values import NO_FACE, OUTPUTS, Face, Rgb
from train.boxes import Locate
from train.crops import Crop, LabelledFace, cut, labelled_faces
from train.datasets import NEGATIVES, SCENES, Picture
from train.measure import LocatedPicture
from train.proposals import propose
from train.readers import IGNORE

NO_FACES = 0.25  # of the calibration pictures of a classifier that tells what is no face

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Pictures that show the converter which values occur.

    names: their paths, relative to the data. pictures: uint8 (H, W, 3), as the network gets them.
    """

    names: list[str]
    pictures: list[Rgb]


def calibration_frames(pictures: Sequence[Picture], data: Path, size: Size, count: int, seed: int) -> Calibration:
    """Whole pictures that a camera could have taken, as the locator gets them; `count` at most, drawn by `seed`."""
    chosen = _draw([picture for picture in pictures if picture.kind in (SCENES, NEGATIVES)], count, seed)
    return Calibration(_names(chosen, data), [frame_input(read_picture(each.path), size)[0] for each in chosen])


def calibration_faces(
    pictures: Sequence[Picture], data: Path, framing: Framing, count: int, seed: int, locate: Locate | None = None
) -> Calibration:
    """Crops as the classifier gets them, one a picture; `count` at most, drawn by `seed`.

    locate: of a classifier that learnt what is no face, the locator whose false detections it learnt from; a share of
    the crops are such detections then, or the range of that output would be cut off.
    """
    chance = random.Random(seed)
    faces = [chance.choice(list(some)) for _, some in _by_picture(labelled_faces(pictures))]
    wrong = _taken_for_faces(pictures, round(NO_FACES * count), seed, locate) if locate else []
    chosen = _draw(faces, count - len(wrong), seed) + wrong
    crop = Crop(framing.size, framing.margin)
    crops = [cut(read_picture(face.picture.path), face, crop) for face in chosen]
    return Calibration(_names([face.picture for face in chosen], data), crops)


def _taken_for_faces(pictures: Sequence[Picture], count: int, seed: int, locate: Locate) -> list[LabelledFace]:
    """False detections, one a picture."""
    whole = [picture for picture in pictures if picture.kind in (SCENES, NEGATIVES)]
    random.Random(seed).shuffle(whole)
    number = OUTPUTS.index(NO_FACE)
    wrong: list[LabelledFace] = []
    for picture in whole:
        if len(wrong) == count:
            break
        found = labelled_faces([picture], propose([picture], locate))
        wrong += [face for face in found if face.label == number][:1]
    return wrong


def faces_of(pictures: Sequence[Picture], framing: Framing) -> Iterator[tuple[LabelledFace, Rgb]]:
    """Every labelled face and its crop, uint8 (size, size, 3)."""
    crop = Crop(framing.size, framing.margin)
    for picture, faces in _by_picture(labelled_faces(pictures)):
        rgb = read_picture(picture.path)
        for face in faces:
            yield face, cut(rgb, face, crop)


def frames_of(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, Rgb]]:
    """Every whole picture that a camera could have taken, with or without faces: scenes and negatives."""
    for picture in pictures:
        if picture.kind in (SCENES, NEGATIVES):
            yield picture, read_picture(picture.path)


def located(picture: Picture, rgb: Rgb, found: Sequence[Face]) -> LocatedPicture:
    """A picture with what was found in it, to be counted."""
    faces = tuple(each.box for each in picture.boxes if each.label != IGNORE)
    ignored = tuple(each.box for each in picture.boxes if each.label == IGNORE)
    return LocatedPicture(picture.path.name, picture.source, rgb, faces, ignored, tuple(found))


def _by_picture(faces: Sequence[LabelledFace]) -> Iterable[tuple[Picture, Iterator[LabelledFace]]]:
    return groupby(faces, key=lambda face: face.picture)


def _draw(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    if not items:
        raise InputError("no pictures to calibrate with in the training part; train again on data that has some")
    return random.Random(seed).sample(items, min(count, len(items)))


def _names(pictures: Sequence[Picture], data: Path) -> list[str]:
    return [picture.path.relative_to(data).as_posix() for picture in pictures]
