import io
import json
from pathlib import Path

import pytest

from edge.errors import InputError
from edge.events import EventLog, open_events
from edge.values import WITH_MASK, Box, Decision, State, Track

TRACK = Track(3, Box(10.04, 20.06, 110.0, 119.99), WITH_MASK, 0.98765, 0.0, 1.0, 0.2)


def decision(time: float, state: State, reason: str = "so") -> Decision:
    return Decision(time, state, reason)


def test_an_event_is_one_line_of_json_with_rounded_figures() -> None:
    stream = io.BytesIO()
    EventLog(stream)(Decision(1.23456, State.ALLOW, "1 face with_mask", (TRACK,)))
    assert stream.getvalue() == (
        b'{"time": 1.235, "state": "ALLOW", "reason": "1 face with_mask", "faces": '
        b'[{"id": 3, "box": [10.0, 20.1, 110.0, 120.0], "label": "with_mask", "score": 0.988}]}\n'
    )


def test_only_a_change_of_state_is_an_event() -> None:
    stream = io.BytesIO()
    log = EventLog(stream)
    for time, state in enumerate([State.IDLE, State.IDLE, State.DENY, State.DENY, State.IDLE]):
        log(decision(time, state, reason=f"reason {time}"))
    assert [json.loads(line)["time"] for line in stream.getvalue().splitlines()] == [0, 2, 4]


def test_a_file_is_added_to_or_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for append in (False, True, True, False, True):
        with open_events(file, append) as log:
            log(decision(0, State.IDLE))
    assert len(file.read_text().splitlines()) == 2


def test_each_event_is_on_disk_at_once(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with open_events(file) as log:
        log(decision(0, State.IDLE))
        assert file.read_text().endswith("\n")


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder/events\.jsonl: cannot write the events there"):
        with open_events(tmp_path / "no such folder" / "events.jsonl"):
            pass


class FullDisk(io.BytesIO):
    """No room for the first two events."""

    writes = 0

    def write(self, data: object, /) -> int:
        self.writes += 1
        if self.writes <= 2:
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


def test_a_full_disk_is_reported_once_and_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    disk = FullDisk()
    log = EventLog(disk, "events.jsonl")
    for time, state in enumerate([State.IDLE, State.DENY, State.IDLE]):
        log(decision(time, state))
    assert capsys.readouterr().err == "maskgate: events.jsonl: an event was lost (No space left on device)\n"
    assert json.loads(disk.getvalue())["time"] == 2
