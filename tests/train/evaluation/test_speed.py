import pytest

from edge.contract import load_bundle
from edge.errors import InputError
from train.evaluation.speed import compare


def test_a_network_is_about_as_fast_as_itself():
    bundle = load_bundle()
    found = compare(bundle.classifier_file, bundle.classifier_file, pairs=20)
    assert 0.3 < found["ratio"]["value"] < 3
    assert found["ratio"]["low"] <= found["ratio"]["value"] <= found["ratio"]["high"]
    assert found["peer"] == "classifier.tflite"


def test_the_locator_takes_longer_than_the_classifier():
    bundle = load_bundle()
    found = compare(bundle.locator_file, bundle.classifier_file, pairs=20)
    assert found["ours_ms"] > found["peer_ms"] > 0


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "peer.tflite").write_bytes(b"no network")
    for name in ("peer.tflite", "missing.tflite"):
        with pytest.raises(InputError, match=name):
            compare(load_bundle().locator_file, tmp_path / name)
