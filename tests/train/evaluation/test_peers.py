import numpy as np
import pytest

from edge.bench.limit import LIMIT
from edge.errors import InputError
from edge.values import Box
from train.evaluation.peers import Aizoo, Lite, OneFace, YuNet, anchors


def test_aizoos_anchors_are_four_shapes_a_cell_and_lie_on_the_picture():
    found = anchors()
    assert found.shape == (4 * (33**2 + 17**2 + 9**2 + 5**2 + 3**2), 4)
    assert found[:4, :2] == pytest.approx(0.5 / 33)
    assert found[0, 2:] == pytest.approx((0.04, 0.04))
    assert found[2, 2:] == pytest.approx((0.04 * 0.62**0.5, 0.04 / 0.62**0.5))


def test_an_answer_of_nothing_but_zeros_is_the_anchor_itself():
    corners = Aizoo._decode(np.zeros((1, 4), np.float32), np.array([[0.5, 0.5, 0.2, 0.4]], np.float32))
    assert corners[0] == pytest.approx((0.4, 0.3, 0.6, 0.7))


def test_a_face_is_cut_out_resized_and_scaled_before_it_is_judged():
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[20:60, 30:70] = 255
    seen = []
    OneFace(seen.append, Box(30.2, 19.8, 70.1, 60.3))(rgb)
    assert seen[0].shape == (1, 224, 224, 3)
    assert seen[0].dtype == np.float32
    assert seen[0].min() == seen[0].max() == 1


def test_a_network_answers_with_its_outputs():
    (cells,) = Lite(LIMIT).run(np.zeros((1, 32, 32, 128), np.int8))
    assert cells.shape == (1, 32, 32, 128)


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "no.network").write_bytes(b"no network")
    for build in (Lite, Aizoo, lambda file: YuNet(file, (640, 480))):
        with pytest.raises(InputError, match=r"no\.network"):
            build(tmp_path / "no.network")
