import argparse
import json

import numpy as np
import pytest

from edge.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def trained(folder, value, outputs=3):
    """A folder with a classifier all of whose weights are `value`."""
    import keras

    folder.mkdir()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs)])
    model.set_weights([np.full_like(each, value) for each in model.get_weights()])
    model.save(folder / "classifier.keras")
    (folder / "classifier.json").write_text(json.dumps({"arch": "seed", "training": {"weights": folder.name}}))
    return folder


def averaged(folders, shares, out):
    from train.average import average

    average(argparse.Namespace(folders=folders, shares=shares, out=out))


def test_the_mean_of_two_classifiers_lies_between_them_by_their_shares(tmp_path):
    import keras

    averaged([trained(tmp_path / "a", 1.0), trained(tmp_path / "b", 6.0)], [4, 1], tmp_path / "out")
    weights = keras.models.load_model(tmp_path / "out/classifier.keras").get_weights()
    assert all(each == pytest.approx(np.full_like(each, 2.0)) for each in weights)
    noted = json.loads((tmp_path / "out/classifier.json").read_text())["training"]["averaged"]
    assert noted == [{"share": 0.8, "weights": "a"}, {"share": 0.2, "weights": "b"}]


@pytest.mark.parametrize(
    ("outputs", "shares", "told"), [(2, None, "not of one architecture"), (3, [1], "one share for each of 2 folders")]
)
def test_what_cannot_be_averaged_is_told_in_one_line(tmp_path, outputs, shares, told):
    folders = [trained(tmp_path / "a", 1.0), trained(tmp_path / "b", 1.0, outputs)]
    with pytest.raises(InputError, match=told):
        averaged(folders, shares, tmp_path / "out")


def test_a_folder_without_a_classifier_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing/classifier\.keras: no such file"):
        averaged([tmp_path / "nothing"], None, tmp_path / "out")
