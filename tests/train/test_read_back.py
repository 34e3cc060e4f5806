"""The shipped classifier as a Keras model again: needs the train extra (make test-slow)."""

import cv2
import msgspec
import numpy as np
import pytest

from edge.contract import Bundle, load_bundle
from edge.errors import InputError
from edge.interpreter import Network

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture(scope="module")
def pictures(bundle):
    """The bundle's golden pictures and pieces of a portrait, uint8 (128, 128, 3)."""
    from skimage import data

    portrait = np.ascontiguousarray(data.astronaut())
    places = [(40 + 6 * k, 130 + 4 * k, 120 + 5 * k) for k in range(24)]
    pieces = [cv2.resize(portrait[y : y + side, x : x + side], (128, 128)) for y, x, side in places]
    return [*np.load(bundle.folder / bundle.contract.golden.file)["classifier_pictures"], *pieces]


def test_what_was_read_back_answers_as_the_device_does(bundle, pictures):
    from train.classifier import predict
    from train.read_back import check_same, read_back

    model, contract = read_back(bundle), bundle.contract.classifier
    network = Network(bundle.classifier_file, contract.input, [contract.logits])
    theirs = np.stack([network.invoke(rgb)[0][0] for rgb in pictures])
    ours, _ = predict(model, [(rgb, np.array(0)) for rgb in pictures])
    # of logits that span 10: INT8 rounds each layer
    assert np.abs(ours - theirs).mean() < contract.logits.scale and np.abs(ours - theirs).max() < 0.5
    check_same(model, bundle, pictures)


def test_every_kernel_has_the_size_of_a_fresh_one(bundle):
    from train.read_back import read_back

    layer = read_back(bundle).get_layer("network").get_layer("conv_pw_6")
    lengths = np.sqrt((layer.get_weights()[0] ** 2).sum(axis=(0, 1, 2)))
    np.testing.assert_allclose(lengths, 2**0.5, rtol=1e-4)


def test_a_model_that_was_changed_is_told_from_the_bundles_own(bundle, pictures):
    from train.read_back import check_same, read_back

    model = read_back(bundle)
    kernel, bias = model.get_layer("network").get_layer("logits").get_weights()
    model.get_layer("network").get_layer("logits").set_weights([-kernel, bias])
    with pytest.raises(InputError, match=r"cannot be read back, the logits come out \d.* apart.*--weights"):
        check_same(model, bundle, pictures)


def test_a_slight_change_that_turns_few_verdicts_is_told_too(bundle, pictures):
    from train.read_back import check_same, read_back

    model = read_back(bundle)
    kernel, bias = model.get_layer("network").get_layer("logits").get_weights()
    model.get_layer("network").get_layer("logits").set_weights([kernel, np.add(bias, [0.4, 0, 0, 0])])
    with pytest.raises(InputError, match="cannot be read back"):
        check_same(model, bundle, pictures)


@pytest.mark.parametrize("arch", ["mobilenet_0.25", "resnet50", "of my own"])
def test_an_architecture_that_does_not_fit_is_refused_with_the_remedy(bundle, arch):
    from train.read_back import read_back

    other = msgspec.structs.replace(bundle.contract, training={"classifier": {"arch": arch}})
    with pytest.raises(InputError, match=rf"{arch} cannot be read back; .*--weights"):
        read_back(Bundle(bundle.folder, other))
