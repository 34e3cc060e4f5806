import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.bulletin import Bulletin
from edge.serve.today import AWAY, FAULTS, Today

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=timezone(timedelta(hours=2)))


class Wall:
    """A clock on the wall that the test sets."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "today.json"


def say(today: Today, *states: str) -> None:
    for state in states:
        name, _, reason = state.partition(": ")
        today.bulletin(Bulletin(1, 0.0, 0.0, name, reason))


def test_changes_of_state_are_counted_not_frames(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "IDLE", "IDLE", "ALLOW", "ALLOW", "IDLE", "DENY")
    assert today.counts == {"IDLE": 2, "ALLOW": 1, "DENY": 1}


def test_a_state_stands_since_its_first_frame(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "ALLOW")
    wall.time += timedelta(minutes=1)
    say(today, "ALLOW")
    assert today.since == NOON


def test_a_new_day_begins_at_nothing_but_keeps_the_faults(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "FAULT: camera gone", "ALLOW")
    wall.time += timedelta(days=1)
    assert today.counts == {}
    assert [fault.reason for fault in today.faults] == ["camera gone"]


def test_a_fault_whose_numbers_alone_change_is_one(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "FAULT: 0.6 s old", "FAULT: 0.9 s old", "FAULT: covered")
    assert today.counts == {"FAULT": 2}
    assert [(fault.at, fault.reason) for fault in today.faults] == [
        ("2026-05-04T12:00:00+02:00", "covered"),
        ("2026-05-04T12:00:00+02:00", "0.6 s old"),
    ]


def test_no_more_than_the_last_faults_are_kept_and_none_is_long(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        say(today, f"FAULT: {letter * 1000}")
    assert [fault.reason[0] for fault in today.faults] == list("zyxwvutsrqponmlkjihg")
    assert len(today.faults) == FAULTS and max(len(fault.reason) for fault in today.faults) == 300


def test_a_daemon_that_goes_away_is_a_fault_and_one_that_never_came_is_none(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    today.connected(False)
    assert today.faults == ()
    today.connected(True)
    today.connected(False)
    assert [fault.reason for fault in today.faults] == [AWAY]


def test_all_is_there_again_after_a_restart(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "ALLOW", "FAULT: covered")
    today.save()
    again = Today(file, wall)
    assert (again.counts, again.faults) == (today.counts, today.faults)


def test_what_has_not_changed_is_not_written(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "ALLOW")
    today.save()
    before = file.stat().st_ino
    today.save()
    assert file.stat().st_ino == before


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"day": 3}', b"\xff\xfe", b'{"day": "x", "counts": {"ALLOW": "many"}}']
)
def test_a_broken_file_is_told_and_begun_anew(
    file: Path, wall: Wall, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)
    assert Today(file, wall).counts == {}
    assert "today.json: begun anew" in capsys.readouterr().err


def test_a_disk_that_takes_nothing_is_told_once_and_harms_nothing(
    tmp_path: Path, wall: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    today = Today(tmp_path / "no folder" / "today.json", wall)
    for state in ("ALLOW", "DENY"):
        say(today, state)
        today.save()
    assert capsys.readouterr().err.count("cannot be saved") == 1
    (tmp_path / "no folder").mkdir()
    today.save()
    assert Today(tmp_path / "no folder" / "today.json", wall).counts == {"ALLOW": 1, "DENY": 1}


def test_what_a_power_cut_left_behind_is_in_nobodys_way(file: Path, wall: Wall) -> None:
    file.with_name("today.json.part").write_text("half")
    today = Today(file, wall)
    say(today, "ALLOW")
    today.save()
    assert Today(file, wall).counts == {"ALLOW": 1}


def test_it_is_saved_at_the_end(file: Path, wall: Wall) -> None:
    today = Today(file, wall)
    say(today, "ALLOW")

    async def end_at_once() -> None:
        task = asyncio.create_task(today.run())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(end_at_once())
    assert Today(file, wall).counts == {"ALLOW": 1}
