import json
import subprocess
import sys
from pathlib import Path

import pytest

from convert.__main__ import against_shipped, edgetpu_refusals, main
from edge.contract import Bundle
from edge.errors import BundleError
from train.split import prepare


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("convert: error: ") and error.count("\n") == 1
    return error


def test_without_a_training_folder_training_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "make train" in error_of(["--train", str(tmp_path / "gone"), "--out", str(tmp_path / "out")], capsys)
    assert not (tmp_path / "out").exists()


def test_in_an_empty_training_folder_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "train").mkdir()
    assert "make train" in error_of(["--train", str(tmp_path / "train"), "--out", str(tmp_path / "out")], capsys)
    assert list((tmp_path / "out").iterdir()) == []


def test_without_models_too(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    prepare(photos, tmp_path, seed=0)
    arguments = ["--train", str(tmp_path), "--data", str(photos), "--out", str(tmp_path / "out")]
    assert "classifier.json" in error_of(arguments, capsys)
    card = {"arch": "x", "size": 32, "margin": 0.1, "temperature": 1}
    (tmp_path / "classifier.json").write_text(json.dumps(card))
    assert "classifier.keras: no such file; run `make train`" in error_of(arguments, capsys)


@pytest.mark.parametrize(
    "wrong", [["--version", "0"], ["--version", "two"], ["--name", "../x"], ["--name", ""], ["--calibration", "-3"]]
)
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(wrong)
    assert wrong[0] in capsys.readouterr().err


def test_an_edge_tpu_may_be_done_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    class Converted:
        file = tmp_path / "locator.tflite"
        problems = ("operator 3 TILE: not among the supported operators",)

    said = ["locator.tflite: Edge TPU: operator 3 TILE: not among the supported operators"]
    assert edgetpu_refusals([Converted], required=True) == said
    assert edgetpu_refusals([Converted], required=False) == []
    assert said[0] in capsys.readouterr().out


def test_where_no_bundle_is_shipped_there_is_nothing_to_fall_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("edge.contract.DEFAULT_BUNDLES", tmp_path)
    new = Bundle(tmp_path, None)  # type: ignore[arg-type]
    compared, told = against_shipped(new, None, [])
    assert compared == [] and "Not held against a shipped bundle: no bundle in" in told
    with pytest.raises(BundleError, match="cannot read"):
        against_shipped(new, tmp_path / "gone", [])


def test_tensorflow_is_loaded_only_when_something_is_converted():
    code = "import sys, convert.__main__; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
