"""The search for settings, for real: needs the train extra (make test-slow)."""

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_an_interrupted_search_goes_on_and_tells_the_command_that_uses_what_it_found(blocks, tmp_path, monkeypatch):
    from train import tune
    from train.options import parse

    tried, surprise = [], tune.Classifiers.surprise

    def counted(classifiers, model):
        tried.append(model)
        return surprise(classifiers, model)

    def interrupted(classifiers, model):
        if tried:
            raise KeyboardInterrupt
        return counted(classifiers, model)

    words = ["tune", "--data", str(blocks), "--out", str(tmp_path), "--size", "32", "--weights", "none"]
    arguments = parse([*words, "--trials", "2", "--epochs", "1", "--steps", "2", "--batch", "4"])
    monkeypatch.setattr(tune.Classifiers, "surprise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune.train(arguments, blocks)
    assert len(tried) == 1 and not (tmp_path / "tune/best.json").exists()
    monkeypatch.setattr(tune.Classifiers, "surprise", counted)
    tune.train(arguments, blocks)
    assert len(tried) == 2

    best = json.loads((tmp_path / "tune/best.json").read_text())
    assert best["trials"] == 2 and best["surprise"] > 0
    told = parse(best["command"].split()[3:])
    assert (told.arch, told.size, told.weights) == (best["settings"]["arch"], 32, "none")
    assert told.rate == pytest.approx(best["settings"]["rate"], rel=0.01)
