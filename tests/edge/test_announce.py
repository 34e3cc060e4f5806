import math
import threading
import time

import numpy as np
import pytest

from edge.announce import Announcer, Apart, NoOutputs, ServiceStatus, Terminal
from edge.errors import OutputError
from edge.values import Decision, Frame, State

FRAME = Frame(np.zeros((2, 2, 3), np.uint8), 1.0)


class Lamps:
    """Outputs that keep what they were told."""

    def __init__(self):
        self.shown = []

    def show(self, decision, valid_until):
        self.shown.append((decision.state, valid_until))


def decided(state, time=5.0):
    return Decision(time, state, "so")


def test_a_decision_stands_from_the_time_of_its_frame_and_a_fault_until_the_next():
    lamps = Lamps()
    for state in (State.ALLOW, State.FAULT):
        Announcer(lamps, [], 0.8).show(decided(state))
    assert lamps.shown == [(State.ALLOW, 5.8), (State.FAULT, math.inf)]


def test_outputs_come_before_observers():
    lamps, shown_before = Lamps(), []
    announcer = Announcer(lamps, [lambda decision, frame: shown_before.append(len(lamps.shown))], 0.8)
    announcer.show(decided(State.DENY))
    assert shown_before == [1]


def test_observers_get_the_frame_with_its_decision():
    pairs = []
    Announcer(NoOutputs(), [lambda *pair: pairs.append(pair)], 0.8).show(decided(State.DENY), FRAME)
    assert pairs == [(decided(State.DENY), FRAME)]


def test_an_observer_that_fails_is_reported_once_and_dropped(capsys):
    lamps, seen = Lamps(), []

    class Bad:
        def __call__(self, decision, frame):
            raise ValueError("no room")

    announcer = Announcer(lamps, [Bad(), lambda decision, frame: seen.append(decision.state)], 0.8)
    for state in (State.IDLE, State.DENY):
        announcer.show(decided(state))
    assert capsys.readouterr().err == "maskgate: Bad is dropped: ValueError: no room\n"
    assert seen == [state for state, _ in lamps.shown] == [State.IDLE, State.DENY]


def test_observers_hear_of_lost_outputs_before_the_run_ends():
    class DeadLamps:
        def show(self, decision, valid_until):
            raise OutputError("line 17: gone")

    seen = []
    with pytest.raises(OutputError, match="line 17"):
        Announcer(DeadLamps(), [lambda decision, frame: seen.append(decision)], 0.8).show(decided(State.ALLOW))
    assert seen == [Decision(5.0, State.FAULT, "line 17: gone")]


def test_the_terminal_shows_changes_only(capsys):
    terminal = Terminal()
    for moment, state in [(12.3, State.ALLOW), (12.4, State.ALLOW), (13.0, State.IDLE)]:
        terminal(Decision(moment, state, "why"))
    assert capsys.readouterr().out == "12.3 s  ALLOW     why\n13.0 s  IDLE      why\n"


# --- apart


def test_an_observer_apart_gets_everything_in_order_and_may_finish_at_the_end():
    seen = []

    def slow(decision, frame):
        time.sleep(0.005)
        seen.append(decision.time)

    with Apart(slow) as observer:
        for number in range(20):
            observer(decided(State.IDLE, number), None)
    assert seen == list(range(20))


def test_an_observer_that_hangs_delays_nobody_and_misses_the_oldest(capsys):
    going_on, seen = threading.Event(), []

    class Hangs:
        def __call__(self, decision, frame):
            going_on.wait(10)
            seen.append(decision.time)

    start = time.monotonic()
    with Apart(Hangs()) as observer:
        for number in range(1000):
            observer(decided(State.IDLE, number), FRAME)
        assert time.monotonic() - start < 0.5
        going_on.set()
    assert 0 < len(seen) < 100 and seen[-1] == 999
    assert capsys.readouterr().err == "maskgate: Hangs does not keep up; it misses decisions\n"


def test_an_observer_that_is_busy_for_long_is_told():
    going_on, now = threading.Event(), [0.0]
    with Apart(lambda decision, frame: going_on.wait(10), lambda: now[0]) as observer:
        observer(decided(State.IDLE))
        while observer._busy_since == math.inf:
            time.sleep(0.001)
        assert observer.stuck() is None
        now[0] = 0.6
        assert observer.stuck() == "function has been busy for 0.6 s"
        going_on.set()
        while observer._busy_since < math.inf:
            time.sleep(0.001)
        assert observer.stuck() is None


def test_an_observer_apart_that_fails_is_dropped(capsys):
    class Fails:
        def __call__(self, decision, frame):
            raise ConnectionError("no broker")

    with Apart(Fails()) as observer:
        for number in range(200):
            observer(decided(State.IDLE, number))
    assert "maskgate: Fails is dropped: ConnectionError: no broker\n" in capsys.readouterr().err


@pytest.fixture
def told():
    """A status whose clock stands where the test puts it; see `at`."""
    messages, now = [], [100.0]
    status = ServiceStatus("maskgate-7", messages.append, lambda: now[0])

    def at(moment, state, reason="so", age=0.02):
        now[0] = moment
        status(Decision(moment - age, state, reason))
        return messages

    return at


def test_the_service_manager_hears_of_each_change_of_state_and_of_a_faults_reason(told):
    told(100.1, State.IDLE)
    told(100.2, State.IDLE)
    told(100.3, State.FAULT, "the lens is covered")
    told(100.4, State.FAULT, "no frame for 0.5 s")
    assert told(100.5, State.FAULT, "no frame for 0.6 s") == [
        "STATUS=maskgate-7: IDLE, no frame yet",
        "STATUS=maskgate-7: FAULT, the lens is covered",
        "STATUS=maskgate-7: FAULT, no frame for 0.5 s",
    ]


def test_the_service_manager_hears_every_few_seconds_how_fast_the_door_is(told):
    for k in range(1, 51):
        messages = told(100 + k / 10, State.IDLE)
    assert messages[1:] == ["STATUS=maskgate-7: IDLE, 10.0 frames/s, 20 ms from frame to decision"]
    told(105.1, State.FAULT, "the lens is covered")
    assert told(111.0, State.FAULT, "the lens is covered")[-1] == "STATUS=maskgate-7: FAULT, the lens is covered"
    assert told(117.0, State.IDLE)[-1] == "STATUS=maskgate-7: IDLE, 0.2 frames/s, 20 ms from frame to decision"
