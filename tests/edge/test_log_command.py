from pathlib import Path

import pytest

from edge.__main__ import main
from edge.events import open_events
from edge.ledger import read_head
from edge.values import Decision, State


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A log of three events in the current folder."""
    monkeypatch.chdir(tmp_path)
    write(append=True)
    return Path("events.jsonl")


def write(append: bool) -> None:
    with open_events(Path("events.jsonl"), append) as log:
        for time, state in enumerate([State.IDLE, State.CHECKING, State.DENY]):
            log(Decision(time, state, "so"))


def test_a_whole_log_is_one_line_with_its_times_and_its_head(log: Path, capsys) -> None:
    assert main(["log", "verify", "events.jsonl"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told, _, head = line.rpartition(", head ")
    assert told.startswith("events.jsonl: 3 events, whole, 20")
    assert told.count("Z") == 2
    assert head == f"3 {read_head(log).hash}"


def test_a_log_of_a_video_is_told_with_its_own_times(log: Path, capsys) -> None:
    write(append=False)
    assert main(["log", "verify", "events.jsonl"]) == 0
    assert "3 events, whole, 0 s to 2 s, head 3 " in capsys.readouterr().out


def test_a_torn_line_is_told_in_the_line_of_a_whole_log(log: Path, capsys) -> None:
    log.write_bytes(log.read_bytes() + b'{"numb')
    assert main(["log", "verify", "events.jsonl"]) == 0
    assert "3 events and 1 torn line(s), whole" in capsys.readouterr().out


def test_each_finding_is_a_line_and_the_exit_code_is_1(log: Path, capsys) -> None:
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(lines[0].replace("so", "no") + lines[1])
    assert main(["log", "verify", "events.jsonl"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "events.jsonl: line 1: edited, or its hash in events.jsonl: line 2",
        "events.jsonl: truncated, event 3 is missing at its end (or lost in a power cut)",
    ]


def test_a_missing_log_is_bad_input(log: Path, capsys) -> None:
    assert main(["log", "verify", "none.jsonl"]) == 2
    assert capsys.readouterr().err == (
        "maskgate: error: none.jsonl: cannot be read (No such file or directory); name the file of an event log\n"
    )


def test_the_help_says_what_cannot_be_told(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["log", "verify", "--help"])
    assert "can also compute its whole chain" in " ".join(capsys.readouterr().out.split())
