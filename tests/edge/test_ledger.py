"""On real files; the lines are arbitrary, what makes events of them is tested with `edge.events`."""

import json
from pathlib import Path

import pytest

from edge.errors import InputError
from edge.ledger import Ledger, check, digest, read_head


def write(file: Path, count: int, max_bytes: float = float("inf"), reason: str = "so") -> Ledger:
    """As a process would that starts, writes some lines and ends."""
    ledger = Ledger(file, max_bytes)
    ledger.open()
    for time in range(count):
        ledger.add({"time": time, "reason": reason})
        ledger.flush()
    ledger.close()
    return ledger


def records(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def log(tmp_path):
    """A whole log of five lines."""
    file = tmp_path / "events.jsonl"
    write(file, 5)
    return file


def edit(file: Path, change) -> None:
    """Change the list of a file's lines."""
    lines = file.read_bytes().splitlines(keepends=True)
    change(lines)
    file.write_bytes(b"".join(lines))


def findings(file: Path) -> list[str]:
    """Without the folder's name."""
    return [finding.replace(f"{file.parent}/", "") for finding in check(file).findings]


def test_each_line_has_a_number_and_the_hash_of_the_line_before(log: Path) -> None:
    lines = log.read_bytes().splitlines()
    assert [record["number"] for record in records(log)] == [1, 2, 3, 4, 5]
    assert [record["previous"] for record in records(log)] == ["0" * 64, *map(digest, lines[:-1])]
    assert read_head(log) == (5, digest(lines[-1]))


def test_a_whole_log_has_no_findings(log: Path) -> None:
    report = check(log)
    assert (report.findings, report.events, report.torn, report.end) == ([], 5, 0, read_head(log))
    assert (report.first["time"], report.last["time"]) == (0, 4)


def test_a_log_without_events_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "events.jsonl", 0)
    assert check(tmp_path / "events.jsonl").findings == []


def test_a_restarted_writer_continues_the_chain(log: Path) -> None:
    write(log, 3)
    assert [record["number"] for record in records(log)] == list(range(1, 9))
    assert findings(log) == []


def replace(number: int, old: bytes, new: bytes):
    """An edit of one line."""

    def change(lines: list[bytes]) -> None:
        lines[number - 1] = lines[number - 1].replace(old, new)

    return change


MISSING = "missing before it (removed, or lost in a power cut)"
TAMPERED = {
    "edited": (replace(3, b"so", b"no"), ["line 3: edited, or its hash in events.jsonl: line 4"]),
    "its number edited": (
        replace(3, b": 3,", b": 7,"),
        ["line 3: edited, its number is 7 and not 3", "line 3: edited, or its hash in events.jsonl: line 4"],
    ),
    "the first edited": (
        replace(1, b"0" * 64, b"1" * 64),
        ["line 1: edited", "line 1: edited, or its hash in events.jsonl: line 2"],
    ),
    "the last edited": (replace(5, b"so", b"no"), ["line 5: edited, or its hash in events.jsonl.head"]),
    "one removed": (lambda lines: lines.pop(1), [f"line 2: event 2 is {MISSING}"]),
    "the first removed": (lambda lines: lines.pop(0), [f"line 1: event 1 is {MISSING}"]),
    "two removed": (lambda lines: lines.__delitem__(slice(1, 3)), [f"line 2: events 2 to 3 are {MISSING}"]),
    "two cut off": (
        lambda lines: lines.__delitem__(slice(3, 5)),
        ["truncated, events 4 to 5 are missing at its end (or lost in a power cut)"],
    ),
    "all cut off": (
        lambda lines: lines.clear(),
        ["truncated, events 1 to 5 are missing at its end (or lost in a power cut)"],
    ),
    "one repeated": (lambda lines: lines.insert(3, lines[1]), ["line 4: inserted or moved, event 2 after event 3"]),
    "two swapped": (
        lambda lines: lines.insert(2, lines.pop(3)),
        [f"line 3: event 3 is {MISSING}", "line 4: inserted or moved, event 3 after event 4"],
    ),
    "made nonsense": (lambda lines: lines.__setitem__(2, b"{oops}\n"), ["line 3: not JSON, or not an event"]),
    "another's line": (lambda lines: lines.insert(2, b'{"state": "IDLE"}\n'), ["line 3: not JSON, or not an event"]),
    "deep nonsense": (lambda lines: lines.insert(2, b"[" * 100_000 + b"\n"), ["line 3: not JSON, or not an event"]),
    "nonsense added": (lambda lines: lines.append(b"oops\n"), ["line 6: not JSON, or not an event"]),
    "a byte cut off": (
        lambda lines: lines.append(lines.pop()[:-1]),
        [
            "line 5: not JSON, or not an event, and cut off",
            "truncated, event 5 is missing at its end (or lost in a power cut)",
        ],
    ),
}


@pytest.mark.parametrize(("change", "told"), TAMPERED.values(), ids=TAMPERED)
def test_what_was_done_to_which_line_is_told(log: Path, change, told: list[str]) -> None:
    edit(log, change)
    assert findings(log) == [f"events.jsonl: {words}" for words in told]


@pytest.mark.parametrize("content", [None, b"", b"oops", b"[]", b'{"number": "5", "hash": ""}'])
def test_a_head_that_is_missing_or_makes_no_sense_is_told(log: Path, content: bytes | None) -> None:
    head = log.with_name("events.jsonl.head")
    head.unlink() if content is None else head.write_bytes(content)
    assert findings(log) == ["events.jsonl.head: missing or not a head, so that a cut end cannot be told"]
    write(log, 1)
    assert findings(log) == []


def test_a_head_of_another_log_is_told(log: Path) -> None:
    log.with_name("events.jsonl.head").write_text(json.dumps({"number": 3, "hash": "f" * 64}))
    assert findings(log) == ["events.jsonl: event 3: edited, or its hash in events.jsonl.head"]


def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: cannot be read \(No such file or directory\)"):
        check(tmp_path / "none.jsonl")


@pytest.mark.parametrize("kept", [0, 3])
def test_a_cut_end_stays_found_after_a_restart(log: Path, kept: int) -> None:
    edit(log, lambda lines: lines.__delitem__(slice(kept, None)))
    write(log, 2)
    (finding,) = findings(log)
    assert finding.startswith(f"events.jsonl: line {kept + 1}: events {kept + 1} to 5 are missing before it")


def test_an_edited_last_line_stays_found_after_a_restart(log: Path) -> None:
    edit(log, lambda lines: lines.__setitem__(4, lines[4].replace(b"so", b"no")))
    write(log, 2)
    assert findings(log) == ["events.jsonl: line 5: edited, or its hash in events.jsonl: line 6"]


@pytest.mark.parametrize("rest", [b'{"number": 6, "ti', b"\0" * 300, b"\xff"])
def test_a_line_torn_by_a_power_cut_is_kept_on_a_line_of_its_own(log: Path, rest: bytes) -> None:
    with log.open("ab") as file:
        file.write(rest)
    assert (check(log).findings, check(log).torn) == ([], 1)
    write(log, 2)
    report = check(log)
    assert (report.findings, report.torn, report.events) == ([], 1, 7)
    assert log.read_bytes().splitlines()[5] == rest
    edit(log, lambda lines: lines.pop(5))
    assert findings(log) == ["events.jsonl: line 5: edited, or its hash in events.jsonl: line 6"]


def test_a_line_torn_right_before_its_newline_is_whole_again(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    write(log, 1)
    report = check(log)
    assert (report.findings, report.torn, report.events) == ([], 0, 6)


def test_a_head_that_a_killed_writer_left_behind_is_no_finding(log: Path) -> None:
    head = log.with_name("events.jsonl.head").read_text()
    write(log, 1)
    log.with_name("events.jsonl.head").write_text(head)
    assert findings(log) == []
    write(log, 1)
    assert findings(log) == []


@pytest.mark.parametrize("content", [b"oops\n", b"\n\n", b"x" * 200_000, b"\0" * 70_000 + b"\n"])
def test_no_content_keeps_a_writer_from_starting(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(content)
    write(file, 2)
    assert [json.loads(line)["number"] for line in file.read_bytes().splitlines()[-2:]] == [1, 2]
    assert findings(file)[0] == "events.jsonl: line 1: not JSON, or not an event"


def test_a_full_file_is_set_aside_and_the_chain_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    aside = tmp_path / "events.jsonl.1"
    write(file, 50, max_bytes=1500)
    numbers = [record["number"] for record in records(aside) + records(file)]
    assert numbers == list(range(numbers[0], 51))
    assert 1 < numbers[0] < 50
    assert 1500 <= aside.stat().st_size < 1800
    assert file.stat().st_size < 1800
    report = check(file)
    assert (report.findings, report.events) == ([], len(numbers))
    assert {path.name for path in tmp_path.iterdir()} == {"events.jsonl", "events.jsonl.1", "events.jsonl.head"}


def test_the_first_line_of_what_was_set_aside_cannot_be_removed_unseen(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write(file, 50, max_bytes=1500)
    edit(tmp_path / "events.jsonl.1", lambda lines: lines.pop(0))
    (finding,) = findings(file)
    assert finding.startswith("events.jsonl.1: line 1: events 1 to ")


def test_what_was_set_aside_cannot_be_deleted_unseen(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write(file, 50, max_bytes=1500)
    (tmp_path / "events.jsonl.1").unlink()
    (finding,) = findings(file)
    assert finding.startswith("events.jsonl: line 1: events 1 to ")


def test_a_writer_that_ended_right_after_setting_aside_goes_on(log: Path) -> None:
    log.rename(log.with_name("events.jsonl.1"))
    log.with_name("events.jsonl.head").unlink()
    write(log, 2)
    assert [record["number"] for record in records(log)] == [6, 7]
    assert findings(log) == []


@pytest.mark.parametrize("how", ["deleted", "moved", "emptied"])
def test_a_file_that_somebody_took_away_is_begun_anew_with_the_chain_continued(log: Path, how: str) -> None:
    ledger = Ledger(log)
    ledger.open()
    {
        "deleted": log.unlink,
        "moved": lambda: log.rename(log.with_name("archive.jsonl")),
        "emptied": lambda: log.write_bytes(b""),
    }[how]()
    for time in range(2):
        ledger.add({"time": time})
        ledger.flush()
    ledger.close()
    assert [record["number"] for record in records(log)] == [6, 7]
    (finding,) = findings(log)
    assert finding.startswith("events.jsonl: line 1: events 1 to 5 are missing before it")
