import csv

import cv2
import numpy as np
import pytest

from edge.errors import InputError
from edge.picture import read_picture
from edge.preprocess import face_input
from edge.review import Kept
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK, Box
from tests.train.review.faces import name_of, some_face
from train.crops import Crop, cut, labelled_faces
from train.datasets import read_pictures
from train.review.crops import read_note, write_crop
from train.review.desk import NEW, SKIPPED, Desk


@pytest.fixture
def folder(tmp_path):
    """Four pulled faces, of which the third is contested."""
    (tmp_path / NEW).mkdir()
    for number in range(4):
        write_crop(tmp_path / NEW / f"{name_of(number)}.png", some_face(number, number == 2), "door1")
    return tmp_path


def test_the_contested_wait_first_then_the_oldest(folder):
    assert Desk(folder).waiting == [name_of(number) for number in (2, 0, 1, 3)]


def test_a_label_moves_the_face_into_the_folder_of_that_name(folder):
    desk = Desk(folder)
    desk.put(name_of(0), WITH_MASK)
    desk.put(name_of(1), SKIPPED)
    assert (folder / WITH_MASK / f"{name_of(0)}.png").is_file()
    assert (folder / SKIPPED / f"{name_of(1)}.png").is_file()
    assert desk.counts == {NEW: 2, SKIPPED: 1, "without_mask": 0, "with_mask": 1, "incorrect": 0}


def test_undo_takes_the_labels_back_the_last_one_first(folder):
    desk = Desk(folder)
    first, second = desk.waiting[:2]
    desk.put(first, INCORRECT)
    desk.put(second, WITH_MASK)
    assert [desk.undo(), desk.undo(), desk.undo()] == [second, first, None]
    assert desk.counts[NEW] == 4 and desk.waiting[:2] == [first, second]


def test_a_restart_goes_on_where_it_was(folder):
    Desk(folder).put(name_of(2), WITHOUT_MASK)
    assert Desk(folder).waiting == [name_of(number) for number in (0, 1, 3)]


@pytest.mark.parametrize(("name", "place"), [("../../etc/passwd", WITH_MASK), (name_of(0), "../.."), (name_of(0), NEW)])
def test_a_name_or_a_place_that_is_none_changes_nothing(folder, name, place):
    desk = Desk(folder)
    with pytest.raises(KeyError):
        desk.put(name, place)
    assert desk.counts[NEW] == 4


def test_a_face_that_is_labelled_already_is_not_labelled_again(folder):
    desk = Desk(folder)
    desk.put(name_of(0), WITH_MASK)
    with pytest.raises(KeyError):
        desk.put(name_of(0), INCORRECT)


def test_training_reads_the_folder_and_cuts_each_face_as_the_device_did(folder):
    desk = Desk(folder)
    desk.put(name_of(0), WITH_MASK)
    desk.put(name_of(1), WITHOUT_MASK)
    pictures = read_pictures(folder)
    assert [(picture.label, picture.source) for picture in pictures] == [(WITH_MASK, "door1"), (WITHOUT_MASK, "door1")]
    (face, _), crop = labelled_faces(pictures), Crop(128, 0.1)
    rgb = read_picture(face.picture.path)
    # 96 of 160 pixels: the face's 80 and a tenth of them on each side
    np.testing.assert_array_equal(
        cut(rgb, face, crop), face_input(rgb[32:128, 32:128], Box(0, 0, 96, 96), Crop(128, 0.0))
    )


def test_faces_of_one_door_within_minutes_share_a_group(folder):
    write_crop(folder / NEW / f"{name_of(9)}.png", some_face(9, at=1_800_009_000.0), "door1")
    write_crop(folder / NEW / f"{name_of(8)}.png", some_face(8), "door2")
    desk = Desk(folder)
    for name in desk.waiting:
        desk.put(name, WITH_MASK)
    with (folder / "images.csv").open() as table:
        groups = {row["image"].split("/")[1][:32]: row["group"] for row in csv.DictReader(table)}
    assert len({groups[name_of(number)] for number in range(4)}) == 1
    assert len(set(groups.values())) == 3


def test_a_picture_without_a_note_is_left_alone(folder):
    (folder / NEW / "other.png").write_bytes(b"no picture")
    (folder / NEW / "torn.png").write_bytes((folder / NEW / f"{name_of(0)}.png").read_bytes()[:40])
    assert len(Desk(folder).waiting) == 4
    assert read_note(folder / NEW / "torn.png") is None


@pytest.mark.parametrize("picture", [b"", b"no picture", some_face(1).picture[:60]])
def test_what_is_no_picture_is_refused_and_leaves_nothing(tmp_path, picture):
    with pytest.raises(InputError, match="no picture of a face"):
        write_crop(tmp_path / "face.png", Kept(picture, (0, 0, 1, 1), WITH_MASK, 0.5, False, 1.0), "door1")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_larger_than_any_device_keeps_is_not_decoded(tmp_path):
    _, png = cv2.imencode(".png", np.zeros((2000, 2000, 3), np.uint8))
    with pytest.raises(InputError, match="2000x2000 pixels, which no device keeps"):
        write_crop(tmp_path / "face.png", Kept(png.tobytes(), (0, 0, 1, 1), WITH_MASK, 0.5, False, 1.0), "door1")


def test_a_folder_that_is_not_there_says_what_fills_it(tmp_path):
    with pytest.raises(InputError, match="no such folder; `make pull HOST=pi@door1` brings faces there"):
        Desk(tmp_path / "review")
