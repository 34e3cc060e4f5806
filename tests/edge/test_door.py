from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from edge.door import Door, LiveDoor, Unchanged
from edge.errors import OutputError
from edge.settings import DoorSettings, ScheduleSettings, Settings
from edge.values import Frame, Inputs, Signal, State
from tests.edge.rig import GREEN, RED, ColourJudge, Pictures

NOON, NIGHT = datetime(2026, 5, 4, 12, 0), datetime(2026, 5, 4, 23, 0)


class Clock:
    now = 10.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def pictures():
    return Pictures()


def live(judge=None, checks=(), settings=None):
    settings = settings or Settings()
    clock = Clock()
    return LiveDoor(lambda: Door(judge or ColourJudge(), settings), settings, checks, clock), clock


def test_a_fresh_frame_is_judged(pictures):
    door, clock = live()
    assert door.see(Frame(pictures(RED), clock.now - 0.4)).state == State.CHECKING


def test_an_old_frame_is_a_fault_and_is_not_judged(pictures):
    class Never:
        def judge(self, rgb):
            raise AssertionError("judged")

    door, _ = live(Never())
    decision = door.see(Frame(pictures(GREEN), 9.4))
    assert (decision.state, decision.reason) == (
        State.FAULT,
        "the frame was 0.60 s old when it was here, the limit is 0.5 s",
    )


def test_a_verdict_that_comes_too_late_is_a_fault(pictures):
    class Slow(ColourJudge):
        def judge(self, rgb):
            clock.now += 0.6
            return super().judge(rgb)

    door, clock = live(Slow())
    decision = door.see(Frame(pictures(GREEN), clock.now))
    assert decision.state == State.FAULT and "old when it was judged" in decision.reason


def test_the_first_check_that_fails_says_why_and_a_picture_that_is_none_comes_last(pictures):
    reasons = [None, "the disk is full", "the guard is gone"]
    door, clock = live(checks=[lambda reason=reason: reason for reason in reasons])
    black = np.zeros_like(pictures(GREEN))
    assert door.see(Frame(black, clock.now)).reason == "the disk is full"


def test_nothing_rests_on_a_frame_that_repeats_the_one_before(pictures):
    door, clock = live()
    first, again = pictures(GREEN), pictures(GREEN)
    assert door.see(Frame(first, clock.now)) is not None
    clock.now += 0.1
    assert door.see(Frame(first.copy(), clock.now)) is None
    clock.now += 0.1
    assert door.see(Frame(again, clock.now)) is not None
    clock.now += 0.8
    assert door.see(Frame(again.copy(), clock.now)).reason == "the camera repeats one frame"


def test_after_a_fault_everybody_is_seen_for_the_first_time(pictures):
    door, clock = live()
    states = []
    for k in range(60):
        clock.now = 10 + k / 20
        rgb = pictures(GREEN)
        states.append(door.see(Frame(rgb, clock.now - (0.6 if k == 50 else 0))).state)
    assert states[50:52] == [State.FAULT, State.CHECKING]


def test_lost_outputs_are_not_a_fault_but_the_end(pictures):
    def lost():
        raise OutputError("the guard has ended")

    door, clock = live(checks=[lost])
    with pytest.raises(OutputError):
        door.see(Frame(pictures(GREEN), clock.now))


@pytest.mark.parametrize(("local", "released"), [(NOON, False), (NIGHT, True)])
def test_the_weekly_schedule_decides_what_a_bare_face_means(pictures, local, released):
    night = ScheduleSettings(("mon",), "20:00", "06:00", "remind")
    door = Door(ColourJudge(), Settings(schedule=(night,)), local_time=lambda: local)
    decisions = [door.see(Frame(pictures(RED), k / 20)) for k in range(20)]
    assert decisions[-1].state == State.DENY
    assert (Signal.RELEASE in decisions[-1].signals) == released


def test_an_override_releases_the_door(pictures):
    door = Door(ColourJudge(), Settings(door=DoorSettings()), lambda: Inputs(override=True))
    assert Signal.RELEASE in door.see(Frame(pictures(RED), 0.0)).signals


# --- files that must stay what they are


def test_files_that_stay_are_no_fault_and_one_that_changes_is(tmp_path):
    model, clock = tmp_path / "a.tflite", Clock()
    model.write_bytes(b"one")
    check = Unchanged([model], clock=clock)
    assert check() is None
    model.write_bytes(b"three")
    assert check() is None  # it looks only now and then
    clock.now += 0.3
    assert check() == f"{model} was changed on disk; restart to check and load it"


def test_a_file_that_is_removed_is_a_fault(tmp_path):
    model, clock = tmp_path / "a.tflite", Clock()
    model.write_bytes(b"one")
    check = Unchanged([model], clock=clock)
    model.unlink()
    assert "a.tflite was changed" in check()


def test_a_frame_is_not_changed_by_being_judged(pictures):
    rgb = pictures(GREEN)
    before = rgb.copy()
    door, clock = live()
    door.see(replace(Frame(rgb, clock.now)))
    assert (rgb == before).all()
