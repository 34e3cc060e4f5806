import cv2
import numpy as np
import pytest

from edge.values import INCORRECT, WITHOUT_MASK, Box
from train.evaluation.drawings import KINDS, LIGHTS, draw, drawable

BEFORE_MOUTH = ["one_hand", "two_hands", "scarf", "paper", "cup", "telephone", "nose_out"]


BOX = Box(60, 40, 140, 140)


@pytest.fixture
def drawn(face):
    return lambda kind, seed=0: draw(kind, face(), BOX, np.random.default_rng(seed))


@pytest.fixture
def change(face, drawn):
    """Mean difference of grey levels that a drawing makes, in a part of the box."""

    def difference(kind, seed, top, bottom, left=0.3, right=0.7):
        rows, columns = (
            slice(round(40 + top * 100), round(40 + bottom * 100)),
            slice(round(60 + left * 80), round(60 + right * 80)),
        )
        return np.abs(drawn(kind, seed).astype(int) - face())[rows, columns].mean()

    return difference


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_keeps_the_pictures_shape_and_leaves_the_original_alone(face, kind):
    rgb = face()
    before = rgb.copy()
    after = draw(kind, rgb, BOX, np.random.default_rng(0))
    assert after.shape == rgb.shape and after.dtype == np.uint8
    assert (rgb == before).all() and (after != before).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_chance_draws_the_same_and_another_something_else(drawn, kind):
    assert (drawn(kind, 1) == drawn(kind, 1)).all()
    assert (drawn(kind, 1) != drawn(kind, 2)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_faces_at_the_border_can_be_drawn_on(face, kind):
    rgb = face()[60:150, 70:130]
    assert draw(kind, rgb, Box(-10, -20, 70, 80), np.random.default_rng(0)).shape == rgb.shape


@pytest.mark.parametrize("kind", BEFORE_MOUTH)
def test_what_is_held_or_worn_before_the_mouth_covers_it_and_leaves_the_eyes(change, kind):
    for seed in range(2):
        assert change(kind, seed, 0.74, 0.8) > 3
        assert change(kind, seed, 0.3, 0.4) < 3


@pytest.mark.parametrize(
    ("kind", "bare"), [("nose_out", (0.5, 0.62)), ("chin_out", (0.86, 0.98)), ("chin_mask", (0.5, 0.8))]
)
def test_a_mask_worn_wrongly_leaves_bare_what_it_is_named_after(change, kind, bare):
    for seed in range(2):
        assert change(kind, seed, *bare, 0.4, 0.6) < 12


def test_a_mask_in_the_hand_leaves_the_face_bare(change):
    for seed in range(2):
        assert change("mask_in_hand", seed, 0.35, 0.95, 0.25, 0.75) < 3


def test_darkness_and_light_from_behind_make_the_face_dark(drawn):
    for kind in ("darkness", "backlight"):
        assert drawn(kind)[60:130, 80:120].mean() < 80


def test_blur_takes_the_detail(face, drawn):
    assert cv2.Laplacian(drawn("strong_blur"), cv2.CV_32F).var() < 0.3 * cv2.Laplacian(face(), cv2.CV_32F).var()


def test_a_mask_that_leaves_nose_or_chin_bare_is_incorrect_and_all_else_is_bare():
    assert {kind for kind, label in KINDS.items() if label == INCORRECT} == {"nose_out", "chin_out"}
    assert {*KINDS.values()} == {INCORRECT, WITHOUT_MASK} and {*LIGHTS} < {*KINDS}


def test_a_frontal_face_is_drawable(face):
    assert drawable(face(), BOX)


@pytest.mark.parametrize(
    ("turn", "box"),
    [(0.25, BOX), (0.0, Box(60, 40, 140, 87)), (0.0, Box(60, 15, 140, 115))],
    ids=["turned", "too low", "box not from brow to chin"],
)
def test_other_faces_are_not(face, turn, box):
    assert not drawable(face(turn), box)
