import re
import signal
import subprocess
import sys

import pytest

from edge.errors import InputError
from edge.fleet import mosquitto as our_own
from edge.fleet.flood import Flood
from edge.fleet.simulate import Figures, main
from tests.edge.serve.broker import HOST, Broker, Subscriber, until


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as broker:
        yield broker


def simulation(*arguments):
    """Forks, so it has to be a process without threads, which pytest's need not be."""
    command = [sys.executable, "-m", "edge.fleet.simulate", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(*arguments):
    with simulation(*arguments) as process:
        out, err = process.communicate(timeout=300)
    assert err == ""
    return process.returncode, out


def test_what_the_doors_tell_is_heard_and_measured():
    code, out = ended("--doors", 10, "--seconds", 2, "--pause", 0.2)
    assert code == 0 and "10 doors, 300 changes a minute each, 2 s" in out
    rate, median = re.search(r"([\d.]+) messages/s   p50 +([\d.]+) ms .* 0.0% lost   broker", out).groups()
    assert 50 < float(rate) < 200, "each of 50 changes a second is a state and an event"
    assert 0 < float(median) < 1000
    assert re.search(r"memory: [\d.]+ MB a door .*, [\d.]+ MB the broker", out)


def test_a_broker_is_left_as_it_was_found(broker):
    with Subscriber(broker.port) as before:
        ended("--doors", 3, "--seconds", 1, "--broker", f"{HOST}:{broker.port}")
        before.wait(lambda: len(before.heard) > 3)
    with Subscriber(broker.port) as after:
        after.say("last")
        after.wait(lambda: bool(after.at("last")))
        assert after.heard == [("last", b"")]


def test_the_doors_end_with_their_starter_however_that_ends(broker):
    with (
        Subscriber(broker.port) as subscriber,
        simulation("--doors", 3, "--broker", f"{HOST}:{broker.port}") as process,
    ):
        doors = [f"maskgate/virtual-000{number}/availability" for number in range(3)]
        try:
            until(lambda: all(subscriber.last(door) == "online" for door in doors), "the doors are there")
        finally:
            process.send_signal(signal.SIGKILL)
        until(lambda: all(subscriber.last(door) == "offline" for door in doors), "the doors are gone")


def test_a_flood_is_told_and_heard(broker):
    with Flood(HOST, broker.port, b"x" * 100) as flood:
        flood.rate = 1000
        until(lambda: flood.heard > 300, "300 messages")


@pytest.mark.parametrize(
    ("latencies", "changes", "behind"),
    [([0.01] * 1000, 1000, False), ([0.01] * 995, 1000, False), ([0.01] * 900, 1000, True), ([2.0] * 1000, 1000, True)],
)
def test_late_or_lost_messages_are_falling_behind(latencies, changes, behind):
    assert Figures(10.0, 2000, changes, latencies, None).behind is behind


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--doors", "0"], "--doors 0: not from 1 to 9999"),
        (["--seconds", "nan"], "--seconds nan: not from 1 to 86400"),
        (["--pause", "0"], "--pause 0.0: not from 0.01 to 3600"),
        (["--harmed", "101"], "--harmed 101.0: not from 0 to 100"),
        (["--broker", "nowhere"], "--broker nowhere: not HOST:PORT, with a port from 1 to 65535"),
    ],
)
def test_bad_input_is_refused(arguments, told, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"simulate: error: {told}\n"


def test_without_mosquitto_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(our_own, "PLACES", "/nowhere")
    with pytest.raises(InputError, match="sudo apt install mosquitto"):
        our_own.mosquitto().__enter__()


@pytest.mark.slow
@pytest.mark.alone
def test_a_canary_over_200_doors_stops_at_the_first_five_percent_that_get_worse():
    code, out = ended("--canary", "--doors", 200, "--harmed", 10)
    worse, having = map(int, re.search(r"stopping: (\d+) of (\d+) doors that took it got worse", out).groups())
    assert worse >= 0.05 * having > worse - 2, "and not later"
    took = int(re.search(r"(\d+) of 200 doors took the bundle, 0 of them after the end of the rollout", out)[1])
    assert having <= took < 50 and code == 0, "at the first step, meant for 10 %"


@pytest.mark.long
def test_a_bundle_that_harms_nobody_reaches_all_doors():
    code, out = ended("--canary", "--doors", 50, "--harmed", 0)
    assert "50 of 50 doors took the bundle" in out and code == 0
