"""The networks for real: needs the train extra (make test-slow)."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def networks():
    from train import networks

    return networks


@pytest.mark.parametrize("backbone", ["yunet", "student", "mobilenet_0.25", "mobilenet_v2_1.0"])
def test_a_locator_has_a_row_of_six_for_every_cell(networks, backbone):
    terms = np.asarray(networks.locator(backbone, 64, 96, "none")(PIXELS))
    assert terms.shape == (2, 8 * 12 + 4 * 6 + 2 * 3, 6)


@pytest.mark.parametrize("backbone", ["yunet", "student", "mobilenet_0.25"])
def test_the_exported_locator_says_what_the_trained_one_said(networks, backbone):
    trained = networks.locator(backbone, 64, 96, "none")
    terms = np.asarray(trained(PIXELS))
    scores, boxes = map(np.asarray, networks.exported_locator(trained, backbone, 64, 96)(PIXELS))
    sigmoid = 1 / (1 + np.exp(-terms[..., :2]))
    assert np.allclose(scores[..., 0], sigmoid.prod(axis=-1), atol=1e-5)
    assert np.allclose(boxes, terms[..., 2:], atol=1e-4)


def test_an_exported_locator_may_have_another_size(networks):
    trained = networks.locator("yunet", 64, 96, "none")
    scores, boxes = networks.exported_locator(trained, "yunet", 128, 160).outputs
    assert scores.shape[1:] == (16 * 20 + 8 * 10 + 4 * 5, 1) and boxes.shape[1:] == (420, 4)


def test_what_was_trained_in_mixed_precision_is_exported_in_float32(networks):
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        trained = networks.locator("yunet", 64, 96, "none")
        exported = networks.exported_locator(trained, "yunet", 64, 96)
    finally:
        keras.config.set_dtype_policy("float32")
    assert trained.get_layer("network").layers[1].compute_dtype == "float16"
    assert {layer.compute_dtype for layer in exported.get_layer("network").layers} == {"float32"}


def test_yunet_comes_back_from_a_file_of_its_own_layers(networks, tmp_path):
    import keras

    core = networks.locator("yunet", 64, 96, "none").get_layer("network")
    core.save(tmp_path / "yunet.keras")
    again = networks.locator("yunet", 64, 96, str(tmp_path / "yunet.keras")).get_layer("network")
    assert np.allclose(np.asarray(core(PIXELS)), np.asarray(again(PIXELS)))
    keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()]).save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="not YuNet"):
        networks.locator("yunet", 64, 96, str(tmp_path / "other.keras"))


def test_yunet_comes_from_an_onnx_file_with_red_and_blue_exchanged(networks, tmp_path):
    """A file of the published form, its tensors named as there, made from known weights."""
    import onnx
    from onnx import helper, numpy_helper

    core = networks.locator("yunet", 64, 96, "none").get_layer("network")
    nodes, arrays = [], []
    for output, name in enumerate(networks.YUNET_ORDER):  # other exports number the tensors otherwise
        kernel, bias = core.get_layer(name).get_weights()
        if name.startswith("dw"):
            kernel = kernel.transpose(0, 1, 3, 2)
        if name == "stem":
            kernel = kernel[:, :, ::-1]
        arrays += [numpy_helper.from_array(kernel.transpose(3, 2, 0, 1).copy(), f"w{output}")]
        arrays += [numpy_helper.from_array(bias, f"b{output}")]
        nodes.append(helper.make_node("Conv", ["x", f"w{output}", f"b{output}"], [f"y{output}"]))
    onnx.save(helper.make_model(helper.make_graph(nodes, "yunet", [], [], arrays)), tmp_path / "yunet.onnx")
    again = networks.locator("yunet", 64, 96, str(tmp_path / "yunet.onnx")).get_layer("network")
    assert np.allclose(np.asarray(core(PIXELS)), np.asarray(again(PIXELS)), atol=1e-5)


def test_an_onnx_file_of_another_network_is_refused(networks, tmp_path):
    import onnx
    from onnx import helper

    onnx.save(helper.make_model(helper.make_graph([], "nothing", [], [], [])), tmp_path / "other.onnx")
    with pytest.raises(InputError, match="not YuNet"):
        networks.locator("yunet", 64, 96, str(tmp_path / "other.onnx"))


def test_the_loss_falls_to_nothing_for_a_network_that_is_right(networks):
    from edge.locate import cells
    from train.losses import SimOtaLoss

    grid = cells(SimpleNamespace(width=96, height=64, strides=(8, 16, 32)))
    face = np.array([20.0, 12.0, 60.0, 52.0])
    truth = np.zeros((1, 2, 5), np.float32)
    truth[0, 0] = *face, 1.0
    stride = grid[:, 2]
    centre, side = (face[:2] + face[2:]) / 2, face[2:] - face[:2]
    right = np.zeros((1, len(grid), 6), np.float32)
    right[0, :, 2:4] = centre / stride[:, None] - grid[:, :2]
    right[0, :, 4:6] = np.log(side / stride[:, None])
    right[0, :, :2] = -12.0
    near = np.abs((grid[:, :2] + 0.5) * stride[:, None] - centre).max(axis=1) < 14
    chosen = np.flatnonzero(near & (stride == 8))[:8]
    right[0, chosen, :2] = 12.0
    wrong = right.copy()
    wrong[0, :, :2] *= -1
    loss = SimOtaLoss(grid)
    assert float(loss(truth, right)) < 0.05 < 1 < float(loss(truth, wrong))


def test_what_lies_in_a_spared_box_costs_nothing(networks):
    from edge.locate import cells
    from train.losses import SimOtaLoss

    grid = cells(SimpleNamespace(width=96, height=64, strides=(8, 16, 32)))
    says_face = np.zeros((1, len(grid), 6), np.float32)
    says_face[..., :2] = 5.0
    nothing = np.zeros((1, 1, 5), np.float32)
    spared = np.array([[[0, 0, 96, 64, -1.0]]], np.float32)
    loss = SimOtaLoss(grid)
    assert float(loss(spared, says_face)) == 0 < float(loss(nothing, says_face))
