from pathlib import Path

import cv2
import pytest

from edge.values import WITH_MASK, WITHOUT_MASK, Box, Classification, Judged
from train.crops import Crop
from train.datasets import Picture
from train.evaluation.drawings import KINDS
from train.evaluation.suite import MASKED, NAMES, Models, bare_faces, hard_picture, masked_faces, measure
from train.readers import LabelledBox

BOX = Box(60, 40, 140, 140)


def classification(label, score=0.9):
    return Classification(label, score, (0.0, 0.0, 0.0))


def models(label=WITHOUT_MASK, found=(BOX,)):
    verdict = classification(label)
    return Models(
        lambda rgb: [Judged(box, 0.9, verdict) for box in found], lambda crops: [verdict for _ in crops], Crop(64, 0.1)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, face):
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("bare", "twin", "other", "masked", "covered", "turned"):
        rgb = face(turn=0.25 if name == "turned" else 0.0)
        cv2.imwrite(str(folder / f"{name}.png"), rgb[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def test_part(folder):
    def picture(name, kind, label, group=None, box=BOX):
        boxes = (LabelledBox(label, box),) if box else ()
        return Picture(Path(folder / f"{name}.png"), kind, "door", group or name, label, boxes)

    return [
        picture("bare", "faces", WITHOUT_MASK, "same"),
        picture("twin", "faces", WITHOUT_MASK, "same"),
        picture("other", "scenes", WITHOUT_MASK),
        picture("turned", "scenes", WITHOUT_MASK),
        picture("masked", "scenes", WITH_MASK),
        picture("covered", "crops", "covered", box=None),
    ]


def test_bare_faces_are_frontal_and_one_of_a_group(test_part):
    assert [each.picture.path.stem for each in bare_faces(test_part, 9)] == ["bare", "other"]


def test_no_more_faces_than_asked_for(test_part):
    assert len(bare_faces(test_part, 1)) == 1
    assert len(masked_faces(test_part, 9)) == 1


def test_every_kind_is_measured_on_crops_and_on_pictures(test_part):
    figures = measure(models(), test_part, 2)
    assert list(figures) == list(NAMES)
    assert {name: each["truth"] for name, each in figures.items() if name in KINDS} == KINDS
    assert {each["crops"]["faces"] for name, each in figures.items() if name in KINDS} == {2}
    assert figures["covered"]["crops"]["faces"] == figures[f"darkness{MASKED}"]["pictures"]["faces"] == 1


def test_what_is_called_masked_is_accepted(test_part):
    scarf = measure(models(WITH_MASK), test_part, 9, names=["scarf"])["scarf"]["pictures"]
    assert (scarf["accepted"]["count"], scarf["found"]["count"], scarf["right"]["count"]) == (2, 2, 0)


def test_a_face_that_is_not_found_is_not_accepted(test_part):
    scarf = measure(models(WITH_MASK, found=[Box(0, 0, 20, 20)]), test_part, 9, names=["scarf"])["scarf"]["pictures"]
    assert (scarf["accepted"]["n"], scarf["found"]["count"], scarf["accepted_of_all"]["value"]) == (0, 0, 0.0)


def test_in_a_picture_of_one_face_whatever_is_found_is_that_face(test_part):
    covered = measure(models(WITH_MASK, found=[Box(0, 0, 20, 20)]), test_part, 9, names=["covered"])["covered"][
        "pictures"
    ]
    assert covered["accepted"]["count"] == 1


def test_kinds_without_a_face_are_left_out(test_part):
    assert list(measure(models(), [each for each in test_part if each.kind == "crops"], 9)) == ["covered"]


def test_a_hard_picture_is_the_same_each_time(test_part):
    (one, *_), (same, *_) = (bare_faces(test_part, 1) for _ in range(2))
    assert (hard_picture("scarf", one) == hard_picture("scarf", same)).all()


def test_each_kind_leaves_a_contact_sheet(test_part, tmp_path):
    measure(models(), test_part, 1, tmp_path, ["scarf", "covered"])
    assert {each.name for each in tmp_path.iterdir()} == {"suite_scarf.png", "suite_covered.png"}
