"""`maskgate detect`: say of each picture which faces it shows, and whether they wear masks."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from edge.draw import draw_faces
from edge.errors import InputError
from edge.picture import PICTURE_SUFFIXES, pictures_of, read_picture
from edge.values import Judged, Rgb

COLUMNS = ("image", "x_min", "y_min", "x_max", "y_max", "label", "score")
Row = tuple[str, ...]


class PictureJudge(Protocol):
    """What finds and judges the faces of a picture: `edge.judge.Judge`, or a stand-in."""

    def judge(self, rgb: Rgb) -> list[Judged]: ...


class Picture(NamedTuple):
    """A picture file, and what it is called in the answers."""

    file: Path
    name: str


def detect(
    paths: Sequence[Path], judge: PictureJudge, csv_file: Path | None = None, draw_folder: Path | None = None
) -> bool:
    """Print one line a picture; write the faces to `csv_file`, and annotated pictures into `draw_folder`.

    paths: pictures, and folders of pictures. A bad picture is told on standard error and the rest is still done.
    Returns whether all were good. Raises InputError when nothing can be written.
    """
    pictures, errors = find_pictures(paths)
    if csv_file is not None:
        _check_place(csv_file)
    targets = _targets(pictures, draw_folder) if draw_folder is not None else {}
    rows: list[Row] = []
    for picture in pictures:
        try:
            rows += _judge_picture(picture, judge, targets.get(picture))
        except InputError as error:
            errors.append(error)
            _tell(error)
    if csv_file is not None:
        write_csv(csv_file, rows)
    return not errors


def _judge_picture(picture: Picture, judge: PictureJudge, target: Path | None) -> Iterator[Row]:
    """Print the picture's line, draw it to `target` if there is one; its rows."""
    rgb = read_picture(picture.file)
    faces = [face for face in (clipped(face, rgb) for face in judge.judge(rgb)) if face is not None]
    if target is not None:
        write_picture(target, draw_faces(rgb, faces))
    print(f"{picture.name}: {summary(faces)}", flush=True)
    return rows_of(picture.name, faces)


def find_pictures(paths: Sequence[Path]) -> tuple[list[Picture], list[InputError]]:
    """The pictures at these paths; what is wrong with the folders among them is told and returned."""
    pictures: list[Picture] = []
    errors: list[InputError] = []
    for path in paths:
        try:
            files = pictures_of(path) if path.is_dir() else [path]
            pictures += [Picture(file, file.name) for file in files]
        except InputError as error:
            errors.append(error)
            _tell(error)
    return pictures, errors


def clipped(face: Judged, rgb: Rgb) -> Judged | None:
    """The face with its box cut at the picture's border; None when nothing is left."""
    height, width = rgb.shape[:2]
    x_min, x_max = np.clip((face.box.x_min, face.box.x_max), 0, width).tolist()
    y_min, y_max = np.clip((face.box.y_min, face.box.y_max), 0, height).tolist()
    if x_min >= x_max or y_min >= y_max:
        return None
    return Judged(
        face.box._replace(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max), face.face_score, face.classification
    )


def rows_of(name: str, faces: Sequence[Judged]) -> Iterator[Row]:
    """One row of COLUMNS a face."""
    for face in faces:
        corners = (f"{value:.1f}" for value in face.box)
        yield name, *corners, face.classification.label, f"{face.classification.score:.4f}"


def summary(faces: Sequence[Judged]) -> str:
    """Of all faces, label and score, as in "with_mask 0.98, without_mask 0.91"."""
    verdicts = (face.classification for face in faces)
    return ", ".join(f"{verdict.label} {verdict.score:.2f}" for verdict in verdicts) or "no face"


def write_csv(file: Path, rows: Sequence[Row]) -> None:
    """The file appears whole or not at all. Raises InputError."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
        os.replace(part, file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"{file}: cannot be written ({error.strerror})") from error


def write_picture(file: Path, rgb: Rgb) -> None:
    """Raises InputError."""
    try:
        file.write_bytes(cv2.imencode(file.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror})") from error


def _check_place(file: Path) -> None:
    """Before the work, not after it."""
    if file.is_dir():
        raise InputError(f"{file}: is a folder; give the name of a file")
    if not os.access(file.parent, os.W_OK):
        raise InputError(f"{file}: cannot be written; is there a folder {file.parent} that you may write to?")


def _targets(pictures: Sequence[Picture], folder: Path) -> dict[Picture, Path]:
    """Where each annotated picture goes. Raises InputError when one would overwrite a picture, or another of them."""
    for name, count in Counter(picture.name for picture in pictures).items():
        if count > 1:
            raise InputError(f"--draw {folder}: {count} pictures are called {name}; draw one folder at a time")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--draw {folder}: the folder cannot be made ({error.strerror})") from error
    targets = {picture: folder / _drawn_name(picture.name) for picture in pictures}
    for picture, target in targets.items():
        if target.exists() and target.samefile(picture.file):
            raise InputError(f"--draw {folder}: would overwrite {picture.file}; give another folder")
    return targets


def _drawn_name(name: str) -> str:
    return name if Path(name).suffix.lower() in PICTURE_SUFFIXES else f"{name}.png"


def _tell(error: InputError) -> None:
    print(f"maskgate: error: {error}", file=sys.stderr, flush=True)
