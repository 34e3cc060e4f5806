"""The classifiers for real: needs the train extra (make test-slow)."""

import numpy as np
import pytest

from edge.errors import InputError
from train.options import ARCHS, parse

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
CROPS = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8).astype(np.float32)
SMALLEST = {"inception_v3": 75}
BEYOND_EDGE_TPU = {"mobilenet_v3_small": "HARD_SWISH"}


@pytest.fixture(scope="module")
def backbones():
    from train import backbones

    return backbones


def test_the_command_line_offers_what_there_is(backbones):
    assert set(ARCHS) == {"seed", *backbones.BODIES}


def test_the_usual_names_and_the_usual_settings_of_the_seed_are_understood():
    assert parse(["classifier", "--arch", "mobilenet_v2"]).arch == "mobilenet_v2_1.0"
    seed, ours = parse(["classifier", "--arch", "seed"]), parse(["classifier"])
    assert (seed.epochs, seed.optimizer, seed.weights) == (25, "adam", "none")
    assert (ours.epochs, ours.optimizer, ours.weights) == (24, "adamw", "auto")
    assert parse(["classifier", "--arch", "seed", "--epochs", "3"]).epochs == 3


@pytest.mark.parametrize("arch", ARCHS)
def test_every_architecture_becomes_int8_and_runs_on_the_device(backbones, arch, tmp_path):
    from convert.edgetpu import findings
    from convert.graph import read_graph
    from convert.quantize import float_operators, quantize
    from edge.interpreter import Network, tensors_of

    size = SMALLEST.get(arch, 64)
    model = backbones.exported_classifier(backbones.classifier(arch, size, "none", 4), arch, size, 4)
    pictures = [np.random.default_rng(k).integers(0, 256, (size, size, 3), np.uint8) for k in range(4)]
    content = quantize(model, pictures)
    graph = read_graph(content)
    refused = findings(graph)
    assert float_operators(graph) == []
    assert (BEYOND_EDGE_TPU[arch] in refused[0]) if arch in BEYOND_EDGE_TPU else refused == []

    (tmp_path / "classifier.tflite").write_bytes(content)
    (input,), outputs = tensors_of(content)
    (logits,) = Network(tmp_path / "classifier.tflite", input, outputs).invoke(pictures[0])
    real = np.asarray(model(pictures[0][np.newaxis].astype(np.float32)))
    assert logits.shape == (1, 4) and np.abs(logits - real).max() < max(0.3 * np.abs(real).max(), 0.05)


def test_the_seed_is_the_cnn_of_the_student_projects(backbones):
    network = backbones.classifier("seed", 128, "none", 2).get_layer("network")
    kinds = [type(layer).__name__ for layer in network.layers[1:]]
    assert kinds == [*["Conv2D", "MaxPooling2D"] * 2, "Flatten", *["Dense", "Dropout"] * 2, "Dense"]
    assert network.count_params() == 896 + 18_496 + (30 * 30 * 64 + 1) * 128 + 129 * 64 + 65 * 2


@pytest.mark.parametrize("arch", ["seed", "mobilenet_0.25", "vgg16", "efficientnet_b0"])
def test_an_exported_and_saved_classifier_says_what_the_trained_one_said(backbones, arch, tmp_path):
    import keras

    trained = backbones.classifier(arch, 64, "none", 3)
    backbones.exported_classifier(trained, arch, 64, 3).save(tmp_path / "classifier.keras")
    again = keras.models.load_model(tmp_path / "classifier.keras", compile=False)
    assert np.allclose(np.asarray(trained(CROPS)), np.asarray(again(CROPS)), atol=1e-4)


def test_a_classifier_trained_in_mixed_precision_is_exported_in_float32(backbones):
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        trained = backbones.classifier("mobilenet_0.25", 64, "none", 3)
        exported = backbones.exported_classifier(trained, "mobilenet_0.25", 64, 3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert trained.get_layer("network").layers[1].compute_dtype == "float16"
    assert {layer.compute_dtype for layer in exported.get_layer("network").layers} == {"float32"}
    assert np.allclose(np.asarray(trained(CROPS)), np.asarray(exported(CROPS)), atol=0.05)


@pytest.mark.parametrize(("arch", "mode"), [("vgg16", "caffe"), ("resnet50", "caffe"), ("efficientnet_b0", "torch")])
def test_published_weights_see_what_they_were_trained_on(backbones, arch, mode, tmp_path):
    """A body with weights from a file must equal the plain network of keras.applications behind its own preparation."""
    import keras

    kind = backbones.BODIES[arch]
    plain = kind.build(input_shape=(64, 64, 3), include_top=False, weights=None)
    plain.save_weights(tmp_path / f"{arch}.weights.h5")
    if kind.own:  # its stem, without the layers that normalise
        plain = keras.Model(plain.get_layer("stem_conv_pad").input, plain.output)
    prepared = keras.applications.imagenet_utils.preprocess_input(CROPS.copy(), mode=mode)
    ours = backbones.body(arch, 64, 64, str(tmp_path / f"{arch}.weights.h5"))
    told, expected = np.asarray(ours(CROPS / 128 - 1)), np.asarray(plain(prepared))
    assert np.allclose(told, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_a_classifier_trained_earlier_is_taken_over_but_for_other_logits(backbones, tmp_path):
    earlier = backbones.classifier("mobilenet_0.25", 64, "none", 3)
    file = str(tmp_path / "classifier.keras")
    earlier.save(file)
    same = backbones.classifier("mobilenet_0.25", 64, file, 3)
    wider = backbones.classifier("mobilenet_0.25", 64, file, 4)
    assert np.allclose(np.asarray(earlier(CROPS)), np.asarray(same(CROPS)), atol=1e-5)

    def stem(model):
        return model.get_layer("network").get_layer("conv1").get_weights()[0]

    assert np.array_equal(stem(earlier), stem(wider)) and wider.output_shape == (None, 4)


def test_a_classifier_of_another_architecture_is_no_start(backbones, tmp_path):
    backbones.classifier("seed", 64, "none", 3).save(tmp_path / "classifier.keras")
    with pytest.raises(InputError, match=r"nothing that fits layer conv1; not mobilenet_0\.25"):
        backbones.classifier("mobilenet_0.25", 64, str(tmp_path / "classifier.keras"), 3)


def test_a_file_that_is_no_classifier_is_no_start(backbones, tmp_path):
    (tmp_path / "classifier.keras").write_text("nothing")
    with pytest.raises(InputError, match=r"--weights .*give a classifier\.keras"):
        backbones.classifier("seed", 64, str(tmp_path / "classifier.keras"), 3)


@pytest.mark.parametrize(("arch", "size"), [("inception_v3", 64), ("vgg16", 31), ("seed", 9)])
def test_crops_too_small_for_an_architecture_are_refused(backbones, arch, size):
    with pytest.raises(InputError, match=rf"--size: {arch} needs \d+ pixels a side, got {size}"):
        backbones.classifier(arch, size, "none", 3)


def test_nobody_published_weights_for_the_seed(backbones):
    with pytest.raises(InputError, match=r"nobody published .* give none"):
        backbones.classifier("seed", 64, "imagenet", 3)


def test_imagenet_weights_that_cannot_be_had_are_one_clear_error(backbones, monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("URL fetch failure")

    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", no_network)
    with pytest.raises(InputError, match=r"--weights imagenet .*give --weights PATH or none"):
        backbones.body("mobilenet_0.5", 64, 64, "imagenet")


def test_batch_normalisation_keeps_statistics_that_came_with_weights(backbones, tmp_path):
    fresh = backbones.body("mobilenet_0.25", 64, 64, "none")
    fresh.save_weights(tmp_path / "mobilenet.weights.h5")
    loaded = backbones.body("mobilenet_0.25", 64, 64, str(tmp_path / "mobilenet.weights.h5"))

    def normalising(model):
        return [layer.trainable for layer in model.layers if "_bn" in layer.name]

    assert not any(normalising(loaded)) and all(normalising(fresh))
