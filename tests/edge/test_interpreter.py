import msgspec
import numpy as np
import pytest

from edge.contract import load_bundle
from edge.errors import BundleError
from edge.interpreter import PLAIN, Network, networks


@pytest.fixture
def bundle():
    return load_bundle()


@pytest.fixture
def part(bundle):
    return bundle.contract.classifier


def picture(part, value):
    return np.full((part.size, part.size, 3), value, np.uint8)


def test_a_shipped_model_answers_with_real_values_of_its_outputs_shape(bundle, part):
    network = Network(bundle.classifier_file, part.input, [part.logits])
    (bright,), (dark,) = network.invoke(picture(part, 255)), network.invoke(picture(part, 0))
    assert bright.shape == part.logits.shape and bright.dtype == np.float32
    assert (bright != dark).any()
    assert (network.invoke(picture(part, 255))[0] == bright).all()


def test_the_locators_outputs_come_in_the_order_asked_for(bundle):
    part = bundle.contract.locator
    network = Network(bundle.locator_file, part.input, [part.boxes, part.scores])
    boxes, scores = network.invoke(np.zeros((part.height, part.width, 3), np.uint8))
    assert boxes.shape[-1] == 4 and scores.shape[-1] == 1


@pytest.mark.parametrize("change", [{"shape": (1, 2)}, {"scale": 0.5}, {"zero_point": 77}])
def test_a_model_that_is_not_what_the_contract_says_is_refused(bundle, part, change):
    other = msgspec.structs.replace(part.logits, **change)
    with pytest.raises(BundleError, match="the contract wants an output int8"):
        Network(bundle.classifier_file, part.input, [other])


def test_a_file_that_is_no_model_is_refused(tmp_path, part):
    file = tmp_path / "classifier.tflite"
    file.write_bytes(b"no model at all")
    with pytest.raises(BundleError, match="not a model that the runtime can load"):
        Network(file, part.input, [part.logits])


def test_answers_are_the_integers_behind_the_real_values(bundle, part):
    network = Network(bundle.classifier_file, part.input, [part.logits])
    answer = network.answer(picture(part, 200))
    assert [(each.dtype, each.shape) for each in answer] == [(np.int8, part.logits.shape)]
    (expected,) = network.invoke(picture(part, 200))
    assert (network.real(answer)[0] == expected).all()
    assert expected == pytest.approx((answer[0].astype(float) - part.logits.zero_point) * part.logits.scale)


def test_both_networks_of_a_bundle_come_in_their_order(bundle):
    locator, classifier = networks(bundle)
    part = bundle.contract.locator
    assert (locator.shape, classifier.shape) == (
        (part.height, part.width, 3),
        bundle.contract.classifier.input.shape[1:],
    )
    assert [each.shape for each in locator.answer(np.zeros(locator.shape, np.uint8))] == [
        part.scores.shape, part.boxes.shape
    ]  # fmt: skip


def test_the_plain_kernels_round_otherwise(bundle):
    rgb = np.random.default_rng(0).integers(0, 256, networks(bundle)[0].shape, np.uint8)
    (_, best), (_, plain) = (networks(bundle, options=options)[0].answer(rgb) for options in (None, PLAIN))
    assert (best != plain).any()
    assert np.abs(best.astype(int) - plain).mean() < 4
