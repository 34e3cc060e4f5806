import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge.contract import load_bundle
from edge.drift import Day, Kept, accepted_file, read_reference
from edge.drift_command import drift
from edge.errors import InputError, SettingsError

REFERENCE = read_reference(load_bundle()).counts
DARK = [300, *([0] * 31)]

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command at a door of these settings."""
    config = tmp_path / "door.toml"
    config.write_text(f"[drift]\nfile = '{tmp_path}/drift.json'\n")

    def act(action: str = "show", days: int = 7) -> int:
        return drift(argparse.Namespace(action=action, days=days, store=tmp_path / "store", config=config))

    return act


@pytest.fixture
def counted(tmp_path: Path) -> Callable[..., Path]:
    """The file of a door with such days behind it."""

    def count(*days: dict[str, list[int]]) -> Path:
        file = tmp_path / "drift.json"
        each = [Day(f"2026-05-{number + 1:02}", counts) for number, counts in enumerate(days)]
        file.write_bytes(msgspec.json.encode(Kept("maskgate-4", each)))
        return file

    return count


def test_a_door_like_the_photos_is_well(run: Run, counted, capsys):
    counted(REFERENCE)
    assert run() == 0
    first, *table = capsys.readouterr().out.splitlines()
    assert (
        first == f"{sum(REFERENCE['brightness'])} people of whole days, beside the photos that maskgate-4 was tested on"
    )
    assert [line.split() for line in table] == [[name, "0.00"] for name in REFERENCE]


def test_another_one_is_not_and_says_why(run: Run, counted, capsys):
    counted(REFERENCE | {"brightness": DARK})
    assert run() == 1
    told = capsys.readouterr().out
    assert "  faces are darker\n" in told and "\nalarm: faces are darker (brightness " in told


def test_what_is_accepted_is_well(run: Run, counted, capsys):
    file = counted({"brightness": DARK})
    assert run("accept") == 0
    told = capsys.readouterr().out
    assert told == f"normal from now on: the 300 people since 2026-05-01; delete {file}.accepted to undo it\n"
    assert run() == 0
    assert capsys.readouterr().out.startswith("300 people of whole days, beside 300 of 2026-05-01 and after, accepted")


def test_everybody_may_read_what_was_accepted(run: Run, counted):
    file = counted({"brightness": DARK})
    run("accept")
    assert accepted_file(file).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("days", "people"), [(1, 300), (2, 600), (31, 900)])
def test_as_many_days_are_accepted_as_are_asked_for(days: int, people: int, run: Run, counted, capsys):
    counted(*[{"brightness": DARK}] * 3)
    assert run("accept", days) == 0
    assert f"the {people} people since" in capsys.readouterr().out


def test_too_few_people_change_nothing(run: Run, counted, tmp_path: Path):
    counted({"brightness": [12, *([0] * 31)]})
    with pytest.raises(InputError, match="12 people so far"):
        run("accept")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["door.toml", "drift.json"]


@pytest.mark.parametrize("action", ["show", "accept"])
def test_a_door_where_nobody_was_counted_yet_says_so(action: str, run: Run):
    with pytest.raises(InputError, match=r"drift\.json: cannot be read"):
        run(action)


@pytest.mark.parametrize("action", ["show", "accept"])
def test_a_door_where_nobody_counts_says_what_to_set(action: str, tmp_path: Path):
    config = tmp_path / "door.toml"
    config.write_text("[door]\n")
    with pytest.raises(SettingsError, match=r"drift\.file is not set"):
        drift(argparse.Namespace(action=action, days=7, store=tmp_path, config=config))
