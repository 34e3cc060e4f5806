import argparse
import json

import cv2
import numpy as np
import pytest

from edge.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

HISTORY = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.7,0.6,0.6\n1,0.7,0.5,0.8,0.4\n"


def trained(folder):
    """A folder as training leaves it, whose classifier calls dark faces bare and bright ones masked."""
    import keras

    (folder / "work/classifier-all").mkdir(parents=True)
    (folder / "work/classifier-all/history.csv").write_text(HISTORY)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.set_weights([np.array([[-1, 1]] * 3) / 100, np.array([3.84, -3.84])])
    model.save(folder / "classifier.keras")
    right = {"value": 0.9, "low": 0.8, "high": 0.95, "count": 90, "n": 100}
    card = {"arch": "seed", "size": 32, "margin": 0.1, "training": {"test": {"accuracy": right}}}
    (folder / "classifier.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def benchmark(tmp_path):
    """Three near faces, a far one, and the labels of all."""
    folder = tmp_path / "box"
    (folder / "images").mkdir(parents=True)
    rows = ["image,label,x_min,y_min,x_max,y_max"]
    for name, label, light, side in (
        *(("a", "with_mask", 250, 60), ("b", "without_mask", 10, 60)),
        *(("c", "without_mask", 250, 60), ("d", "with_mask", 250, 22)),
    ):
        cv2.imwrite(str(folder / f"images/{name}.png"), np.full((240, 240, 3), light, np.uint8))
        rows.append(f"images/{name}.png,{label},60,60,{60 + side},{60 + side}")
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_classifiers_are_told_side_by_side_and_drawn_into_one_picture(tmp_path, benchmark, capsys):
    from train.beside import PICTURE, beside

    folders = [trained(tmp_path / "ours"), trained(tmp_path / "seed")]
    beside(argparse.Namespace(folders=folders, benchmark=benchmark, out=tmp_path / "out"))
    head, _, ours, seed, wrote = capsys.readouterr().out.splitlines()
    cells = [cell.strip() for cell in ours.strip("|").split("|")]
    assert cells[:3] == ["ours", "seed", "90.0 % (80.0 to 95.0; 90 of 100)"]
    assert cells[3].startswith("66.7 %") and cells[4:] == ["1 of 2", "0 of 0", "1 of 1"]
    assert "bare called masked" in head and seed.startswith("| seed") and wrote.endswith(PICTURE)
    assert cv2.imread(str(tmp_path / "out" / PICTURE)) is not None


def test_a_folder_without_a_classifier_is_named(tmp_path):
    from train.beside import beside

    with pytest.raises(InputError, match="nothing: holds no trained classifier"):
        beside(argparse.Namespace(folders=[tmp_path / "nothing"], benchmark=None, out=tmp_path))
