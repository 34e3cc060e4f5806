from pathlib import Path

import pytest

from edge.bench.limit import LIMIT, multiply_adds, paces
from edge.contract import load_bundle
from edge.errors import BundleError


def test_the_multiply_adds_of_the_large_convolution_are_those_of_its_shape():
    assert multiply_adds(LIMIT) == 32 * 32 * 128 * 3 * 3 * 128


def test_they_are_those_that_the_converter_counts():
    graph = pytest.importorskip("convert.graph")
    bundle = load_bundle()
    for file in (bundle.locator_file, bundle.classifier_file):
        assert multiply_adds(file) == graph.multiply_adds(graph.read_graph(file))


def test_a_pace_says_what_a_run_costs_and_its_share_of_the_limit():
    limit, classifier = paces([load_bundle().classifier_file], rounds=3)
    assert limit.share == 1
    assert classifier.rate == pytest.approx(classifier.share * limit.rate)
    assert classifier.milliseconds > 0


def test_what_is_no_network_is_refused(tmp_path: Path):
    (tmp_path / "no.tflite").write_bytes(b"no network")
    with pytest.raises(BundleError, match=r"no\.tflite"):
        multiply_adds(tmp_path / "no.tflite")
