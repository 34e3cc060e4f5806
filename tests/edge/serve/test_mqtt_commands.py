"""What a broker may ask of a door."""

import shutil
import subprocess
import time

import pytest

from edge.bulletin import Contest, Override
from edge.serve import mqtt
from edge.serve.mqtt import COMMAND_SECONDS, COMMANDS, Gate
from edge.serve.topics import CONTEST, OVERRIDE, PRESS
from tests.edge.serve.broker import until
from tests.edge.serve.served import Served, at

pytestmark = [
    pytest.mark.usefixtures("impatient"),
    pytest.mark.skipif(shutil.which("mosquitto") is None, reason="not installed: mosquitto"),
]


@pytest.mark.parametrize(("command", "request_"), [(CONTEST, Contest(by="MQTT")), (OVERRIDE, Override(by="MQTT"))])
def test_a_command_reaches_the_daemon(broker, heard, command, request_):
    with Served(broker.port) as door:
        until(lambda: any("is there" in line for line in door.said))
        until(lambda: _subscribed(broker))
        heard.say(at(command), PRESS)
        until(lambda: door.asked == [request_])
        until(lambda: door.said[-1] == f"{command}: done")


def test_the_daemons_refusal_of_a_command_is_logged(broker, heard):
    with Served(broker.port) as door:
        door.answer = "share.override is off"
        until(lambda: _subscribed(broker))
        heard.say(at(OVERRIDE), PRESS)
        until(lambda: door.said[-1] == "command/override: refused, share.override is off")


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (OVERRIDE, b""),
        (OVERRIDE, b"press"),
        (OVERRIDE, b"PRESS\n"),
        (OVERRIDE, b'{"by": "me"}'),
        (OVERRIDE, b"\x00\xff\xfe" * 100),
        (CONTEST, b"OVERRIDE"),
        ("command/open", PRESS),
        ("command/\u2028" + "x" * 500, PRESS),
    ],
)
def test_a_malformed_command_is_refused_in_one_short_line(broker, heard, command, payload):
    with Served(broker.port) as door:
        until(lambda: _subscribed(broker))
        heard.say(at(command), payload)
        until(lambda: "refused" in door.said[-1])
        assert len(door.said[-1]) < 250 and door.said[-1].isascii() and door.said[-1].isprintable()
        assert not door.asked


def test_a_command_far_too_large_never_reaches_the_door(broker, heard):
    with Served(broker.port) as door:
        until(lambda: _subscribed(broker))
        heard.say(at(OVERRIDE), bytes(10_000_000))
        heard.say(at(CONTEST), PRESS)
        until(lambda: door.asked == [Contest(by="MQTT")])
        assert not [line for line in door.said if "refused" in line]


def test_a_retained_command_is_never_obeyed(broker, heard):
    heard.say(at(OVERRIDE), PRESS, retain=True)
    with Served(broker.port) as door:
        until(lambda: _subscribed(broker))
        heard.say(at(CONTEST), PRESS)
        until(lambda: door.asked)
        heard.say(at(OVERRIDE), PRESS, retain=True)
        until(lambda: "it is retained" in door.said[-1])
        assert door.asked == [Contest(by="MQTT")]


def test_a_command_sent_while_the_door_was_away_is_not_obeyed_later(broker, heard):
    with Served(broker.port) as door:
        until(lambda: _subscribed(broker))
    heard.say(at(OVERRIDE), PRESS)
    with Served(broker.port) as door:
        until(lambda: broker.log.count("New client connected") == 3)
        heard.say(at(CONTEST), PRESS)
        until(lambda: door.asked)
        assert door.asked == [Contest(by="MQTT")]


def test_a_flood_of_commands_is_stopped_while_the_door_goes_on_speaking(broker, heard):
    with Served(broker.port) as door:
        until(lambda: _subscribed(broker))
        flood = ["mosquitto_pub", "-p", str(broker.port), "-t", at(OVERRIDE), "-l", "-q", "0"]
        begin = time.monotonic()
        with subprocess.Popen(flood, stdin=subprocess.PIPE) as attacker:
            for _ in range(20):
                attacker.stdin.write(b"PRESS\n" * 1000)
                attacker.stdin.flush()
                door.show("ALLOW")
                door.show("DENY")
            attacker.stdin.close()
        heard.wait(lambda: len(heard.at(at("event"))) == 40)
        until(lambda: door.asked)
        times = 1 + (time.monotonic() - begin) // COMMAND_SECONDS
        assert len(door.asked) <= COMMANDS * times
        assert len([line for line in door.said if "refused" in line]) <= 1 + times


def _subscribed(broker):
    """Whether the door takes commands: the broker wrote its subscription down."""
    return "maskgate/door1/command/+" in broker.log


def test_the_gate_lets_so_many_of_each_kind_through_in_a_time():
    now = [0.0]
    gate = Gate(say=lambda text: None, clock=lambda: now[0])
    assert [gate.lets(OVERRIDE, PRESS, False) for _ in range(5)] == [True] * COMMANDS + [False] * (5 - COMMANDS)
    assert gate.lets(CONTEST, PRESS, False)
    now[0] = mqtt.COMMAND_SECONDS
    assert gate.lets(OVERRIDE, PRESS, False)


def test_the_gate_complains_from_time_to_time_only():
    now, said = [0.0], []
    gate = Gate(said.append, clock=lambda: now[0])
    for _ in range(1000):
        gate.lets(OVERRIDE, b"open", False)
    now[0] = mqtt.TELL_SECONDS
    gate.lets(OVERRIDE, b"open", False)
    assert [line.partition(" ")[0] for line in said] == ["1", "1000"]
