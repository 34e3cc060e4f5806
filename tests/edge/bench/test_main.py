import json

import pytest

from edge.bench import __main__ as bench
from edge.bench.measure import STAGES
from edge.bench.tables import growth

PERCENTILES = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
SCENE = {
    "width": 640,
    "height": 480,
    "faces": 1,
    "found": 1,
    "frame_ms": PERCENTILES,
    "stages_ms": dict.fromkeys(STAGES, PERCENTILES),
    "frames_per_second": 100.0,
    "cpu_s_per_frame": 0.004,
}
FOUND = {
    "device": {"processor": "a chip", "cores": 2, "bundle": "maskgate-1", "threads": 1, "frames": 2, "clock": "wall"},
    "runs": [SCENE],
    "limit": {"convolution": {"multiply_adds": 10**8, "ms": 1.0, "share": 1.0}},
    "rss_mb": 80.0,
    "cold_start_s": 1.0,
    "active_cpu_share": 0.1,
    "idle_cpu_share": 0.01,
}
ROW = {"width": 640, "height": 480, "faces": 1, "frame_ms": 1.0, "capture_ms": 0.5}
GROWTH = {
    "faces": [ROW, {**ROW, "faces": 2, "frame_ms": 1.5}],
    "sizes": [ROW],
    "hours": [{"hours": h / 10, "frame_ms": 1.0, "megabytes": 80.0 + h / 10, "blocks": 100 + h} for h in range(1, 11)],
}


def test_tables_figures_and_plots_are_left_in_the_folder(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(bench, "measured", lambda bundle, frames, busy: dict(FOUND))
    monkeypatch.setattr(bench, "grown", lambda bundle, hours: GROWTH)
    assert bench.main(["--out", str(tmp_path / "out")]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        *("bench.json", "bench.md", "stages.png", "growth.png")
    }
    assert json.loads((tmp_path / "out/bench.json").read_text())["growth"] == GROWTH
    assert (tmp_path / "out/bench.md").read_text() in capsys.readouterr().out


def test_a_bundle_that_is_none_is_told_in_one_line(tmp_path, capsys):
    assert bench.main(["--bundle", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"maskgate: error: bundle {tmp_path}")


def test_growth_over_hours_is_told_from_where_the_caches_are_full():
    lines = list(growth(GROWTH))
    assert lines[2:5] == [
        "| 640x480 | 1 | 1.00 | 0.50 |",
        "| 640x480 | 2 | 1.50 | 0.50 |",
        "| 640x480 | 1 | 1.00 | 0.50 |",
    ]
    assert lines[-1].startswith("Hours 0.2 to 1.0 of the scene's time: +0.80 MB resident, +8 blocks")
