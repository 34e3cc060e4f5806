from pathlib import Path

import numpy as np
import pytest

from edge.contract import ClassifierContract, Tensor
from edge.errors import InputError
from edge.preprocess import face_input
from edge.values import LABELS, OUTPUTS, Box, Face
from train.crops import Crop, check_enough, cut, labelled_faces, outputs_of
from train.datasets import Picture
from train.readers import LabelledBox

NAME = Path("picture.png")


def picture(kind="scenes", label=None, boxes=(), source="somewhere"):
    boxes = tuple(LabelledBox(name, Box(*sides)) for name, sides in boxes)
    return Picture(NAME, kind, source, "group", label, boxes)


def test_faces_are_numbered_by_label_and_covered_ones_count_as_bare():
    sides = (0, 0, 30, 30)
    scene = picture(boxes=[(label, sides) for label in ("without_mask", "with_mask", "incorrect", "covered")])
    faces = labelled_faces([scene])
    assert [face.label for face in faces] == [0, 1, 2, 0]
    assert [face.covered for face in faces] == [False, False, False, True]


def test_faces_without_a_known_state_and_small_ones_are_left_out():
    boxes = [("face", (0, 0, 30, 30)), ("ignore", (0, 0, 30, 30)), ("with_mask", (0, 0, 19, 40))]
    assert labelled_faces([picture(boxes=boxes), picture(kind="negatives")]) == []


def test_a_picture_without_a_box_is_one_face():
    (face,) = labelled_faces([picture(kind="crops", label="incorrect")])
    assert (face.label, face.box) == (LABELS.index("incorrect"), None)


def test_the_cut_is_the_one_the_device_makes():
    rgb = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    (face,) = labelled_faces([picture(boxes=[("with_mask", (50, 20, 90, 70))])])
    tensor = Tensor((1, 64, 64, 3), 1 / 128, 0)
    device = ClassifierContract("", "", 64, "RGB", tensor, tensor, LABELS, 0.1, 1.0, 0.5)
    assert (cut(rgb, face, Crop(64, 0.1)) == face_input(rgb, face.box, device)).all()


def test_a_picture_of_one_face_is_taken_whole():
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (face,) = labelled_faces([picture(kind="crops", label="with_mask")])
    assert (cut(rgb, face, Crop(64, 0.1)) == rgb).all()


def test_a_face_is_cut_as_the_locator_frames_it_where_it_finds_it():
    rgb = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    scene = picture(boxes=[("with_mask", (50, 20, 90, 70))])
    (face,) = labelled_faces([scene], {NAME: [Face(Box(52, 24, 90, 72), 0.9), Face(Box(0, 0, 30, 30), 0.2)]})[:1]
    assert face.seen == Box(52, 24, 90, 72)
    assert (cut(rgb, face, Crop(64, 0.1)) == face_input(rgb, face.seen, Crop(64, 0.1))).all()


def test_false_detections_are_learnt_as_no_face():
    found = {NAME: [Face(Box(0, 0, 30, 30), 0.9)]}
    (place,) = labelled_faces([picture(kind="negatives")], found)
    assert (OUTPUTS[place.label], place.box) == ("no_face", Box(0, 0, 30, 30))


@pytest.mark.parametrize(
    ("labels", "found", "outputs"),
    [
        (["with_mask", "without_mask"], {}, OUTPUTS[:2]),
        (["with_mask", "without_mask", "incorrect"], {}, OUTPUTS[:3]),
        (["with_mask", "without_mask"], {NAME: [Face(Box(50, 50, 80, 80), 0.2)]}, OUTPUTS),
    ],
)
def test_a_network_tells_apart_what_the_photos_show(labels, found, outputs):
    faces = labelled_faces([picture(boxes=[(label, (0, 0, 30, 30)) for label in labels])], found)
    assert outputs_of(faces) == outputs


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((["with_mask", "without_mask"], ["with_mask"], []), "2 faces to train on, 1 to validate, 0 to test"),
        ((["with_mask"], ["with_mask"], ["with_mask"]), "every face to train on is with_mask"),
    ],
)
def test_too_few_faces_or_one_label_alone_are_refused_before_training(parts, told):
    faces = [labelled_faces([picture(kind="crops", label=label) for label in part]) for part in parts]
    with pytest.raises(InputError, match=f"{told}; give more photos"):
        check_enough(*faces)


def test_a_few_faces_of_two_labels_are_enough():
    faces = labelled_faces([picture(kind="crops", label=label) for label in ("with_mask", "without_mask")])
    check_enough(faces, faces[:1], faces[:1])
