from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from convert.photos import calibration_faces, calibration_frames, faces_of, frames_of, located
from edge.errors import InputError
from edge.values import WITH_MASK, Box, Face
from train.datasets import Picture
from train.noted import read_split
from train.readers import IGNORE, LabelledBox
from train.split import prepare


class Size(NamedTuple):
    width: int
    height: int


class Framing(NamedTuple):
    size: int
    margin: float


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What training leaves of the photos."""
    folder = tmp_path_factory.mktemp("train")
    prepare(photos, folder, seed=3)
    (folder / "data.txt").write_text(f"{photos}\n")
    return folder


def test_calibration_frames_are_drawn_from_the_given_pictures(photos: Path, trained: Path):
    pictures = read_split(photos, trained).train
    calibration = calibration_frames(pictures, photos, Size(64, 48), 5, seed=1)
    names = {picture.path.relative_to(photos).as_posix() for picture in pictures}
    assert len(set(calibration.names)) == 5 and set(calibration.names) <= names
    assert not any(name.startswith("crops/") for name in calibration.names)
    assert [rgb.shape for rgb in calibration.pictures] == [(48, 64, 3)] * 5


def test_calibration_faces_come_from_as_many_pictures(photos: Path, trained: Path):
    calibration = calibration_faces(read_split(photos, trained).train, photos, Framing(24, 0.1), 12, seed=1)
    assert len(set(calibration.names)) == 12
    assert [rgb.shape for rgb in calibration.pictures] == [(24, 24, 3)] * 12


def test_a_classifier_that_learnt_what_is_no_face_is_shown_some(photos: Path, trained: Path):
    pictures = read_split(photos, trained).train
    corner = Box(90, 90, 125, 125)
    calibration = calibration_faces(
        pictures, photos, Framing(24, 0.1), 12, seed=1, locate=lambda rgb: [Face(corner, 0.2)]
    )
    crops = [name for name in calibration.names if name.startswith("crops/")]
    assert len(calibration.names) == 12
    dark = sum(rgb.max() < 120 for rgb in calibration.pictures)
    assert dark == 3 and len(crops) < 10


def test_the_seed_decides_what_is_drawn(photos: Path, trained: Path):
    def draw(seed: int) -> list[str]:
        return calibration_frames(read_split(photos, trained).train, photos, Size(32, 32), 8, seed).names

    assert draw(1) == draw(1) != draw(2)


def test_with_few_pictures_all_of_them_calibrate(photos: Path, trained: Path):
    frames = list(frames_of(read_split(photos, trained).train))
    assert len(calibration_frames(read_split(photos, trained).train, photos, Size(8, 8), 999, 0).names) == len(frames)


def test_nothing_to_calibrate_with_is_an_error(photos: Path):
    with pytest.raises(InputError, match="calibrate"):
        calibration_faces([], photos, Framing(24, 0.1), 12, seed=1)


def test_every_labelled_face_of_scenes_and_crops_is_cut(photos: Path, trained: Path):
    pictures = read_split(photos, trained).test
    wanted = sum(len(picture.boxes) if picture.kind == "scenes" else picture.kind == "crops" for picture in pictures)
    faces = list(faces_of(pictures, Framing(24, 0.0)))
    assert len(faces) == wanted
    # the colour tells the label: red, blue, green
    assert all((0, 2, 1)[int(rgb.mean((0, 1)).argmax())] == face.label for face, rgb in faces)


def test_boxes_to_ignore_are_no_faces():
    face, other = Box(0, 0, 10, 10), Box(20, 20, 30, 30)
    picture = Picture(
        Path("a.png"), "scenes", "here", "a", None, (LabelledBox(WITH_MASK, face), LabelledBox(IGNORE, other))
    )
    seen = located(picture, np.zeros((40, 40, 3), np.uint8), [Face(other, 0.9)])
    assert (seen.truth, seen.ignore, seen.found) == ((face,), (other,), (Face(other, 0.9),))
