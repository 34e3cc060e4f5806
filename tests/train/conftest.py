"""Photos for the trainings that run for real."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """Two folders of coloured blocks: bright ones below for masks, dark ones for none."""
    data, chance = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for label, low in (("with_mask", 160), ("without_mask", 0)):
        (data / label).mkdir()
        for k in range(20):
            rgb = chance.integers(0, 256, (8, 8, 3), np.uint8)
            rgb[4:] = chance.integers(low, low + 96, (4, 8, 3), np.uint8)
            cv2.imwrite(str(data / label / f"{k}.png"), rgb.repeat(8, 0).repeat(8, 1))
    return data
