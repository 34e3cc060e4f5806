import numpy as np
import pytest

from edge.contract import LocatorContract, Tensor
from edge.locate import FaceLocator, cells, decode, suppress
from edge.values import Box

ANY = Tensor((), 1.0, 0)
CONTRACT = LocatorContract("", "", 96, 64, "RGB", ANY, ANY, ANY, (8, 16, 32), 0.5, 0.45)


class Network:
    """Answers with what it is given, and keeps what it is fed."""

    def __init__(self, scores, boxes):
        self.answer = [scores, boxes]

    def invoke(self, rgb):
        self.fed = rgb
        return self.answer


def answers(*faces):
    """The network's outputs for faces (cell number, score, dx, dy, log w, log h)."""
    count = len(cells(CONTRACT))
    scores, boxes = np.zeros((1, count, 1), np.float32), np.zeros((1, count, 4), np.float32)
    for cell, score, *terms in faces:
        scores[0, cell], boxes[0, cell] = score**2, terms
    return Network(scores, boxes)


def test_cells_come_stride_by_stride_row_by_row():
    grid = cells(CONTRACT)
    assert len(grid) == 8 * 12 + 4 * 6 + 2 * 3
    assert grid[1].tolist() == [1, 0, 8] and grid[12].tolist() == [0, 1, 8]
    assert grid[96].tolist() == [0, 0, 16] and grid[-1].tolist() == [2, 1, 32]


def test_a_box_is_decoded_from_its_cell_and_its_stride():
    terms = np.array([[0.5, 0.25, np.log(2), np.log(3)]], np.float32)
    cell = np.array([[3, 1, 16]], np.float32)
    assert decode(terms, cell)[0] == pytest.approx([56 - 16, 20 - 24, 56 + 16, 20 + 24])


def test_boxes_come_in_pixels_of_the_frame_and_the_best_face_first():
    rgb = np.zeros((128, 192, 3), np.uint8)  # twice the input's size
    network = answers((100, 0.6, 0.5, 0.5, 0, 0), (40, 0.9, 0, 0, 0, 0))
    best, other = FaceLocator(network, CONTRACT).locate(rgb)
    assert network.fed.shape == (64, 96, 3)
    assert best.box == pytest.approx((2 * 28, 2 * 20, 2 * 36, 2 * 28)) and best.score == pytest.approx(0.9)
    assert other.box == pytest.approx((2 * 64, 0, 2 * 80, 2 * 16)) and other.score == pytest.approx(0.6)


def test_nothing_of_a_frame_is_left_in_the_next_one_of_another_shape():
    network = answers()
    locator = FaceLocator(network, CONTRACT)
    locator.locate(np.full((64, 96, 3), 200, np.uint8))
    locator.locate(np.full((64, 32, 3), 100, np.uint8))
    assert (network.fed[:, :32] == 100).all() and not network.fed[:, 32:].any()


def test_a_face_below_the_threshold_is_none():
    assert FaceLocator(answers((40, 0.49, 0, 0, 0, 0)), CONTRACT).locate(np.zeros((64, 96, 3), np.uint8)) == []


def test_of_boxes_that_overlap_much_the_best_is_kept():
    corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    kept = suppress(corners, np.array([0.6, 0.8, 0.7], np.float32), 0.45)
    assert [face.box for face in kept] == [Box(1, 0, 11, 10), Box(30, 0, 40, 10)]
