import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from train.noted import find_photos, read_split
from train.split import prepare


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures that differ, with and without masks."""
    data = tmp_path_factory.mktemp("photos")
    chance = np.random.default_rng(5)
    for number in range(30):
        file = data / "crops" / ("with_mask", "without_mask")[number % 2] / f"face_{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        rgb = cv2.resize(chance.integers(0, 256, (6, 6, 3), np.uint8), (48, 48), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(file), rgb)
    return data


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
    noted, split = read_split(photos, trained), prepare(photos, trained, seed=3)
    for part in ("train", "validation", "test"):
        assert [picture.path for picture in getattr(noted, part)] == [picture.path for picture in getattr(split, part)]
    assert (trained / "split.csv").read_bytes() == before


def test_photos_that_changed_since_training_are_refused(photos: Path, trained: Path, tmp_path: Path):
    changed = tmp_path / "photos"
    shutil.copytree(photos, changed)
    (changed / "crops" / "with_mask" / "face_00.png").unlink()
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
