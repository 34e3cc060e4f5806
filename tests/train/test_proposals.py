from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.values import Box, Face
from train.datasets import Picture
from train.proposals import LEAST_HEIGHT, backgrounds, false_places, propose, seen_box, with_unjudged
from train.readers import LabelledBox

NAME = Path("picture.png")
LABELLED = Box(100, 100, 150, 150)


def picture(kind="scenes", path=NAME):
    boxes = (LabelledBox("with_mask", LABELLED),) if kind == "scenes" else ()
    return Picture(path, kind, "somewhere", "group", None, boxes)


SOMEWHERE = Box(0, 0, 30, 30)


def found(score, box=SOMEWHERE):
    return [Face(box, score)]


def test_every_picture_is_looked_at_once(tmp_path):
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((8, 8, 3), k, np.uint8))
    pictures = [picture(path=tmp_path / f"{k}.png") for k in range(3)]
    proposals = propose(pictures, lambda rgb: found(float(rgb[0, 0, 0])))
    assert [proposals[each.path][0].score for each in pictures] == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "score", "places"), [("negatives", 0.9, 1), ("scenes", 0.2, 1), ("scenes", 0.5, 0), ("faces", 0.2, 0)]
)
def test_only_unsure_detections_of_a_scene_count_as_background(kind, score, places):
    assert len(false_places(picture(kind), found(score))) == places


@pytest.mark.parametrize("box", [Box(140, 140, 160, 160), Box(0, 0, 10, 10)], ids=["on a face", "tiny"])
def test_places_on_a_face_and_tiny_ones_are_no_background(box):
    assert false_places(picture(), found(0.2, box)) == []


def test_sure_detections_of_something_unlabelled_are_not_judged():
    (sure,), (unsure,) = (with_unjudged([picture()], {NAME: found(score)}) for score in (0.8, 0.2))
    assert [each.label for each in sure.boxes] == ["with_mask", "ignore"]
    assert unsure == picture()


def test_a_face_is_seen_in_the_box_that_overlaps_it_most():
    near = Box(102, 100, 152, 150)
    assert seen_box(LABELLED, [*found(0.9), Face(Box(120, 100, 170, 150), 0.9), Face(near, 0.5)]) == near
    assert seen_box(LABELLED, found(0.9)) is None and seen_box(LABELLED, []) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_place_of_a_background_lies_in_the_picture_apart_from_what_may_be_a_face(seed):
    proposals = {NAME: found(0.2, Box(10, 10, 60, 60))}
    (background,) = backgrounds([picture(), picture("faces"), picture("crops")], proposals)
    place = background.place(np.zeros((200, 300, 3), np.uint8), np.random.default_rng(seed))
    assert place.x_min >= 0 and place.y_min >= 0 and place.x_max <= 300 and place.y_max <= 200
    assert place.height == pytest.approx(place.width) and place.height >= LEAST_HEIGHT - 1e-6
    for face in background.faces:
        assert overlap(place, face) < 0.1 * min(place.width * place.height, face.width * face.height)


def overlap(one, other):
    width = min(one.x_max, other.x_max) - max(one.x_min, other.x_min)
    return max(0, width) * max(0, min(one.y_max, other.y_max) - max(one.y_min, other.y_min))


def test_what_the_locator_finds_in_a_face_free_picture_is_background_like_the_rest_of_it():
    (background,) = backgrounds([picture("negatives")], {NAME: found(0.9)})
    assert background.faces == ()


def test_a_picture_full_of_faces_has_no_place_for_background():
    whole = LabelledBox("face", Box(0, 0, 300, 200))
    (background,) = backgrounds([Picture(NAME, "scenes", "somewhere", "group", None, (whole,))], {})
    assert background.place(np.zeros((200, 300, 3), np.uint8), np.random.default_rng(0)) is None
