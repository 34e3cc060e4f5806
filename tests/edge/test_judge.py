import cv2
import matplotlib.cbook
import msgspec
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis.strategies import floats

from edge.contract import load_bundle
from edge.judge import LEAST, Judge, face_score
from edge.laps import Laps
from edge.values import Box, Classification, Face


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


def test_where_the_time_of_a_frame_goes_is_told_stage_by_stage():
    laps = Laps()
    Judge.from_bundle(load_bundle(), laps=laps).judge(np.zeros((48, 64, 3), np.uint8))
    assert [stage for stage, _ in laps.taken()] == ["resize", "locate", "decode", "crop", "classify"]


class Finder:
    def locate(self, rgb):
        return [Face(Box(0, 0, 10, 10), 0.9), Face(Box(20, 0, 30, 10), 0.8), Face(Box(40, 0, 50, 10), 0.4)]


class Verifier:
    def classify(self, crops):
        return [Classification("with_mask", 0.9, (0.05, 0.9, 0.05), face) for face in (0.2, 1.0, 0.9)]


@pytest.mark.parametrize(("threshold", "kept"), [(0.9, [20]), (0.8, [20, 40]), (0.0, [20, 40, 0])])
def test_what_the_classifier_takes_for_no_face_is_dropped_and_the_surest_face_comes_first(threshold, kept):
    contract = msgspec.structs.replace(load_bundle().contract.classifier, face_threshold=threshold, face_weight=1.0)
    faces = Judge(Finder(), Verifier(), contract).judge(np.zeros((20, 60, 3), np.uint8))
    assert [face.box.x_min for face in faces] == kept


def test_without_a_weight_the_locators_score_stands():
    assert face_score(0.7, 0.01, 0.0) == 0.7


@given(located=floats(0, 1), verified=floats(0, 1), weight=floats(0.01, 2))
def test_the_classifier_adds_to_a_score_or_takes_from_it(located, verified, weight):
    score = face_score(located, verified, weight)
    clipped = min(max(located, LEAST), 1 - LEAST)
    assert 0 <= score <= 1
    assert score >= clipped - 1e-3 if verified > 0.5 else score <= clipped + 1e-3
