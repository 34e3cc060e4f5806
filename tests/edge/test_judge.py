import cv2
import matplotlib.cbook
import numpy as np
import pytest
import skimage.data

from edge.contract import load_bundle
from edge.judge import Judge
from edge.values import Box


@pytest.fixture(scope="module")
def judge():
    return Judge.from_bundle(load_bundle())


def officer():
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    ("portrait", "box"),
    [(skimage.data.astronaut, Box(178, 65, 270, 185)), (officer, Box(180, 100, 370, 350))],
    ids=["astronaut", "officer"],
)
def test_a_bare_face_in_a_portrait_is_found_where_it_is_and_called_bare(judge, portrait, box):
    faces = judge.judge(portrait())
    assert [face.classification.label for face in faces] == ["without_mask"]
    assert faces[0].box.iou(box) > 0.5 and faces[0].classification.score > 0.8


@pytest.mark.parametrize("picture", [skimage.data.coffee, skimage.data.rocket, skimage.data.cat])
def test_pictures_without_people_have_no_faces(judge, picture):
    assert judge.judge(picture()) == []
