import os

import pytest

from edge.doctor.disk import events, room, store
from edge.doctor.finding import Status
from edge.doctor.people import Person

STRANGER = Person("maskgate", os.getuid() + 1, frozenset())
OWNER = Person("pi", os.getuid(), frozenset())


def test_no_event_log_and_no_store_need_no_room(tmp_path):
    assert events("", 8.0, tmp_path, None)[0].status == Status.OK
    assert store(None)[0].status == Status.OK
    assert store(tmp_path / "none")[0].status == Status.OK


def test_a_folder_that_is_the_daemons_is_well(tmp_path):
    (finding,) = events("events.jsonl", 0.1, tmp_path, OWNER)
    assert finding.status == Status.OK and str(tmp_path) in finding.found


def test_a_folder_that_the_daemon_may_not_write_names_the_command(tmp_path):
    (finding,) = events("events.jsonl", 8.0, tmp_path, STRANGER)
    assert finding.status == Status.FAIL
    assert finding.mend == f"`sudo chown maskgate: {tmp_path}`"


def test_a_missing_folder_names_the_command(tmp_path):
    (finding,) = events("log/events.jsonl", 8.0, tmp_path, STRANGER)
    assert finding.mend == f"`sudo install -d -o maskgate {tmp_path}/log`"


@pytest.mark.parametrize(("free", "status"), [(0.5, Status.FAIL), (30.0, Status.WARN), (500.0, Status.OK)])
def test_little_room_is_told_before_there_is_none(tmp_path, free, status):
    finding = room("event log", tmp_path, 66.0, OWNER, lambda folder: (free, False))
    assert finding.status == status and bool(finding.mend) == (status != Status.OK)


def test_a_read_only_folder_is_told(tmp_path):
    finding = room("event log", tmp_path, 66.0, OWNER, lambda folder: (500.0, True))
    assert finding.status == Status.FAIL and "read-only" in finding.found


def test_a_store_belongs_to_root(tmp_path):
    assert store(tmp_path)[0].status in (Status.OK, Status.WARN)
