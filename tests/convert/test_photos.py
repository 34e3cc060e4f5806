import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from convert.photos import calibration_faces, calibration_frames, faces_of, find_photos, frames_of, read_split
from edge.errors import InputError
from edge.values import LABELS
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


def test_the_photos_are_where_training_noted_them(photos: Path, trained: Path):
    assert find_photos(trained, None) == photos


def test_given_photos_win_over_noted_ones(trained: Path, tmp_path: Path):
    assert find_photos(trained, tmp_path) == tmp_path


@pytest.mark.parametrize("noted", [None, "/gone/with/the/wind"])
def test_photos_that_are_not_there_are_an_error(noted: str | None, tmp_path: Path):
    if noted:
        (tmp_path / "data.txt").write_text(noted)
    with pytest.raises(InputError, match="--data DIR"):
        find_photos(tmp_path, None)


def test_the_split_is_the_one_that_training_used(photos: Path, trained: Path):
    before = (trained / "split.csv").read_bytes()
    split = read_split(photos, trained)
    assert split == prepare(photos, trained, seed=3)
    assert (trained / "split.csv").read_bytes() == before


def test_photos_that_changed_since_training_are_refused(photos: Path, trained: Path, tmp_path: Path):
    changed = tmp_path / "photos"
    shutil.copytree(photos, changed)
    (changed / "negatives" / "room_0.png").unlink()
    before = (trained / "split.csv").read_bytes()
    with pytest.raises(InputError, match="not those of"):
        read_split(changed, trained)
    assert (trained / "split.csv").read_bytes() == before


@pytest.mark.parametrize("audit", [None, "{}", "not json"])
def test_without_a_split_training_is_asked_for(audit: str | None, photos: Path, tmp_path: Path):
    if audit:
        (tmp_path / "split.csv").write_text("path\n")
        (tmp_path / "audit.json").write_text(audit)
    with pytest.raises(InputError, match="make train"):
        read_split(photos, tmp_path)


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
    assert all(LABELS[(0, 2, 1)[int(rgb.mean((0, 1)).argmax())]] == label for label, rgb in faces)
