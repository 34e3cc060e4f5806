import numpy as np
import pytest

from edge.bench.scene import MOST_FACES, PICTURES, RATE, JpegCamera, Scene
from edge.contract import load_bundle
from edge.judge import Judge
from edge.values import WITH_MASK, WITHOUT_MASK


@pytest.fixture(scope="module")
def judge():
    return Judge.from_bundle(load_bundle())


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720)])
@pytest.mark.parametrize("faces", [0, 1, 3, 8])
def test_the_shipped_networks_find_each_drawn_face(judge, size, faces):
    found = judge.judge(Scene(*size, faces).picture(0))
    assert len(found) == faces
    assert all(face.box.height > 0.12 * size[1] for face in found)


def test_of_a_full_room_they_find_nearly_all(judge):
    assert 15 <= len(judge.judge(Scene(640, 480, MOST_FACES).picture(0))) <= 17


def test_every_second_person_wears_a_mask(judge):
    found = judge.judge(Scene(640, 480, 3).picture(0))
    labels = [face.classification.label for face in sorted(found, key=lambda face: face.box.x_min)]
    assert labels == [WITHOUT_MASK, WITH_MASK, WITHOUT_MASK]


def test_the_pictures_are_the_same_each_time_and_unlike_each_other():
    first, second = Scene(320, 240, 2), Scene(320, 240, 2)
    np.testing.assert_array_equal(first.picture(3), second.picture(3))
    assert (first.picture(3) != first.picture(4)).any()


def test_the_camera_gives_the_pictures_over_and_over_in_the_scenes_own_time():
    camera = JpegCamera(Scene(160, 120, 1), start=100.0)
    frames = [camera.frame() for _ in range(PICTURES + 1)]
    assert frames[1].time - frames[0].time == pytest.approx(1 / RATE)
    assert frames[0].rgb.shape == (120, 160, 3)
    np.testing.assert_array_equal(frames[0].rgb, frames[-1].rgb)


def test_a_frame_that_is_not_wanted_is_left_out():
    camera = JpegCamera(Scene(160, 120, 0), start=0.0)
    camera.wants = lambda time: time > 1
    assert 1 < camera.frame().time < 1 + 1.5 / RATE
