"""The photos that convert needs: a calibration set from the training part, faces and frames from the test part."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from edge.errors import InputError
from edge.picture import read_picture
from edge.preprocess import Framing, Size, frame_input
from edge.values import LABELS, Rgb
from train.boxes import with_boxes
from train.crops import Crop, LabelledFace, cut, labelled_faces
from train.datasets import NEGATIVES, SCENES, Picture
from train.split import Split, prepare

DATA_FILE, SPLIT_FILE, AUDIT_FILE = "data.txt", "split.csv", "audit.json"


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Pictures that show the converter which values occur.

    names: their paths, relative to the data. pictures: uint8 (H, W, 3), as the network gets them.
    """

    names: list[str]
    pictures: list[Rgb]


def find_photos(train: Path, data: Path | None) -> Path:
    """The folder that the models were trained on: `data`, or what training noted down. InputError if it is gone."""
    noted = train / DATA_FILE
    if data is None and not noted.is_file():
        raise InputError(f"{noted}: no such file; run `make train` first, or give --data DIR")
    folder = data or Path(noted.read_text(encoding="utf-8").strip())
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give --data DIR, the photos that the models were trained on")
    return folder


def read_split(data: Path, train: Path) -> Split:
    """The parts that training used, faces without a box given one as in training.

    InputError if training left no split, or if the data would be split otherwise today: a new split would measure on
    photos that were trained on.
    """
    try:
        noted = {name: (train / name).read_bytes() for name in (SPLIT_FILE, AUDIT_FILE)}
        seed = int(json.loads(noted[AUDIT_FILE])["seed"])
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror}); run `make train` first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{train / AUDIT_FILE}: not what training writes; run `make train` again") from error
    with tempfile.TemporaryDirectory() as copy:
        for name in noted:
            shutil.copy(train / name, copy)
        split = prepare(data, Path(copy), seed)
        if Path(copy, SPLIT_FILE).read_bytes() != noted[SPLIT_FILE]:
            raise InputError(f"{data}: the photos are not those of {train / SPLIT_FILE}; run `make train` again")
    return replace(split, train=with_boxes(split.train), test=with_boxes(split.test))


def calibration_frames(pictures: Sequence[Picture], data: Path, size: Size, count: int, seed: int) -> Calibration:
    """Whole pictures that a camera could have taken, as the locator gets them; `count` at most, drawn by `seed`."""
    chosen = _draw([picture for picture in pictures if picture.kind in (SCENES, NEGATIVES)], count, seed)
    return Calibration(_names(chosen, data), [frame_input(read_picture(each.path), size)[0] for each in chosen])


def calibration_faces(pictures: Sequence[Picture], data: Path, framing: Framing, count: int, seed: int) -> Calibration:
    """Crops as the classifier gets them, one a picture; `count` at most, drawn by `seed`."""
    chance = random.Random(seed)
    faces = [chance.choice(list(some)) for _, some in _by_picture(pictures)]
    chosen = _draw(faces, count, seed)
    crop = Crop(framing.size, framing.margin)
    crops = [cut(read_picture(face.picture.path), face, crop) for face in chosen]
    return Calibration(_names([face.picture for face in chosen], data), crops)


def faces_of(pictures: Sequence[Picture], framing: Framing) -> Iterator[tuple[str, Rgb]]:
    """Every labelled face: its label, `covered` as without_mask, and its crop uint8 (size, size, 3)."""
    crop = Crop(framing.size, framing.margin)
    for picture, faces in _by_picture(pictures):
        rgb = read_picture(picture.path)
        for face in faces:
            yield LABELS[face.label], cut(rgb, face, crop)


def frames_of(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, Rgb]]:
    """Every whole picture that a camera could have taken, with or without faces: scenes and negatives."""
    for picture in pictures:
        if picture.kind in (SCENES, NEGATIVES):
            yield picture, read_picture(picture.path)


def _by_picture(pictures: Sequence[Picture]) -> Iterable[tuple[Picture, Iterator[LabelledFace]]]:
    return groupby(labelled_faces(pictures), key=lambda face: face.picture)


def _draw(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    if not items:
        raise InputError("no pictures to calibrate with in the training part; train again on data that has some")
    return random.Random(seed).sample(items, min(count, len(items)))


def _names(pictures: Sequence[Picture], data: Path) -> list[str]:
    return [picture.path.relative_to(data).as_posix() for picture in pictures]
