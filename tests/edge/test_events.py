import json
import re
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.errors import InputError
from edge.events import event, iso, open_events
from edge.ledger import check
from edge.values import WITH_MASK, Box, Decision, Signal, State, Track

TRACK = Track(3, Box(10.04, 20.06, 110.0, 119.99), WITH_MASK, 0.98765, 0.0, 1.0, 0.2)


def decision(time: float, state: State, *signals: Signal, reason: str = "so") -> Decision:
    return Decision(time, state, reason, signals=frozenset(signals))


def records(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "events.jsonl"


def test_an_event_is_one_line_of_json_with_rounded_figures(file: Path) -> None:
    signals = frozenset({Signal.RELEASE, Signal.HELD_OPEN})
    with open_events(file, append=False) as log:
        log(Decision(1.23456, State.ALLOW, "1 face with_mask", (TRACK,), signals))
    assert file.read_text() == (
        '{"number": 1, "time": 1.235, "state": "ALLOW", "signals": ["HELD_OPEN", "RELEASE"], '
        '"reason": "1 face with_mask", "faces": '
        '[{"id": 3, "box": [10.0, 20.1, 110.0, 120.0], "label": "with_mask", "score": 0.988}], '
        f'"previous": "{"0" * 64}"}}\n'
    )


def test_another_reason_of_a_fault_is_an_event_too(file: Path) -> None:
    with open_events(file) as log:
        for moment, reason in enumerate(["the frame is 0.6 s old", "the frame is 0.7 s old", "the picture is black"]):
            log(decision(moment, State.FAULT, reason=reason))
    assert [record["reason"] for record in records(file)] == ["the frame is 0.6 s old", "the picture is black"]


def test_only_a_change_of_state_or_of_signals_is_an_event(file: Path) -> None:
    with open_events(file) as log:
        log(decision(0, State.IDLE, reason="nobody"))
        log(decision(1, State.IDLE, reason="nobody at all"))
        log(decision(2, State.DENY))
        log(decision(3, State.DENY, Signal.TAMPER, Signal.HELD_OPEN))
        log(decision(4, State.DENY, Signal.HELD_OPEN, Signal.TAMPER))
        log(decision(5, State.DENY, Signal.HELD_OPEN))
        log(decision(6, State.IDLE, Signal.HELD_OPEN))
    assert [record["time"] for record in records(file)] == [0, 2, 3, 5, 6]
    assert records(file)[2]["signals"] == ["HELD_OPEN", "TAMPER"]


def test_a_log_that_is_added_to_tells_the_time_of_day(file: Path) -> None:
    before = iso(datetime.now(UTC))
    with open_events(file) as log:
        log(decision(0, State.IDLE))
    (record,) = records(file)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["at"])
    assert before <= record["at"] <= iso(datetime.now(UTC))


def test_the_time_of_day_is_that_of_greenwich() -> None:
    moment = datetime(2026, 5, 1, 1, 30, 0, 125_999, timezone(timedelta(hours=2)))
    assert iso(moment) == "2026-04-30T23:30:00.125Z"


def test_a_log_begun_anew_is_the_same_each_time(file: Path) -> None:
    contents = []
    for _ in range(2):
        with open_events(file, append=False) as log:
            log(decision(0, State.IDLE))
            log(decision(1, State.DENY))
        contents.append(file.read_bytes())
    assert contents[0] == contents[1]
    assert check(file).findings == []


def test_a_file_is_added_to_or_begun_anew(file: Path) -> None:
    for append in (False, True, True, False, True):
        with open_events(file, append) as log:
            log(decision(0, State.IDLE))
    assert len(records(file)) == 2
    assert check(file).findings == []


def test_a_log_begun_anew_keeps_nothing_of_what_was_set_aside(file: Path) -> None:
    with open_events(file, max_megabytes=0.001) as log:
        for time in range(20):
            log(decision(time, (State.IDLE, State.DENY)[time % 2]))
    aside = file.with_name("events.jsonl.1")
    assert aside.exists()
    with open_events(file, append=False) as log:
        log(decision(0, State.IDLE))
    assert not aside.exists()
    assert check(file).findings == []


def test_each_event_can_be_read_at_once(file: Path) -> None:
    with open_events(file) as log:
        log(decision(0, State.IDLE))
        assert check(file).events == 1


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder/events\.jsonl: cannot write the events there"):
        with open_events(tmp_path / "no such folder" / "events.jsonl"):
            pass


@pytest.mark.parametrize("append", [True, False])
def test_what_is_no_file_is_refused_and_left_alone(append: bool) -> None:
    with pytest.raises(InputError, match=r"/dev/null: cannot write the events there \(Not a regular file\)"):
        with open_events(Path("/dev/null"), append):
            pass
    assert Path("/dev/null").is_char_device()


def test_a_write_that_fails_is_a_fault_while_it_lasts_and_loses_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_events(file) as log:
        log(decision(0, State.IDLE))
        assert log.fault is None
        shutil.rmtree(file.parent)
        log(decision(10, State.ALLOW))
        assert log.fault == f"the event log {file} cannot be written (No such file or directory)"
        log(decision(11, State.FAULT))
        assert log.fault is not None
        file.parent.mkdir()
        log(decision(11.6, State.FAULT))
        assert log.fault is None
    assert [record["time"] for record in records(file)] == [10, 11]
    assert capsys.readouterr().err == f"maskgate: the event log {file} cannot be written (No such file or directory)\n"


def test_a_failing_file_is_tried_again_without_a_new_event_twice_a_second(file: Path) -> None:
    with open_events(file) as log:
        shutil.rmtree(file.parent)
        log(decision(10, State.ALLOW))
        file.parent.mkdir()
        for time in (10.1, 10.3, 10.49):
            log(decision(time, State.ALLOW))
            assert log.fault is not None
        log(decision(10.51, State.ALLOW))
        assert log.fault is None


def test_events_that_could_never_be_written_are_told_at_the_end(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_events(file) as log:
        shutil.rmtree(file.parent)
        log(decision(0, State.ALLOW))
        log(decision(1, State.DENY))
    assert capsys.readouterr().err.splitlines()[-1] == f"maskgate: {file}: 2 event(s) were lost"


def test_events_that_wait_at_the_end_are_tried_once_more(file: Path) -> None:
    with open_events(file) as log:
        shutil.rmtree(file.parent)
        log(decision(0, State.ALLOW))
        file.parent.mkdir()
    assert len(records(file)) == 1


def test_a_decision_without_faces_or_signals_is_told_as_such() -> None:
    assert event(decision(0, State.IDLE)) == {"time": 0, "state": "IDLE", "signals": [], "reason": "so", "faces": []}
