import pytest

from edge.bench import growth
from edge.bench.scene import RATE
from edge.contract import load_bundle


def test_memory_and_time_are_looked_at_every_so_often(monkeypatch):
    monkeypatch.setattr(growth, "SAMPLES", 3)
    rows = list(growth.over_hours(load_bundle(), hours=6 / RATE / 3600))
    assert [row["hours"] for row in rows] == pytest.approx([h * 2 / RATE / 3600 for h in (1, 2, 3)], abs=1e-4)
    assert all(row["frame_ms"] > 0 and row["megabytes"] > 20 and row["blocks"] > 10_000 for row in rows)


def test_the_cost_is_measured_for_each_number_of_faces_and_each_size(monkeypatch):
    monkeypatch.setattr(growth, "FRAMES", 1)
    monkeypatch.setattr(growth, "FACES", (1, 2))
    monkeypatch.setattr(growth, "SIZES", ((160, 120),))
    bundle = load_bundle()
    assert [row["faces"] for row in growth.with_faces(bundle)] == [1, 2]
    (small,) = growth.with_size(bundle)
    assert (small["width"], small["height"]) == (160, 120)
    assert small["frame_ms"] > 0 and small["capture_ms"] > 0
