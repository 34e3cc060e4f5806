"""A disk that is full, read-only, gone or cut off while a line is written."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

from edge.ledger import MAX_WAITING, Ledger, check
from tests.edge.test_ledger import findings, records, write

WRITER = """
import sys
from pathlib import Path
from edge.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.open()
for time in range(10**9):
    ledger.add({"time": time, "reason": "x" * (time % 50)})
    ledger.flush()
"""


@pytest.fixture
def log(tmp_path):
    """A whole log of five lines."""
    file = tmp_path / "events.jsonl"
    write(file, 5)
    return file


def test_lines_wait_while_the_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    ledger = Ledger(folder / "events.jsonl")
    ledger.open()
    shutil.rmtree(folder)
    for time in range(3):
        ledger.add({"time": time})
        with pytest.raises(FileNotFoundError):
            ledger.flush()
    assert (ledger.behind, ledger.waiting) == (True, 3)
    folder.mkdir()
    ledger.flush()
    assert (ledger.behind, ledger.waiting) == (False, 0)
    ledger.close()
    assert [record["time"] for record in records(folder / "events.jsonl")] == [0, 1, 2]
    assert findings(folder / "events.jsonl") == []


def test_of_too_many_waiting_lines_the_oldest_are_kept_and_the_lost_ones_counted(log: Path) -> None:
    ledger = Ledger(log)
    for time in range(MAX_WAITING + 7):
        ledger.add({"time": time})
    ledger.flush()
    ledger.add({"time": "later"})
    ledger.flush()
    ledger.close()
    *_, oldest, newest = records(log)
    assert (oldest["time"], newest["time"], newest["lost"]) == (MAX_WAITING - 1, "later", 7)
    assert findings(log) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB that is really full when it is full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_lines_wait_while_the_disk_is_full(small_disk: Path) -> None:
    file, ballast = small_disk / "events.jsonl", small_disk / "ballast"
    write(file, 5)
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(b"x" * 100_000)
    ledger = Ledger(file)
    ledger.open()
    for time in range(60):
        ledger.add({"time": time, "reason": "x" * 100})
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            ledger.flush()
    assert check(file).torn == 0
    ballast.unlink()
    ledger.flush()
    ledger.close()
    report = check(file)
    assert (report.findings, report.torn, report.events) == ([], 0, 65)


def test_lines_wait_while_the_disk_is_read_only(small_disk: Path) -> None:
    file = small_disk / "events.jsonl"
    ledger = write(file, 5)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ledger.add({"time": 5})
    with pytest.raises(OSError, match="Read-only file system"):
        ledger.flush()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    ledger.flush()
    ledger.close()
    assert (findings(file), len(records(file))) == ([], 6)


def test_a_limit_in_the_middle_of_a_line_tears_none(tmp_path: Path) -> None:
    """The kernel writes up to the limit of a file's size and refuses the rest, as on a full disk."""
    program = """
import resource, sys
from pathlib import Path
from edge.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for time in range(20):
    ledger.add({"time": time})
    try:
        ledger.flush()
    except OSError as error:
        print(error.strerror)
assert Path(sys.argv[1]).read_bytes().endswith(b"}\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
ledger.flush()
"""
    file = tmp_path / "events.jsonl"
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()) == {"File too large"}
    assert [record["time"] for record in records(file)] == list(range(20))
    assert findings(file) == []


def test_a_partly_written_line_that_cannot_be_taken_back_is_kept_as_torn(log: Path, monkeypatch) -> None:
    """As a disk that fails and then admits no change at all."""
    whole_write = os.write

    def failing(*_):
        raise OSError(5, "Input/output error")

    def half_write(descriptor, data):
        monkeypatch.setattr(os, "write", failing)
        return whole_write(descriptor, data[: len(data) // 2])

    ledger = Ledger(log)
    ledger.open()
    ledger.add({"time": 5})
    monkeypatch.setattr(os, "ftruncate", failing)
    for _ in range(2):
        monkeypatch.setattr(os, "write", half_write)
        with pytest.raises(OSError, match="Input/output error"):
            ledger.flush()
    monkeypatch.undo()
    ledger.flush()
    ledger.close()
    # the half of the last try; that of the one before is told
    assert (check(log).events, check(log).torn) == (6, 1)
    assert findings(log) == ["events.jsonl: line 6: not JSON, or not an event"]


@pytest.mark.parametrize("seconds", [0.0, 0.013, 0.031, 0.05])
def test_a_writer_killed_at_any_moment_leaves_a_log_that_goes_on(tmp_path: Path, seconds: float) -> None:
    file = tmp_path / "events.jsonl"
    for round_ in range(1, 4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(file)])
        begun = file.stat().st_size if file.exists() else 0
        while not file.exists() or file.stat().st_size == begun:
            sleep(0.001)
        sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        report = check(file)
        assert (report.findings, report.torn <= round_) == ([], True)
