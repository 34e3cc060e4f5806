import cv2
import numpy as np
import pytest

from edge.values import Box
from train.canvases import ASKED, MOST_FACES, SPARED, Canvas, Frames, FrameSize, cut_window, mirrored, visible_rows
from train.datasets import Picture
from train.readers import LabelledBox

SIZE = FrameSize(128, 96)


@pytest.fixture
def pictures(tmp_path):
    """A scene with a red face, a folder picture with one, and a grey room."""
    scene, face, room = (np.full((80, 100, 3), 90, np.uint8) for _ in range(3))
    scene[20:50, 40:65] = face[15:60, 30:70] = (0, 0, 255)
    made = []
    for kind, bgr, box in (
        ("scenes", scene, (40, 20, 65, 50)),
        ("faces", face, (30, 15, 70, 60)),
        ("negatives", room, None),
    ):
        file = tmp_path / f"{kind}.png"
        cv2.imwrite(str(file), bgr)
        boxes = (LabelledBox("without_mask", Box(*box)),) if box else ()
        made.append(Picture(file, kind, "here", kind, None, boxes))
    return made


def redness(canvas, row):
    x_min, y_min, x_max, y_max = (round(side) for side in row[:4])
    inside = canvas.rgb[y_min:y_max, x_min:x_max].reshape(-1, 3).astype(int)
    return ((inside[:, 0] - inside[:, 1]) > 30).mean()


def test_boxes_lie_on_the_faces_whatever_chance_does(pictures, monkeypatch):
    monkeypatch.setattr("train.canvases.FRAME_STEPS", ())
    frames, chance = Frames(pictures, SIZE, {}), np.random.default_rng(0)
    canvases = [frames.one(chance) for _ in range(60)]
    rows = [(canvas, row) for canvas in canvases for row in canvas.rows if row[4] == ASKED]
    assert len(rows) > 40
    assert all(canvas.rgb.shape == (96, 128, 3) for canvas in canvases)
    assert min(redness(canvas, row) for canvas, row in rows) > 0.75


def test_without_face_free_pictures_there_are_scenes_alone(pictures):
    frames = Frames(pictures[:1], SIZE, {})
    assert all(frames.one(np.random.default_rng(k)).rows for k in range(5))


def test_the_whole_picture_is_what_the_device_would_see(pictures):
    canvas = Frames(pictures, SIZE, {}).whole(pictures[0])
    assert canvas.rows == ((48.0, 24.0, 78.0, 60.0, ASKED),)
    assert (canvas.rgb[:, 120:] == 0).all() and (canvas.rgb[:, :120].max(axis=2) > 0).all()


def test_a_face_that_is_cut_off_or_tiny_is_neither_asked_for_nor_background():
    boxes = [(Box(-25, 10, 5, 40), "with_mask"), (Box(50, 50, 54, 54), "with_mask"), (Box(20, 20, 40, 40), "ignore")]
    assert {row[4] for row in visible_rows(boxes, 128, 96)} == {SPARED}
    assert visible_rows([(Box(-10, 10, 20, 40), "with_mask")], 128, 96) == ((0.0, 10, 20, 40, ASKED),)
    assert visible_rows([(Box(200, 10, 220, 40), "with_mask")], 128, 96) == ()


def test_of_too_many_faces_the_largest_stay():
    boxes = [(Box(0, 0, 8 + k, 8 + k), "with_mask") for k in range(MOST_FACES + 5)]
    rows = visible_rows(boxes, 128, 96)
    assert len(rows) == MOST_FACES and min(row[2] for row in rows) == 8 + 5


def test_mirroring_twice_gives_the_canvas_back():
    rgb = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    canvas = Canvas(rgb, ((10.0, 20.0, 30.0, 50.0, ASKED),))
    once = mirrored(canvas, np.random.default_rng(0))
    twice = mirrored(once, np.random.default_rng(0))
    assert once.rows == ((98.0, 20.0, 118.0, 50.0, ASKED),)
    assert twice.rows == canvas.rows and (twice.rgb == rgb).all()


def test_a_window_beyond_the_picture_is_black_there():
    rgb = np.full((10, 10, 3), 200, np.uint8)
    canvas = cut_window(rgb, Box(-10, 0, 10, 10), 40, 20)
    assert (canvas[:, :18] == 0).all() and (canvas[:, 22:] == 200).all()
