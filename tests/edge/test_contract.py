import json
import shutil

import pytest

from edge.contract import DEFAULT_BUNDLES, load_bundle
from edge.errors import BundleError
from edge.values import LABELS


@pytest.fixture
def bundle(tmp_path):
    """A copy of the shipped bundle."""
    return shutil.copytree(load_bundle().folder, tmp_path / "maskgate-1")


def change(folder, edit):
    file = folder / "bundle.json"
    contract = json.loads(file.read_text())
    edit(contract)
    file.write_text(json.dumps(contract))


def test_the_shipped_bundle_is_whole_and_has_its_report(bundle):
    contract = load_bundle(bundle).contract
    assert contract.classifier.labels[: len(LABELS)] == LABELS
    assert contract.calibration and contract.accuracy and len(contract.training["fingerprint"]) == 64
    assert (bundle / "report.md").is_file()


def test_the_newest_of_the_bundles_is_taken(bundle, tmp_path, monkeypatch):
    shutil.copytree(bundle, tmp_path / "maskgate-10")
    shutil.copytree(bundle, tmp_path / "maskgate-9")
    monkeypatch.setattr("edge.contract.DEFAULT_BUNDLES", tmp_path)
    assert load_bundle().folder.name == "maskgate-10"


@pytest.mark.parametrize("part", ["locator.tflite", "classifier.tflite"])
def test_a_part_that_is_missing_is_named(bundle, part):
    (bundle / part).unlink()
    with pytest.raises(BundleError, match=f"{part} is missing; install"):
        load_bundle(bundle)


@pytest.mark.parametrize("part", ["locator.tflite", "classifier.tflite"])
def test_a_part_that_was_altered_is_refused(bundle, part):
    file = bundle / part
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=f"{part} was altered: sha256"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda contract: contract["locator"].update(height="tall"), r"Expected `int`.*locator\.height"),
        (lambda contract: contract.pop("classifier"), "classifier"),
        (lambda contract: contract.update(colour="red"), "colour"),
        (lambda contract: contract["classifier"].update(labels=["with_mask", "without_mask", "incorrect"]), "labels"),
    ],
)
def test_a_contract_that_this_program_does_not_understand_is_refused(bundle, edit, told):
    change(bundle, edit)
    with pytest.raises(BundleError, match=told):
        load_bundle(bundle)


def test_a_folder_without_a_contract_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"cannot read bundle\.json"):
        load_bundle(tmp_path)


def test_no_bundle_at_all_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.contract.DEFAULT_BUNDLES", tmp_path)
    with pytest.raises(BundleError, match="make train convert"):
        load_bundle()


def test_only_one_bundle_is_shipped():
    assert len(list(DEFAULT_BUNDLES.glob("*/bundle.json"))) == 1
