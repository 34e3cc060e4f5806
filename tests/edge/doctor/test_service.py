import pytest

from edge.doctor.finding import Status
from edge.doctor.service import Pace, Service, read_service, service

ASKED = "systemctl show maskgate --property LoadState,ActiveState,SubState,NRestarts,StatusText,Result"
RUNNING = (
    "Result=success\nNRestarts=0\nStatusText=maskgate-4: IDLE, 14.9 frames/s, 21 ms from frame to decision\n"
    "LoadState=loaded\nActiveState=active\nSubState=running"
)
FAULT = RUNNING.replace("IDLE, 14.9 frames/s, 21 ms from frame to decision", "FAULT, the lens is covered, they say")


@pytest.fixture
def read(machine):
    """What is told of a service whose properties are this text."""
    return lambda text: read_service(machine(commands={ASKED: text}))


def test_a_running_service_says_how_fast_it_is(read):
    told = read(RUNNING)
    assert told.active and told.pace == Pace(14.9, 0.021) and told.in_fault == ""
    assert service(told)[0].status == Status.OK


def test_a_service_in_fault_fails_with_its_reason(read):
    told = read(FAULT)
    assert told.pace is None
    (finding,) = service(told)
    assert finding.status == Status.FAIL and finding.found == "runs, in FAULT: the lens is covered, they say"
    assert "journalctl -u maskgate" in finding.mend


def test_a_service_that_restarts_is_told(read):
    (finding,) = service(read(RUNNING.replace("NRestarts=0", "NRestarts=7")))
    assert finding.status == Status.WARN and "7 times" in finding.found


def test_a_service_that_is_stopped_fails_with_the_command_that_starts_it(read):
    text = "NRestarts=0\nStatusText=\nLoadState=loaded\nActiveState=inactive\nSubState=dead"
    (finding,) = service(read(text))
    assert (finding.status, finding.found) == (Status.FAIL, "does not run: inactive (dead)")
    assert "sudo systemctl enable --now maskgate" in finding.mend


def test_a_service_that_is_not_installed_is_no_failure(read):
    (finding,) = service(read("LoadState=not-found\nActiveState=inactive\nNRestarts=0"))
    assert finding.status == Status.WARN and "make deploy" in finding.mend


def test_a_machine_without_systemd_is_told_so(machine):
    told = read_service(machine())
    assert told == Service(systemd=False)
    assert service(told)[0].status == Status.WARN
