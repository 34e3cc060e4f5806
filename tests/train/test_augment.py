import numpy as np
import pytest

from train import augment

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("step", [step for step, _ in augment.CROP_STEPS])
def test_every_step_keeps_shape_and_type_and_leaves_its_input_alone(step):
    before = PICTURE.copy()
    out = step(PICTURE, np.random.default_rng(1))
    assert out.shape == PICTURE.shape and out.dtype == np.uint8
    assert (PICTURE == before).all()
    assert (out != PICTURE).any()


def test_grey_has_no_colour():
    out = augment.grey(PICTURE, np.random.default_rng(1))
    assert (out[..., 0] == out[..., 1]).all() and (out[..., 1] == out[..., 2]).all()


def test_low_resolution_loses_detail():
    def detail(rgb):
        return np.abs(np.diff(rgb.astype(int), axis=1)).mean()

    assert detail(augment.low_resolution(PICTURE, np.random.default_rng(1))) < detail(PICTURE) / 3


def test_the_same_chance_gives_the_same_picture():
    once, again = (augment.augment(PICTURE, augment.CROP_STEPS, np.random.default_rng(7)) for _ in range(2))
    assert (once == again).all()
