"""Both trainings for real, on a few drawn faces: needs the train extra (make test-slow)."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

FAST = ["--weights", "none", "--epochs", "2", "--steps", "3", "--batch", "4"]


def drawn_face(chance, masked, side=64):
    """A face for a child's eye: skin, two eyes, and a mouth or a blue mask."""
    bgr = np.full((side, side, 3), chance.integers(60, 200), np.uint8)
    skin = tuple(int(c) for c in np.array([120, 160, 210]) + chance.integers(-30, 30))
    cv2.ellipse(bgr, (side // 2, side // 2), (side // 3, side // 2 - 2), 0, 0, 360, skin, -1)
    for x in (0.38, 0.62):
        cv2.circle(bgr, (int(side * x), int(side * 0.4)), 3, (20, 20, 20), -1)
    if masked:
        cv2.rectangle(bgr, (side // 5, side // 2), (side * 4 // 5, side * 9 // 10), (200, 140, 60), -1)
    else:
        cv2.ellipse(bgr, (side // 2, side * 3 // 4), (8, 4), 0, 0, 360, (40, 40, 160), -1)
    return cv2.add(bgr, chance.integers(0, 25, bgr.shape, np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of labelled faces, scenes with boxes, and rooms without faces."""
    data, chance = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    rows = ["image,label,x_min,y_min,x_max,y_max"]
    for k in range(40):
        label = ("without_mask", "with_mask")[k % 2]
        face = drawn_face(chance, k % 2)
        for folder, picture in ((f"faces/{label}", face), ("scenes/images", None), ("negatives", None)):
            (data / folder).mkdir(parents=True, exist_ok=True)
            if picture is None:
                picture = chance.integers(0, 256, (6, 8, 3), np.uint8).repeat(20, 0).repeat(20, 1)
            if folder.startswith("scenes"):
                x, y = chance.integers(0, 96), chance.integers(0, 56)
                picture[y : y + 64, x : x + 64] = face
                rows.append(f"scene{k}.png,{label},{x + 10},{y + 2},{x + 54},{y + 62}")
            name = f"scene{k}.png" if folder.startswith("scenes") else f"{k}.png"
            cv2.imwrite(str(data / folder / name), picture)
    (data / "scenes/boxes.csv").write_text("\n".join(rows))
    return data


def losses(log):
    from train.fit import read_history

    return read_history(log)["loss"]


def train(model, photos, out, *more):
    command = [sys.executable, "-m", "train", model, "--data", str(photos), "--out", str(out), *FAST, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


SMALL = {
    "locator": ["--backbone", "mobilenet_0.25", "--size", "96x64", "--train-size", "96x64"],
    "classifier": ["--arch", "mobilenet_0.25", "--size", "32"],
}


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """build/train/ after both trainings."""
    out = tmp_path_factory.mktemp("train")
    for model, more in SMALL.items():
        done = train(model, photos, out, *more)
        assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.parametrize("model", SMALL)
def test_training_leaves_a_model_its_card_and_a_report(trained, model):
    import keras

    card = json.loads((trained / f"{model}.json").read_text())
    assert len(card["training"]["data"]) == 64
    assert keras.models.load_model(trained / f"{model}.keras").get_layer("network")
    page = (trained / "report/index.html").read_text()
    assert f"{model}" in page and "data:image/png;base64," in page


def test_every_epoch_is_noted(trained):
    assert len(losses(trained / "work/classifier-all/history.csv")) == 2


def test_the_same_seed_gives_the_same_split_and_the_same_first_loss(photos, trained, tmp_path):
    assert train("classifier", photos, tmp_path, *SMALL["classifier"]).returncode == 0
    assert (tmp_path / "split.csv").read_text() == (trained / "split.csv").read_text()
    once, again = (losses(out / "work/classifier-all/history.csv") for out in (trained, tmp_path))
    assert once[0] == pytest.approx(again[0], rel=1e-4)


def test_an_interrupted_training_goes_on_from_its_last_finished_epoch(tmp_path):
    import keras

    from train.batches import ChanceBatches, FixedBatches
    from train.fit import Plan, fit

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def model():
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])

    def one(chance):
        rgb = chance.integers(0, 256, (4, 4, 3), np.uint8)
        return rgb, np.int64(rgb.mean() > 128)

    def run(work, *callbacks):
        seen = []
        batches = ChanceBatches(one, 4, 5, seed=3)
        batches.on_epoch_begin = lambda: seen.append(batches.epoch)
        net = model()
        check = FixedBatches([one(np.random.default_rng(k)) for k in range(8)], 4)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        history = fit(net, loss, [], Plan(4, 5, 4, 1e-4, 9), batches, check, work, {}, list(callbacks))
        return seen, history, net

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", Interrupt())
    seen, resumed, net = run(tmp_path / "broken")
    _, whole, other = run(tmp_path / "whole")
    assert seen == [2, 3]
    assert int(net.optimizer.iterations) == 20
    assert resumed["loss"] == pytest.approx(whole["loss"], rel=1e-3)
    assert all(np.allclose(a, b, rtol=1e-3) for a, b in zip(net.get_weights(), other.get_weights(), strict=True))


def test_a_history_holds_each_epoch_once_the_later_row_of_two(tmp_path):
    from train.fit import read_history

    (tmp_path / "history.csv").write_text("epoch,loss\n0,3.0\n1,2.5\n1,2.0\n")
    assert read_history(tmp_path / "history.csv") == {"epoch": [0, 1], "loss": [3.0, 2.0]}


def test_what_was_logged_without_a_backup_does_not_count(tmp_path):
    from train.fit import _keep_if_same

    _keep_if_same(tmp_path, {})
    for name in ("history.csv", "best.weights.h5"):
        (tmp_path / name).touch()
    _keep_if_same(tmp_path, {})
    assert not (tmp_path / "history.csv").exists()
    (tmp_path / "done").touch()
    (tmp_path / "history.csv").touch()
    _keep_if_same(tmp_path, {})
    assert (tmp_path / "history.csv").exists()


@pytest.mark.parametrize("model", SMALL)
def test_data_that_cannot_teach_a_model_is_refused_in_one_line(photos, tmp_path, model, monkeypatch, capsys):
    from train.__main__ import main

    poor = tmp_path / "poor"
    (poor / "with_mask").mkdir(parents=True)
    for file in sorted((photos / "faces/with_mask").iterdir()):
        (poor / "with_mask" / file.name).write_bytes(file.read_bytes())
    words = [model, "--data", str(poor), "--out", str(tmp_path / "out"), *FAST, *SMALL[model]]
    monkeypatch.setattr(sys, "argv", ["train", *words])
    assert main() == 2
    told = {"locator": "no scenes with boxes", "classifier": "every face to train on is with_mask"}
    assert told[model] in capsys.readouterr().err.splitlines()[-1]


def test_other_settings_begin_anew_and_the_same_ones_do_not(tmp_path):
    from train.fit import _keep_if_same

    for settings, kept in (({"rate": 1}, False), ({"rate": 1}, True), ({"rate": 2}, False)):
        _keep_if_same(tmp_path / "work", settings)
        assert (tmp_path / "work/done").exists() == kept
        (tmp_path / "work/done").touch()


def test_the_temperature_makes_probabilities_fit(tmp_path):
    from train.classifier import fit_temperature

    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (4000, 3)).astype(np.float32)
    powers = np.exp(logits)
    truth = np.array([chance.choice(3, p=row) for row in powers / powers.sum(axis=1, keepdims=True)])
    assert fit_temperature(logits, truth) == pytest.approx(1, abs=0.1)
    assert fit_temperature(3 * logits, truth) == pytest.approx(3, abs=0.3)


def test_data_without_boxes_trains_the_classifier_alone(photos, tmp_path):
    from train.__main__ import _each, parse

    arguments = parse(["both", "--data", str(photos / "faces"), "--out", str(tmp_path)])
    assert [each.model for each in _each(arguments, photos / "faces")] == ["classifier"]
    assert [each.model for each in _each(arguments, photos)] == ["locator", "classifier"]


@pytest.mark.parametrize(("weights", "epochs", "phases"), [("a.h5", "1", 2), ("a.h5", "0", 1), ("none", "1", 1)])
def test_the_head_is_trained_alone_only_where_weights_and_epochs_are_given(weights, epochs, phases):
    from train.classifier import _phases
    from train.options import parse

    given = _phases(parse(["classifier", "--weights", weights, "--head-epochs", epochs]))
    assert len(given) == phases and given[-1][0] == "all"
