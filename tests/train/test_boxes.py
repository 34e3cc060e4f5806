from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.values import Box, Face
from train.boxes import with_boxes
from train.datasets import Picture
from train.readers import LabelledBox

BOX = Box(5, 6, 30, 40)


@pytest.fixture
def pictures(tmp_path):
    made = []
    for label, grey in (("with_mask", 10), ("without_mask", 20)):
        file = tmp_path / f"{label}.png"
        cv2.imwrite(str(file), np.full((50, 50, 3), grey, np.uint8))
        made.append(Picture(file, "faces", "here", label, label, ()))
    return made


def test_the_one_face_of_a_labelled_picture_is_its_box(pictures):
    found = with_boxes(pictures, lambda: lambda rgb: [Face(BOX, 0.9)] * (1 if rgb[0, 0, 0] == 10 else 2))
    assert found[0].boxes == (LabelledBox("with_mask", BOX),)
    assert found[1] == pictures[1]  # two faces: which of them has the label?


def test_data_with_boxes_of_its_own_is_left_as_it_is(pictures):
    boxed = Picture(Path("x.png"), "scenes", "here", "x", None, (LabelledBox("with_mask", BOX),))

    def no_locator():
        raise AssertionError("must not be asked for")

    assert with_boxes([*pictures, boxed], no_locator) == [*pictures, boxed]
