import argparse
import json

import pytest

from edge.bench import command
from edge.bench.measure import STAGES
from edge.bench.process import Alive
from edge.errors import InputError

ARGUMENTS = {"bundle": None, "frames": 3, "threads": 1, "busy": False, "json": False}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """One small scene, and a daemon that is not really started."""
    monkeypatch.setattr(command, "SIZES", ((320, 240),))
    monkeypatch.setattr(command, "FACES", (1,))
    monkeypatch.setattr(command, "live", lambda bundle, faces, seconds, threads: Alive(0.5 + faces, 80.0, 0.01 + faces))


def run(capsys, **given):
    assert command.bench(argparse.Namespace(**{**ARGUMENTS, **given})) == 0
    return capsys.readouterr().out


def test_programs_get_one_object(capsys):
    found = json.loads(run(capsys, json=True))
    (scene,) = found["runs"]
    assert (scene["width"], scene["height"], scene["faces"], scene["found"]) == (320, 240, 1, 1)
    assert set(scene["frame_ms"]) == {"p50", "p95", "p99"}
    assert {stage: set(each) for stage, each in scene["stages_ms"].items()} == {
        stage: {"p50", "p95", "p99"} for stage in STAGES
    }
    assert (found["rss_mb"], found["cold_start_s"]) == (80.0, 1.5)
    assert (found["active_cpu_share"], found["idle_cpu_share"]) == (1.01, 0.01)
    assert found["limit"]["convolution"]["share"] == 1


def test_people_get_tables(capsys):
    lines = run(capsys, busy=True).splitlines()
    assert "times by the processor clock" in lines[0]
    assert [line.split("|")[1].strip() for line in lines if line.startswith("| ")] == [
        *("frame", "320x240"),
        *("network", "convolution", "locator", "classifier"),
    ]
    assert "80 MB resident" in lines[-1]
    assert "101.0% of a core with a face in view, 1.0% with none" in lines[-1]


def test_every_row_of_a_table_has_as_many_cells_as_its_head(capsys):
    rows = [line for line in run(capsys).splitlines() if line.startswith("|")]
    scenes, limit = rows[:3], rows[3:]
    assert {row.count("|") for row in scenes} == {10 + len(STAGES) - 2}
    assert {row.count("|") for row in limit} == {6}


def test_percentiles_are_in_milliseconds():
    assert command.percentiles([0.001 * k for k in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}


@pytest.mark.parametrize("name", ["frames", "threads"])
def test_a_number_that_measures_nothing_is_refused(name):
    with pytest.raises(InputError, match=f"--{name} 0: give 1 or more"):
        command.bench(argparse.Namespace(**{**ARGUMENTS, name: 0}))
