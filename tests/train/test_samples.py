from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.values import OUTPUTS, Box, Face
from train.crops import Crop, LabelledFace, labelled_faces
from train.datasets import Picture
from train.proposals import backgrounds
from train.readers import LabelledBox
from train.samples import ELSEWHERE_SHARE, KINDS, FaceCrops, framed, unjudgeable

CROP = Crop(64, 0.1)
SIDES = Box(40, 20, 90, 80)
LABELS = ("without_mask", "with_mask", "incorrect", "covered")


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    cv2.imwrite(str(path), picture_of_noise())
    return path


def picture_of_noise():
    return cv2.blur(np.random.default_rng(0).integers(0, 256, (120, 140, 3), np.uint8), (9, 9))


def faces(path, labels=LABELS, found=()):
    boxes = tuple(LabelledBox(label, SIDES) for label in labels)
    return labelled_faces([Picture(path, "scenes", "somewhere", "group", None, boxes)], {path: found})


def targets(crops, count=200):
    chance = np.random.default_rng(0)
    return np.array([crops.one(chance)[1] for _ in range(count)])


def test_a_sample_is_a_crop_and_a_probability_for_each_output(photo):
    crop, target = FaceCrops(faces(photo), CROP, OUTPUTS[:3]).one(np.random.default_rng(0))
    assert crop.shape == (64, 64, 3) and crop.dtype == np.uint8
    assert target.dtype == np.float32 and target.sum() == pytest.approx(1)


def test_the_same_chance_makes_the_same_sample(photo):
    crops = FaceCrops(faces(photo), CROP, OUTPUTS[:3])
    one, again, other = (crops.one(np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()


def test_labels_come_by_their_shares_and_false_detections_as_no_face(photo):
    found = [Face(Box(95, 85, 125, 115), 0.2)]
    mean = targets(FaceCrops(faces(photo, found=found), CROP, OUTPUTS), 1000).mean(axis=0)
    shares = dict.fromkeys(OUTPUTS, 0.0)
    for kind in KINDS:  # the noise can be drawn on or not, so that a drawn kind may keep its label
        shares[kind.label] += kind.share
    assert mean[OUTPUTS.index("no_face")] == pytest.approx(shares["no_face"], abs=0.04)
    assert mean[OUTPUTS.index("with_mask")] >= shares["with_mask"] - 0.06
    assert mean[OUTPUTS.index("incorrect")] >= shares["incorrect"] - 0.06


def test_places_elsewhere_are_learnt_as_no_face_too(photo):
    box = LabelledBox("with_mask", SIDES)
    scene = Picture(photo, "scenes", "somewhere", "group", None, (box,))
    crops = FaceCrops(faces(photo), CROP, OUTPUTS, backgrounds([scene], {}))
    assert targets(crops, 1000)[:, OUTPUTS.index("no_face")].mean() == pytest.approx(ELSEWHERE_SHARE, abs=0.02)
    three = FaceCrops(faces(photo), CROP, OUTPUTS[:3], backgrounds([scene], {}))
    assert targets(three).shape == (200, 3)


def test_a_label_that_never_occurs_is_not_drawn_either(photo):
    assert targets(FaceCrops(faces(photo, ["without_mask", "with_mask"]), CROP, OUTPUTS[:2])).shape[1] == 2


def test_what_nobody_could_judge_is_learnt_as_every_label_alike(photo):
    undecided = [each for each in targets(FaceCrops(faces(photo), CROP, OUTPUTS[:3])) if each.max() < 0.5]
    assert undecided and all(each == pytest.approx([1 / 3] * 3) for each in undecided)


@pytest.mark.parametrize("seed", range(6))
def test_the_face_is_where_the_frame_says(seed):
    rgb = np.zeros((120, 140, 3), np.uint8)
    rgb[20:80, 40:90] = 255
    face = LabelledFace(Picture(Path("x"), "scenes", "s", "g", None, ()), 0, False, SIDES, seen=Box(44, 22, 88, 76))
    crop, box = framed(rgb, face, Crop(128, 0.1), np.random.default_rng(seed))
    lit = np.argwhere(crop[..., 0] > 127)
    top_left, bottom_right = lit.min(axis=0), lit.max(axis=0) + 1
    shown = np.clip([box.y_min, box.x_min, box.y_max, box.x_max], 0, 128)
    assert np.abs([*top_left, *bottom_right] - shown).max() <= 4


@pytest.mark.parametrize("seed", range(6))
def test_a_picture_of_nothing_but_a_face_shows_it_whole_however_it_is_framed(seed):
    face = LabelledFace(Picture(Path("x"), "crops", "s", "g", "with_mask", ()), 1, False, None)
    crop, box = framed(np.zeros((90, 80, 3), np.uint8), face, CROP, np.random.default_rng(seed))
    assert crop.shape == (64, 64, 3)
    assert -15 < box.y_min < 18 and 42 < box.y_max < 72 and -8 < box.x_min < 26 and 38 < box.x_max < 72


@pytest.mark.parametrize("seed", range(8))
def test_an_unjudgeable_crop_keeps_no_detail(seed):
    sharp = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    crop = unjudgeable(sharp, np.random.default_rng(seed))
    detail = np.abs(np.diff(crop.astype(float), axis=1)).mean()
    assert crop.shape == sharp.shape and crop.dtype == np.uint8 and detail < 12
