import json
import shutil

import pytest

from edge.bench import instructions
from edge.bench.instructions import grew, keep, last, main, totals_of, verdict


def test_up_to_five_per_cent_more_are_no_growth():
    assert not grew(105_000_000, 100_000_000)
    assert grew(105_000_001, 100_000_000)


def test_growth_is_told_with_what_to_do():
    assert verdict(98_000_000, 100_000_000) == "98.0 million instructions a frame, -2.0% against the number kept"
    assert '--keep "why"' in verdict(106_000_000, 100_000_000)


def test_the_number_kept_last_counts_and_each_has_its_reason(tmp_path):
    file = tmp_path / "kept.json"
    keep(100, "the first", file)
    keep(120, "a better locator", file)
    assert last(file) == 120
    assert [note["why"] for note in json.loads(file.read_text())] == ["the first", "a better locator"]
    assert "numpy" in json.loads(file.read_text())[0]


def test_the_total_is_read_from_what_callgrind_writes(tmp_path):
    (tmp_path / "counts.2").write_text("version: 1\nevents: Ir\nfn=(1) main\n1 500\n\ntotals: 75938166\n")
    assert totals_of(tmp_path / "counts.2") == 75_938_166


@pytest.mark.parametrize(("found", "code"), [(100, 0), (106, 1)])
def test_the_exit_code_tells_whether_it_grew(monkeypatch, capsys, found, code):
    monkeypatch.setattr(instructions, "count", lambda: found)
    monkeypatch.setattr(instructions, "last", lambda: 100)
    assert main([]) == code


def test_without_valgrind_the_remedy_is_told(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main([]) == 2
    assert "apt-get install valgrind" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_a_frame_needs_no_more_instructions_than_before():
    assert main([]) == 0, "see above, and edge/README.md"
