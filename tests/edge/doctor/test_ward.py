import os
import signal
import time

from edge.doctor.finding import Status, ok
from edge.doctor.ward import Check, examine


def well():
    return [ok("one", "fine"), ok("two", "fine")]


def noisy():
    print("a library prints this by itself")
    return [ok("noisy", "fine")]


def throws():
    raise ValueError("no such thing")


def hangs():
    time.sleep(60)


def crashes():
    os.kill(os.getpid(), signal.SIGILL)


def leaves():
    os._exit(3)


def test_every_check_answers_or_is_answered_for():
    checks = [Check(call.__name__, call) for call in (well, throws, crashes, leaves)]
    checks += [Check("hangs", hangs, 0.3), Check("well", well)]
    findings = list(examine(checks))
    assert [finding.name for finding in findings] == [
        "one",
        "two",
        "throws",
        "crashes",
        "leaves",
        "hangs",
        "one",
        "two",
    ]
    assert [finding.found for finding in findings[2:6]] == [
        "cannot be checked: ValueError: no such thing",
        "crashed (SIGILL)",
        "crashed (exit code 3)",
        "gave no answer within 0.3 s",
    ]
    assert all(finding.status == Status.FAIL and finding.mend for finding in findings[2:6])


def test_what_libraries_print_does_not_stand_between_our_lines(capfd):
    assert [finding.name for finding in examine([Check("noisy", noisy)])] == ["noisy"]
    assert capfd.readouterr() == ("", "")


def test_findings_come_as_soon_as_they_are_there():
    findings = examine([Check("well", well), Check("hangs", hangs, 30.0)])
    start = time.monotonic()
    assert next(findings).name == "one"
    findings.close()
    assert time.monotonic() - start < 10
