from typing import NamedTuple

import numpy as np
import pytest

from edge.preprocess import face_input, frame_input, resize
from edge.values import Box


class Size(NamedTuple):
    width: int
    height: int


class Framing(NamedTuple):
    size: int
    margin: float


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("shape", "fitted"), [((480, 640), (240, 320)), ((720, 1280), (180, 320)), ((100, 50), (256, 128))]
)
def test_a_frame_keeps_its_shape_at_the_top_left_and_the_rest_is_black(shape, fitted):
    rgb = np.full((*shape, 3), 200, np.uint8)
    canvas, scale = frame_input(rgb, Size(320, 256))
    assert canvas.shape == (256, 320, 3) and canvas.dtype == np.uint8
    assert (canvas[: fitted[0], : fitted[1]] == 200).all()
    assert canvas[fitted[0] :].sum() == canvas[:, fitted[1] :].sum() == 0
    assert scale == pytest.approx(fitted[0] / shape[0])


@pytest.mark.parametrize("shape", [(480, 640), (500, 300), (90, 700)])
def test_a_canvas_that_is_used_again_holds_the_same_as_a_new_one(shape):
    rgb, used = noise(*shape), noise(256, 320)
    canvas, _ = frame_input(rgb, Size(320, 256), used)
    assert canvas is used and (canvas == frame_input(rgb, Size(320, 256))[0]).all()


def test_the_longest_of_frames_leaves_at_least_one_row():
    assert frame_input(noise(2, 4000), Size(320, 256))[0].any()


def test_a_face_is_a_square_around_the_box_with_the_margin_on_every_side():
    rgb = noise(200, 200)
    crop = face_input(rgb, Box(60, 50, 100, 100), Framing(60, 0.1))
    assert (crop == rgb[45:105, 50:110]).all()


def test_beyond_the_border_the_border_repeats():
    rgb = noise(100, 100)
    crop = face_input(rgb, Box(-20, 0, 20, 40), Framing(40, 0.0))
    assert (crop[:, 20:] == rgb[:40, :20]).all()
    assert (crop[:, :20] == rgb[:40, :1]).all()


def test_a_box_wholly_outside_gives_black():
    assert not face_input(noise(50, 50), Box(100, 100, 140, 140), Framing(32, 0.1)).any()


def test_a_box_of_no_size_still_gives_a_crop():
    assert face_input(noise(50, 50), Box(20, 20, 20, 20), Framing(32, 0.1)).shape == (32, 32, 3)


@pytest.mark.parametrize(("width", "height"), [(8, 8), (8, 64), (10, 13), (30, 33)])
def test_shrinking_takes_every_pixel_into_account(width, height):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = 240
    assert resize(stripes, width, height).mean() == pytest.approx(30, abs=1)


def test_a_side_of_an_odd_length_shrinks_too():
    assert resize(np.full((65, 131, 3), 7, np.uint8), 32, 32).tolist() == np.full((32, 32, 3), 7).tolist()
