"""The whole of convert on tiny networks: needs the train extra (make test-slow).

Their weights are set by hand, with some noise: the locator finds bright squares, the classifier tells their colour.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.__main__ import main
from convert.bundle import try_out
from convert.float_model import load_model
from convert.graph import read_graph
from convert.parts import ALONE
from edge.contract import Bundle, load_bundle
from edge.interpreter import Network
from edge.judge import Judge
from edge.picture import read_picture
from edge.selftest import self_test
from edge.values import INCORRECT, LABELS, OUTPUTS, WITH_MASK, WITHOUT_MASK
from train.float_network import FloatNetwork
from train.split import prepare

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SIDE = 128
STRIDES = (8, 16, 32)
CHANNEL_OF = {WITHOUT_MASK: 0, WITH_MASK: 2, INCORRECT: 1}  # as in conftest.COLOURS


def near(value: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Weights about `value`."""
    noise = np.random.default_rng(seed).normal(0, 0.02 * max(abs(value), 1e-3), shape)
    return (value + noise).astype(np.float32)


def locator() -> Any:
    """Raw RGB -> scores, boxes: a face where a cell of 32 x 32 is bright on average."""
    import keras
    from keras import layers

    pixels = keras.Input((SIDE, SIDE, 3))
    bright = layers.Conv2D(1, 32, strides=32, name="bright")(pixels)
    # features of the coarse map flow down, as they do in a feature pyramid, but find nothing there
    sixteenth = layers.Conv2D(1, 1, name="sixteenth")(layers.UpSampling2D()(bright))
    eighth = layers.Conv2D(1, 1, name="eighth")(layers.UpSampling2D()(sixteenth))
    maps = (eighth, sixteenth, bright)
    places = [layers.Conv2D(4, 1, name=f"box_{k}")(each) for k, each in enumerate(maps)]
    things = [layers.Conv2D(1, 1, name=f"thing_{k}")(each) for k, each in enumerate(maps)]
    label, thing, boxes = (
        layers.Concatenate(axis=1)([layers.Reshape((-1, width))(each) for each in some])
        for some, width in ((maps, 1), (things, 1), (places, 4))
    )
    scores = layers.Multiply()([layers.Activation("sigmoid")(label), layers.Activation("sigmoid")(thing)])
    network = keras.Model(pixels, [scores, boxes], name="network")
    network.get_layer("bright").set_weights([near(0.1 / 3072, (32, 32, 3, 1), 1), np.array([-8.0])])
    for name in ("sixteenth", "eighth"):
        network.get_layer(name).set_weights([near(0.001, (1, 1, 1, 1), 2), np.array([-8.0])])
    for k in range(3):
        network.get_layer(f"thing_{k}").set_weights([near(0.001, (1, 1, 1, 1), 3), np.array([6.0])])
        network.get_layer(f"box_{k}").set_weights([near(0.0, (1, 1, 1, 4), 4), np.array([0.5, 0.5, 0.0, 0.0])])
    raw = keras.Input((SIDE, SIDE, 3))
    return keras.Model(raw, network(raw))


def classifier(size: int, offset: float, outputs: tuple[str, ...]) -> Any:
    """Raw RGB -> logits: how much red, blue and green there is, all raised by `offset`; the dark is no face."""
    import keras
    from keras import layers

    pixels = keras.Input((size, size, 3))
    x = layers.ReLU(6.0)(layers.Conv2D(3, 3, padding="same", name="blur")(pixels))
    logits = layers.Dense(len(outputs), name="logits")(layers.GlobalAveragePooling2D()(x))
    network = keras.Model(pixels, logits, name="network")
    kernel = np.zeros((3, 3, 3, 3))
    for channel in range(3):
        kernel[:, :, channel, channel] = 1 / 9
    network.get_layer("blur").set_weights([kernel + near(0.0, kernel.shape, 5), np.zeros(3)])
    weights = np.zeros((3, len(outputs)))
    for number, channel in enumerate(CHANNEL_OF.values()):
        weights[channel, number] = 10.0
    bias = offset + np.array([0.0, 0.0, 0.0, 2.0])[: len(outputs)]
    network.get_layer("logits").set_weights([weights + near(0.0, weights.shape, 6), bias])
    raw = keras.Input((size, size, 3))
    return keras.Model(raw, network(layers.Rescaling(1 / 128, -1, name="normalise")(raw)))


def train(photos: Path, folder: Path, offset: float = 0.0, outputs: tuple[str, ...] = OUTPUTS) -> None:
    """Leave in `folder` what training would."""
    folder.mkdir()
    mark = prepare(photos, folder, seed=0).fingerprint
    locator().save(folder / "locator.keras")
    classifier(32, offset, outputs).save(folder / "classifier.keras")
    size = {"backbone": "squares", "height": SIDE, "width": SIDE, "strides": STRIDES}
    least = {"score_threshold": 0.5, "overlap_threshold": 0.45}
    training = {"training": {"data": mark}}
    (folder / "locator.json").write_text(json.dumps(size | least | training | {"notices": ["made by hand"]}))
    crop = {"arch": "colours", "size": 32, "margin": 0.1, "temperature": 1.0, "labels": outputs}
    (folder / "classifier.json").write_text(json.dumps(crop | training))
    (folder / "data.txt").write_text(str(photos))


def convert(folder: Path, *more: str, evaluation: str = "--no-evaluation") -> int:
    """Make a bundle of what lies in folder/train, in folder/out; the exit code."""
    places = ["--train", str(folder / "train"), "--out", str(folder / "out")]
    return main([*places, "--calibration", "20", evaluation, *more])


@pytest.fixture(scope="module")
def made(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    """Where the models were trained, and the bundle made of them."""
    folder = tmp_path_factory.mktemp("made")
    train(photos, folder / "train")
    assert convert(folder, "--name", "squares", "--version", "3") == 0
    assert [each.name for each in (folder / "out").iterdir()] == ["squares-3"]
    return folder / "train", load_bundle(folder / "out" / "squares-3")


def test_the_bundle_judges_as_the_networks_were_made_to(made: tuple[Path, Bundle], photos: Path):
    judge = Judge.from_bundle(made[1])
    right = 0
    for picture in prepare(photos, made[0], seed=0).test:
        if picture.kind == "scenes":
            judged = judge.judge(read_picture(picture.path))
            assert len(judged) == len(picture.boxes)
            for true in picture.boxes:
                best = max(judged, key=lambda face: face.box.iou(true.box))
                assert best.box.iou(true.box) > 0.8
                right += best.classification.label == true.label
    assert right >= 10


def test_the_bundle_passes_its_own_test(made: tuple[Path, Bundle]):
    self_test(made[1])


def test_thresholds_are_chosen_where_the_classifier_verifies_what_the_locator_finds(made: tuple[Path, Bundle]):
    find, tell = made[1].contract.locator, made[1].contract.classifier
    assert find.score_threshold < 0.5
    assert 0.05 <= tell.face_threshold <= 0.9
    assert tell.score_threshold >= 0.5
    figures = made[1].contract.accuracy["verified"]
    assert figures["verified recall of near faces"]["int8"] >= 0.95
    assert figures["verified precision of near faces"]["int8"] >= 0.95


def test_a_bundle_that_falls_below_the_shipped_one_is_refused_unless_it_is_forced(
    made: tuple[Path, Bundle], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    train(photos, tmp_path / "train")
    blind = locator()
    blue_alone = near(0.1 / 1024, (32, 32, 3, 1), 1) * np.array([-1.0, -1.0, 1.0])[:, np.newaxis]
    blind.get_layer("network").get_layer("bright").set_weights([blue_alone, np.array([-8.0])])
    blind.save(tmp_path / "train" / "locator.keras")
    against = "--version", "1", "--against", str(made[1].folder)
    assert convert(tmp_path, *against) == 1
    said = capsys.readouterr()
    assert "convert: refused: near faces found: " in said.err and "--force" in said.err
    assert "squares-3 | samples" in said.out
    assert list((tmp_path / "out").iterdir()) == []
    assert convert(tmp_path, *against, "--force") == 0
    bundle = tmp_path / "out" / "maskgate-1"
    (forced, *_) = load_bundle(bundle).contract.forced
    assert forced.startswith("near faces found: ")
    for page in ("report.md", "MODEL_CARD.md"):
        assert "--force" in (bundle / page).read_text().splitlines()[0]


def test_inputs_mean_pixels_minus_128_and_nothing_else(made: tuple[Path, Bundle]):
    contract = made[1].contract
    assert (contract.locator.input.scale, contract.locator.input.zero_point) == (1.0, -128)
    assert (contract.classifier.input.scale, contract.classifier.input.zero_point) == (1 / 128, 0)


def test_every_tensor_but_constants_is_int8(made: tuple[Path, Bundle]):
    for file in (made[1].locator_file, made[1].classifier_file):
        for operator in read_graph(file).operators:
            assert {tensor.dtype for tensor in operator.inputs + operator.outputs if not tensor.constant} == {"INT8"}


def test_dense_weights_have_one_scale_as_the_edge_tpu_wants(made: tuple[Path, Bundle]):
    (dense,) = (each for each in read_graph(made[1].classifier_file).operators if each.name == "FULLY_CONNECTED")
    assert dense.inputs[1].scales == 1


def test_upsampling_becomes_an_operator_of_the_edge_tpu(made: tuple[Path, Bundle]):
    names = [operator.name for operator in read_graph(made[1].locator_file).operators]
    assert names.count("RESIZE_NEAREST_NEIGHBOR") == 2 and "TILE" not in names


def test_int8_outputs_are_close_to_those_of_keras(made: tuple[Path, Bundle]):
    folder, bundle = made
    find, tell = bundle.contract.locator, bundle.contract.classifier
    chance = np.random.default_rng(0)
    for name, shape, input, outputs in (
        ("locator", (SIDE, SIDE, 3), find.input, [find.scores, find.boxes]),
        ("classifier", (32, 32, 3), tell.input, [tell.logits]),
    ):
        before = FloatNetwork(load_model(folder / f"{name}.keras", shape))
        after = Network(bundle.folder / f"{name}.tflite", input, outputs)
        for _ in range(20):
            rgb = np.full(shape, chance.integers(0, 256, 3), np.uint8)
            pairs = zip(before.invoke(rgb), after.invoke(rgb), strict=True)
            for tensor, (real, whole) in zip(outputs, pairs, strict=True):
                assert real.shape == whole.shape
                lowest, highest = (tensor.scale * (q - tensor.zero_point) for q in (-128, 127))
                assert np.abs(real.clip(lowest, highest) - whole).max() <= 4 * tensor.scale


def test_the_report_and_the_contract_carry_the_gates_figures(made: tuple[Path, Bundle]):
    contract = made[1].contract
    assert contract.accuracy["classifier"]["classifier accuracy"]["int8"] >= 0.95
    assert contract.accuracy["locator"]["locator recall of near faces"]["int8"] >= 0.95
    assert len([name for name in contract.calibration if name.startswith("locator: ")]) == 20
    assert "classifier verdict agreement" in (made[1].folder / "report.md").read_text()


def test_the_evaluation_stands_in_the_report_and_in_the_card(made: tuple[Path, Bundle], photos: Path, tmp_path: Path):
    (tmp_path / "train").symlink_to(made[0])
    assert convert(tmp_path, "--version", "1", evaluation=f"--benchmark={photos / 'scenes'}") == 0
    bundle = tmp_path / "out" / "maskgate-1"
    for page in ("report.md", "MODEL_CARD.md"):
        text = (bundle / page).read_text()
        assert "benchmark" in text and "near faces found" in text and "## INT8 against float" in text
        assert str(photos.parent) not in text


def test_nothing_in_a_bundle_names_the_machine(made: tuple[Path, Bundle], photos: Path):
    for file in made[1].folder.iterdir():
        assert str(photos.parent).encode() not in file.read_bytes()


def test_a_classifier_trained_alone_goes_with_the_shipped_locator(
    made: tuple[Path, Bundle], tmp_path: Path, photos: Path
):
    train(photos, tmp_path / "train", outputs=LABELS)
    for name in ("locator.keras", "locator.json"):
        (tmp_path / "train" / name).unlink()
    assert convert(tmp_path, "--version", "1", "--locator", str(made[1].folder)) == 0
    first, second = made[1].contract, load_bundle(tmp_path / "out" / "maskgate-1").contract
    assert second.locator.sha256 == first.locator.sha256
    # nobody verifies what it finds any more
    assert second.classifier.face_threshold == 0.0
    assert second.locator.score_threshold == first.training["locator"][ALONE] == 0.5
    assert second.accuracy["locator"] == first.accuracy["locator"]
    assert second.training["locator"]["taken from"] == "squares-3"
    assert second.notices == ["made by hand"]


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (3_000.0, "verified precision of near faces: drop of"),
        (30_000.0, "classifier.tflite: gives the same answer whatever it sees, as quantisation made it"),
    ],
)
def test_a_network_that_quantisation_ruins_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], offset: float, reason: str
):
    # softmax does not mind what all logits have in common, eight bits do
    train(photos, tmp_path / "train", offset=offset)
    assert convert(tmp_path) == 1
    assert f"convert: refused: {reason}" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_network_the_edge_tpu_cannot_run_is_refused_unless_it_may_be(
    made: tuple[Path, Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    compiler = tmp_path / "edgetpu_compiler"
    compiler.write_text("#!/bin/sh\necho 'CONV_2D  1  Operation version not supported'\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "train").symlink_to(made[0])
    assert convert(tmp_path, "--version", "1") == 1
    assert "CONV_2D: Operation version not supported" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
    assert convert(tmp_path, "--version", "1", "--no-edgetpu") == 0
    try_out(tmp_path / "out" / "maskgate-1")
    assert "Operation version not supported" in (tmp_path / "out" / "maskgate-1" / "report.md").read_text()
