import cv2
import numpy as np
import pytest

from edge.values import Box
from train import overlays
from train.overlays import covers, patterns
from train.overlays.drawing import look_at, pose_of

SIZE = 128
FACE = Box(20, 8, 108, 118)
DRAWINGS = [overlays.proper_mask, overlays.incorrect_mask, overlays.chin_mask, overlays.cover]
EYES, TIP, MOUTH, CHIN = 0.36, 0.57, 0.75, 0.91


def a_face(face=FACE, size=SIZE, turn=0.0, bright=1.0):
    """A face by code, looking ahead or turned: eyes at 0.39 of its box, nose 0.6, mouth 0.74."""
    rgb = np.full((size, size, 3), (90, 110, 100), np.uint8)
    (x, y), (half, high) = face.centre, (face.width / 2, face.height)
    cv2.ellipse(rgb, (int(x), int(y)), (int(half), int(high / 2)), 0, 0, 360, (205, 160, 135), -1, cv2.LINE_AA)

    def spot(across, down, wide, tall, colour):
        at = int(x + (across + turn) * half), int(face.y_min + down * high)
        cv2.ellipse(rgb, at, (int(wide * half), int(tall * high)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    for side in (-0.4, 0.4):
        spot(side, 0.39, 0.18, 0.025, (50, 35, 30))
    spot(0, 0.62, 0.12, 0.012, (120, 80, 70))
    spot(0, 0.745, 0.3, 0.02, (140, 60, 60))
    return (rgb * bright).astype(np.uint8)


def changed(before, after, height, face=FACE):
    """How far a spot on the middle of the face has changed, grey levels."""
    x, y = int(face.centre[0]), int(face.y_min + height * face.height)
    spot = slice(y - 2, y + 2), slice(x - 2, x + 2)
    return np.abs(before[spot].astype(int) - after[spot]).max(axis=2).mean()


def many(draw, heights, count=60):
    """For each of `count` drawings, how far each of these heights has changed."""
    rgb, chance = a_face(), np.random.default_rng(0)
    drawn = [draw(rgb, FACE, chance) for _ in range(count)]
    return np.array([[changed(rgb, each, height) for height in heights] for each in drawn])


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("size", [64, 97, 128])
def test_a_drawing_is_a_new_picture_of_the_same_shape(draw, size):
    face = Box(*(side * size / SIZE for side in FACE))
    rgb = a_face(face, size)
    before = rgb.copy()
    out = draw(rgb, face, np.random.default_rng(1))
    assert out.shape == rgb.shape and out.dtype == np.uint8
    assert (out != rgb).any() and (rgb == before).all()


@pytest.mark.parametrize("draw", DRAWINGS)
def test_the_same_chance_gives_the_same_drawing(draw):
    once, again = (draw(a_face(), FACE, np.random.default_rng(5)) for _ in range(2))
    assert (once == again).all()


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("face", [overlays.tight_face(SIZE), Box(-60, -20, 90, 190), Box(50, 50, 70, 75)])
def test_a_face_may_fill_the_crop_reach_beyond_it_or_be_small(draw, face):
    assert draw(a_face(), face, np.random.default_rng(2)).shape == (SIZE, SIZE, 3)


def test_a_proper_mask_hides_nose_mouth_and_chin_and_not_the_eyes():
    eyes, tip, mouth, chin = (many(overlays.proper_mask, [EYES, TIP, MOUTH, CHIN]) > 8).mean(axis=0)
    assert min(tip, mouth, chin) > 0.9  # a mask of the colour of skin changes little
    assert eyes < 0.1


def test_an_incorrect_mask_leaves_the_nose_or_the_chin_bare():
    tip, mouth, chin = (many(overlays.incorrect_mask, [TIP, MOUTH, CHIN]) > 8).T
    assert not (tip & chin).any()
    assert 0.6 < (~tip).mean() < 0.95 and mouth.mean() > 0.6


def test_a_mask_under_the_chin_leaves_nose_and_mouth_bare():
    assert many(overlays.chin_mask, [TIP, MOUTH]).max() < 8


def test_most_covers_hide_the_mouth():
    assert (many(overlays.cover, [MOUTH]) > 8).mean() > 0.85


@pytest.mark.parametrize("kind", [kind for kind, _ in covers.COVERS])
def test_every_cover_hides_a_part_of_the_lower_face(kind):
    for seed in range(5):
        chance = np.random.default_rng(seed)
        drawing = covers.Drawing(look_at(a_face(), FACE, chance))
        kind(drawing, chance)
        assert drawing.cover[70:, 20:108].mean() > 0.03
        assert 0 <= drawing.cover.min() and drawing.cover.max() <= 1.001


@pytest.mark.parametrize("draw_print", patterns.PRINTS)
def test_every_print_gives_shares_of_a_second_colour(draw_print):
    down, across = (plane.astype(np.float32) / SIZE for plane in np.mgrid[:SIZE, :SIZE])
    share = draw_print(across, down, np.random.default_rng(3))
    assert share.shape == (SIZE, SIZE)
    assert share.min() >= 0 and share.max() <= 1 and np.ptp(share) > 0.1


def test_a_mask_is_dark_in_a_dark_picture():
    rgb = a_face(bright=0.2)
    drawn = [overlays.proper_mask(rgb, FACE, np.random.default_rng(seed)) for seed in range(20)]
    assert max(each.mean() for each in drawn) < 50


def test_a_mask_is_grey_in_a_grey_picture():
    rgb = cv2.cvtColor(cv2.cvtColor(a_face(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    for seed in range(10):
        out = overlays.proper_mask(rgb, FACE, np.random.default_rng(seed)).astype(int)
        assert np.ptp(out, axis=2).max() <= 2


def test_a_mask_is_blurred_in_a_blurred_picture():
    def sharpest(rgb):
        drawn = [overlays.proper_mask(rgb, FACE, np.random.default_rng(seed)) for seed in range(10)]
        return np.mean([np.abs(cv2.Laplacian(each, cv2.CV_32F)).max() for each in drawn])

    assert sharpest(np.asarray(cv2.GaussianBlur(a_face(), (0, 0), 4))) < sharpest(a_face()) / 2


def test_the_nose_is_sought_on_the_side_the_face_is_turned_to():
    ahead, right = (pose_of(a_face(turn=turn), FACE)[0] for turn in (0.0, 0.2))
    left = pose_of(np.ascontiguousarray(a_face(turn=0.2)[:, ::-1]), FACE)[0]
    assert abs(ahead) < 0.1
    assert 0.1 < right < 0.55 and right == pytest.approx(-left, abs=0.1)


def test_a_tilted_face_is_seen_to_be_tilted():
    turn = cv2.getRotationMatrix2D(FACE.centre, -15, 1.0)  # clockwise, as seen
    tilted = np.asarray(cv2.warpAffine(a_face(), turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))
    assert abs(pose_of(a_face(), FACE)[1]) < 0.03
    assert 0.1 < pose_of(tilted, FACE)[1] < 0.3


def test_faces_turned_away_shadows_and_places_outside_are_not_drawn_on():
    assert overlays.drawable(a_face(), FACE)
    assert not overlays.drawable(a_face(turn=0.5), FACE)
    assert not overlays.drawable(a_face(bright=0.1), FACE)
    assert not overlays.drawable(a_face(), Box(200, 200, 260, 280))
