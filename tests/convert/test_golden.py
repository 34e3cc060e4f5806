import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.golden import GOLDEN_FILE, add_golden, golden_pictures, main
from edge.contract import CONTRACT_FILE, Bundle, load_bundle
from edge.selftest import self_test


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The shipped one, without what it tests itself with."""
    folder = shutil.copytree(load_bundle().folder, tmp_path / "bundle")
    (folder / GOLDEN_FILE).rename(tmp_path / GOLDEN_FILE)
    return Bundle(folder, load_bundle().contract)


def test_pictures_are_of_the_size_asked_for_and_all_different():
    pictures = golden_pictures(48, 64)
    assert {(each.shape, each.dtype.name) for each in pictures} == {((48, 64, 3), "uint8")}
    assert len({each.tobytes() for each in pictures}) == len(pictures)


def test_a_bundle_gets_what_it_tests_itself_with(bundle: Bundle):
    self_test(Bundle(bundle.folder, add_golden(bundle)))


def test_the_shipped_golden_pictures_are_those_that_this_makes(bundle: Bundle, tmp_path: Path):
    add_golden(bundle)
    made, shipped = (dict(np.load(folder / GOLDEN_FILE)) for folder in (bundle.folder, tmp_path))
    assert made.keys() == shipped.keys()
    for name in made:
        if name.endswith("pictures"):
            assert np.abs(made[name].astype(int) - shipped[name]).mean() < 0.5  # OpenCV may draw a line otherwise


def test_a_finished_bundle_gets_them_by_a_command(bundle: Bundle):
    text = (bundle.folder / CONTRACT_FILE).read_text()
    start = text.index(',\n "golden"')
    (bundle.folder / CONTRACT_FILE).write_text(text[:start] + "\n}\n")
    assert load_bundle(bundle.folder).contract.golden is None
    assert main([str(bundle.folder)]) == 0
    self_test(load_bundle(bundle.folder))
    assert load_bundle(bundle.folder).contract.classifier == bundle.contract.classifier


@pytest.mark.parametrize("arguments", [[], ["gone"], ["one", "two"]])
def test_a_command_without_a_bundle_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("convert.golden: error: ") and error.count("\n") == 1
