import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from convert.bundle import write
from convert.reference import REFERENCE_FILE, add_reference, main, people_in
from edge.contract import CONTRACT_FILE, Bundle, load_bundle
from edge.demo.scene import SceneCamera
from edge.drift import read_reference
from edge.people import CUT, measure
from edge.preprocess import face_input
from edge.values import LABELS, UNKNOWN, WITH_MASK, Box, Classification, Judged, Rgb
from train.datasets import Picture
from train.split import prepare

BOTH_HERE, NOBODY_HERE = 190, 0
ROOM = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
SURE = Classification(WITH_MASK, 0.96, (0.02, 0.96, 0.02))


class SameFaces:
    """A judge that finds the same faces in every picture."""

    def __init__(self, *faces: tuple[Box, Classification]) -> None:
        self._faces = [Judged(box, 0.9, verdict) for box, verdict in faces]

    def judge(self, rgb: Rgb) -> list[Judged]:
        return self._faces


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The shipped one, without its reference."""
    folder = shutil.copytree(load_bundle().folder, tmp_path / "bundle")
    (folder / REFERENCE_FILE).unlink()
    return Bundle(folder, msgspec.structs.replace(load_bundle().contract, reference=None))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """A room with the demo's two people, and without."""
    folder, camera = tmp_path_factory.mktemp("scenes"), SceneCamera()
    files = [folder / f"{index}.png" for index in (BOTH_HERE, NOBODY_HERE)]
    for file in files:
        assert cv2.imwrite(str(file), camera.frame(int(file.stem)).rgb[..., ::-1])
    return [Picture(file, "scenes", "demo", file.name, None, ()) for file in files]


def test_a_bundle_gets_the_counts_of_all_near_faces(bundle: Bundle, scenes: list[Picture], monkeypatch):
    monkeypatch.setattr("convert.reference.LEAST_ACCEPTED", 4)
    write(bundle.folder, add_reference(bundle, scenes * 2), {})
    reference = read_reference(load_bundle(bundle.folder))
    assert reference.people == 4 and reference.bundle == "maskgate-4"
    assert {name: sum(bins) for name, bins in reference.counts.items() if name != "score"} == dict.fromkeys(
        ("brightness", "sharpness", "height", "unknown"), 4
    )


def test_too_few_faces_make_no_reference(bundle: Bundle, scenes: list[Picture], capsys):
    assert add_reference(bundle, scenes).reference is None
    assert "reference: 2 near faces in the validation part, 200 are needed" in capsys.readouterr().out
    assert not (bundle.folder / REFERENCE_FILE).exists()


def test_a_face_is_counted_as_the_device_measures_it():
    box = Box(100, 50, 160, 130)
    (person,) = people_in(ROOM, SameFaces((box, SURE)))
    assert (person.label, person.height) == (WITH_MASK, 0.4)
    assert (person.brightness, person.sharpness) == measure(face_input(ROOM, box, CUT))
    assert 0.8 < person.score < 0.96  # the votes take their time, as they do at a door


@pytest.mark.parametrize("label", [*LABELS, UNKNOWN])
def test_everybody_keeps_their_label(label: str):
    probabilities = tuple(0.9 if each == label else 0.05 for each in LABELS)
    (person,) = people_in(ROOM, SameFaces((Box(100, 50, 160, 130), Classification(label, 0.9, probabilities))))
    assert person.label == label


def test_faces_that_are_too_far_away_count_no_more_than_at_a_door():
    assert people_in(ROOM, SameFaces((Box(100, 50, 115, 70), SURE))) == []


@pytest.fixture
def trained(photos: Path, tmp_path: Path) -> list[str]:
    """The arguments that name what training left of the photos."""
    prepare(photos, tmp_path / "train", seed=0)
    return ["--train", str(tmp_path / "train"), "--data", str(photos)]


def test_a_finished_bundle_gets_it_by_a_command(
    bundle: Bundle, photos: Path, trained: list[str], tmp_path: Path, capsys
):
    mark = prepare(photos, tmp_path / "train", seed=0).fingerprint
    training = bundle.contract.training | {"fingerprint": mark}
    write(bundle.folder, msgspec.structs.replace(bundle.contract, training=training), {})
    assert main([str(bundle.folder), *trained]) == 0
    assert "near faces in the validation part, 200 are needed" in capsys.readouterr().out
    assert load_bundle(bundle.folder).contract.golden == bundle.contract.golden


def test_photos_that_it_was_not_made_of_are_refused(bundle: Bundle, trained: list[str], capsys):
    write(bundle.folder, bundle.contract, {})
    before = (bundle.folder / CONTRACT_FILE).read_bytes()
    assert main([str(bundle.folder), *trained]) == 2
    error = capsys.readouterr().err
    assert error.startswith("convert.reference: error: ") and "not the photos that" in error and error.count("\n") == 1
    assert (bundle.folder / CONTRACT_FILE).read_bytes() == before


def test_a_bundle_that_is_not_there_is_an_error(tmp_path: Path, capsys):
    assert main([str(tmp_path / "gone")]) == 2
    assert capsys.readouterr().err.startswith("convert.reference: error: ")
