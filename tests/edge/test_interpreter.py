import msgspec
import numpy as np
import pytest

from edge.contract import load_bundle
from edge.errors import BundleError
from edge.interpreter import Network


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
