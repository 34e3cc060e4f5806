import subprocess
import sys

from hypothesis import given
from hypothesis.strategies import booleans, integers, lists, tuples

from edge.serve.link import Message, Outbox


def event(number):
    return Message("event", b"%d" % number, retain=False)


def state(number):
    return Message("state", b"%d" % number)


def drained(outbox):
    messages = []
    while message := outbox.next():
        messages.append(message)
    return messages


def test_of_a_retained_topic_only_the_newest_waits():
    outbox = Outbox()
    for number in range(5):
        outbox.keep(state(number))
    assert drained(outbox) == [state(4)]


def test_events_wait_in_their_order_and_the_oldest_go_when_there_are_too_many():
    outbox = Outbox(events=3)
    outbox.keep(state(0))
    for number in range(5):
        outbox.add(event(number))
    assert drained(outbox) == [state(0), event(2), event(3), event(4)]
    assert outbox.lost == 2


def test_what_is_urgent_goes_before_all_others_and_replaces_what_is_older():
    outbox = Outbox()
    outbox.add(event(1))
    outbox.keep(state(1))
    outbox.first([Message("availability", b"online"), state(2)])
    assert drained(outbox) == [Message("availability", b"online"), state(2), event(1)]


@given(lists(tuples(booleans(), integers(0, 9))), integers(1, 4))
def test_no_more_waits_than_one_of_a_topic_and_so_many_events(steps, events):
    outbox = Outbox(events)
    for keep, number in steps:
        outbox.keep(Message(f"topic{number}", b"")) if keep else outbox.add(event(number))
    waiting = drained(outbox)
    topics = [message.topic for message in waiting if message.retain]
    assert sorted(topics) == sorted({f"topic{number}" for keep, number in steps if keep})
    assert [m for m in waiting if not m.retain] == [event(n) for keep, n in steps if not keep][-events:]


def test_the_broker_needs_none_of_the_libraries_for_seeing():
    program = "import sys, edge.serve.mqtt; sys.exit('numpy' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
