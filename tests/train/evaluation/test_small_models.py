"""A classifier of `--leave-out` for real: needs the train extra (make test-slow)."""

import cv2
import numpy as np
import pytest

from edge.values import WITH_MASK, WITHOUT_MASK
from train.datasets import CROPS, Picture
from train.evaluation.leave_out import without
from train.evaluation.tables import CLASSIFIER
from train.options import parse
from train.split import Split

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def faces(folder, source, n):
    """Light or dark below: what stands for a mask or none."""
    chance = np.random.default_rng(len(source))
    pictures = []
    for k in range(n):
        label = (WITHOUT_MASK, WITH_MASK)[k % 2]
        rgb = chance.integers(60, 110, (64, 64, 3), np.uint8)
        rgb[32:] += np.uint8(120 * (k % 2))
        file = folder / f"{source}{k}.png"
        cv2.imwrite(str(file), rgb)
        pictures.append(Picture(file, CROPS, source, file.name, label, ()))
    return pictures


def test_a_small_classifier_is_tested_on_the_source_it_was_not_trained_on(tmp_path):
    from train.evaluation.small_models import SmallModels

    split = Split(faces(tmp_path, "hall", 12), faces(tmp_path, "door", 6), faces(tmp_path, "web", 8), "mark")
    options = ["--leave-out", "web", "--epochs", "1", "--steps", "2", "--size", "32", "--weights", "none"]
    arguments = parse(["evaluate", *options, "--float", str(tmp_path)])
    models = SmallModels(arguments, split, tmp_path)
    found = models.measure(CLASSIFIER, "web", *without(split, "web"))
    assert found["faces"] == 8
    assert found["class_accuracy"]["n"] == 8
    assert not (tmp_path / "work" / "leave-out" / "classifier-web").exists()
