import json
import time

import pytest

from edge.bench.measure import camera_before
from edge.contract import load_bundle
from train.evaluation import side_by_side
from train.evaluation.side_by_side import float_judge, main, table, times, without_time


def busy(seconds):
    def way(frame):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    return way


def test_each_pair_takes_the_same_frame_and_tells_processor_time():
    seen = []
    found = times(camera_before((160, 120), 0), seen.append, busy(0.001), pairs=4)
    assert found.shape == (4, 2)
    assert (found[:, 1] >= 0.001).all()
    assert len(seen) == len({frame.time for frame in seen})


def test_other_ways_see_the_picture_alone():
    frame = camera_before((160, 120), 0).frame()
    assert without_time(lambda rgb: rgb)(frame) is frame.rgb


def test_without_trained_models_there_is_nothing_to_compare_in_float(tmp_path):
    assert float_judge(load_bundle(), tmp_path) is None


def test_the_slowest_stands_first():
    def figure(ratio):
        return {"ratio": {"value": ratio, "low": ratio, "high": ratio}, "ours_ms": 2.0, "peer_ms": 2 * ratio}

    rows = list(table({"quick": figure(0.5), "slow": figure(9.0)}))
    assert rows[2:] == [
        "| slow | 18.00 | 2.00 | 9.00 | 9.00 to 9.00 |",
        "| quick | 1.00 | 2.00 | 0.50 | 0.50 to 0.50 |",
    ]


def test_a_file_that_is_no_network_is_told_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(side_by_side, "one_core", lambda: None)
    monkeypatch.setattr(side_by_side, "keras_ways", lambda face: iter(()))
    assert main(["--aizoo", str(tmp_path / "no.tflite"), "--out", str(tmp_path / "out.json")]) == 2
    assert "no.tflite" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.filterwarnings("default")
def test_all_ways_are_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(side_by_side, "one_core", lambda: None)  # TensorFlow may be at work already
    assert main(["--pairs", "2", "--trained", str(tmp_path), "--out", str(tmp_path / "peers.json")]) == 0
    found = json.loads((tmp_path / "peers.json").read_text())
    assert set(found) == {"seed CNN, Keras predict", "MobileNetV2, Keras predict", "seed CNN, TFLite float"}
    assert all(each["ratio"]["value"] > 1 for each in found.values())
