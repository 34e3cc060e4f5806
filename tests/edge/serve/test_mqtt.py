"""What a broker hears of a door, through outages too."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from edge.errors import SettingsError
from edge.serve import link
from edge.serve.mqtt import Mqtt, Pace, device_name, read_password
from edge.serve.topics import Stats, Told
from edge.settings import MqttSettings
from tests.edge.serve.broker import HOST, Broker, Subscriber, until
from tests.edge.serve.served import ABOUT, DISCOVERY, Served, alike, at, bulletin, read, told

pytestmark = [
    pytest.mark.usefixtures("impatient"),
    pytest.mark.skipif(shutil.which("mosquitto") is None, reason="not installed: mosquitto"),
]


def test_a_door_says_that_it_is_there_what_it_shows_how_it_does_and_what_it_is(broker, heard):
    with Served(broker.port) as door:
        door.begin("IDLE", "CHECKING", "CHECKING", "ALLOW")
        heard.wait(lambda: told(heard, "event")[-1:] == [("ALLOW", "")])
        heard.wait(lambda: heard.at(DISCOVERY))
        assert told(heard, "event") == [("IDLE", ""), ("CHECKING", ""), ("ALLOW", "")]
        assert heard.last(at("availability")) == "online"
        assert read(heard.last(at("stats")), Stats).about == ABOUT
        with Subscriber(broker.port) as later:
            kept = {at("availability"), at("state"), at("stats"), DISCOVERY}
            later.wait(lambda: set(later.retained) == kept and len(told(later, "state")) == 1)
            assert told(later, "state") == [("ALLOW", "")]


def test_signals_are_told_as_states_are_but_not_the_heartbeat(broker, heard):
    with Served(broker.port) as door:
        door.show("ALLOW", signals=("HEARTBEAT",))
        door.show("ALLOW", signals=())
        door.show("ALLOW", signals=("RELEASE", "HEARTBEAT"))
        heard.wait(lambda: len(heard.at(at("event"))) == 2)
        assert [read(text, Told).signals for text in heard.at(at("event"))] == [(), ("RELEASE",)]
        assert read(heard.last(at("event")), Told).number == 3


def test_each_fault_is_told_once_and_the_door_stays_online(broker, heard):
    with Served(broker.port) as door:
        door.begin("IDLE")
        for reason in ("frames of 0.6 s", "frames of 0.7 s", "the camera is gone"):
            door.show("FAULT", reason)
        door.show("IDLE")
        heard.wait(lambda: told(heard, "event")[-1:] == [("IDLE", "")] and len(told(heard, "event")) > 1)
        assert told(heard, "fault") == [("FAULT", "frames of 0.6 s"), ("FAULT", "the camera is gone")]
        assert set(heard.at(at("availability"))[1:]) <= {"online"}


def test_state_and_stats_come_again_and_again(broker, heard):
    with Served(broker.port, stats_seconds=0.1) as door:
        door.begin("IDLE", "ALLOW", "IDLE")
        heard.wait(lambda: len(heard.at(at("stats"))) > 5 and len(heard.at(at("state"))) > 5)
        stats = read(heard.last(at("stats")), Stats)
        assert stats.changes == {"IDLE": 2, "ALLOW": 1}
        assert stats.temperature == 51.5


def test_a_door_whose_daemon_goes_is_offline_until_it_is_back(broker, heard):
    with Served(broker.port) as door:
        door.begin("IDLE")
        heard.wait(lambda: heard.last(at("availability")) == "online")
        door.call(door.mqtt.connected, False)
        heard.wait(lambda: heard.last(at("availability")) == "offline")
        door.call(door.mqtt.connected, True)
        heard.wait(lambda: heard.last(at("availability")) == "online")


def test_a_door_that_ends_in_good_order_is_offline_at_once(broker, heard):
    with Served(broker.port) as door:
        door.begin("IDLE")
        heard.wait(lambda: heard.last(at("availability")) == "online")
        door.end()
        heard.wait(lambda: heard.last(at("availability")) == "offline")


PROGRAM = """
import asyncio, sys
from edge.serve.mqtt import Mqtt
from edge.settings import MqttSettings
async def main():
    mqtt = Mqtt(MqttSettings(host="127.0.0.1", port=int(sys.argv[1]), tls=False, device="door1"), ask=None)
    mqtt.connected(True)
    await mqtt.run()
asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_broker_says_that_a_door_is_offline_whose_program_was_ended(broker, heard, how):
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(broker.port)], stderr=subprocess.DEVNULL)
    heard.wait(lambda: heard.last(at("availability")) == "online")
    program.send_signal(how)
    assert program.wait(5) != 0
    heard.wait(lambda: heard.last(at("availability")) == "offline")


def test_a_broker_that_is_away_at_the_start_is_no_error(broker, heard):
    broker.stop()
    with Served(broker.port) as door:
        door.begin("IDLE", "ALLOW")
        until(lambda: door.said)
        broker.start()
        heard.wait(lambda: told(heard, "state")[-1:] == [("ALLOW", "")])
        heard.wait(lambda: told(heard, "event") == [("IDLE", ""), ("ALLOW", "")])
        assert "Connection refused" in door.said[0]
        assert [line for line in door.said if "is there" in line] == door.said[1:]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("keep", [True, False])
def test_after_an_outage_the_state_is_retained_again_and_events_are_made_up_for(tmp_path, how, keep):
    with Broker(tmp_path, keep=keep) as broker, Served(broker.port) as door:
        door.begin("IDLE")
        until(lambda: any("is there" in line for line in door.said))
        broker.stop(how)
        until(lambda: any("is not there" in line for line in door.said))
        for state in ("CHECKING", "DENY", "IDLE", "CHECKING", "ALLOW"):
            door.show(state)
        broker.start()
        with Subscriber(broker.port) as heard:
            heard.wait(lambda: told(heard, "state")[-1:] == [("ALLOW", "")])
            heard.wait(lambda: heard.last(at("availability")) == "online" and heard.at(DISCOVERY))
        with Subscriber(broker.port) as later:
            later.wait(lambda: {at("state"), at("availability"), at("stats"), DISCOVERY} <= set(later.retained))
            assert told(later, "state") == [("ALLOW", "")]


def test_events_of_an_outage_arrive_in_their_order_and_each_once(broker, heard):
    with Served(broker.port) as door:
        door.begin("IDLE")
        heard.wait(lambda: told(heard, "event") == [("IDLE", "")])
        broker.freeze()
        states = [("CHECKING", "DENY", "ALLOW")[k % 3] for k in range(100)]
        for state in states:
            door.show(state)
        broker.thaw()
        heard.wait(lambda: len(heard.at(at("event"))) == 101)
        assert [state for state, _ in told(heard, "event")][1:] == states
        heard.wait(lambda: told(heard, "state")[-1:] == [(states[-1], "")])


def test_a_full_queue_keeps_the_newest_and_says_so(broker, heard):
    broker.stop()
    with Served(broker.port) as door:
        door.begin()
        for k in range(3 * link.EVENTS):
            door.show("FAULT" if k % 2 else "IDLE", "the camera is gone")
        broker.start()
        heard.wait(lambda: told(heard, "state")[-1:] == [("FAULT", "the camera is gone")])
        last = Told("", 3 * link.EVENTS, "FAULT", "the camera is gone")
        heard.wait(lambda: all(alike(heard.last(at(what)), last) for what in ("event", "fault")))
        # the broker tells the retained fault twice, to who subscribes anew
        assert len(set(heard.at(at("event")))) + len(set(heard.at(at("fault")))) == link.EVENTS
        until(lambda: f"{900 - link.EVENTS} event(s) were lost" in door.said[-1])
        assert len([line for line in door.said if "the oldest are lost" in line]) == 1


def test_a_frozen_broker_delays_nobody_and_is_found_out(broker, monkeypatch):
    monkeypatch.setattr(link, "KEEPALIVE", 1)
    with Served(broker.port) as door:
        door.begin("IDLE")
        until(lambda: any("is there" in line for line in door.said))
        broker.freeze()
        begin = time.perf_counter()
        for k in range(1000):
            door.show("ALLOW" if k % 2 else "IDLE")
        assert time.perf_counter() - begin < 2
        until(lambda: any("is not there" in line for line in door.said))
        broker.thaw()
        with Subscriber(broker.port) as heard:
            heard.wait(lambda: heard.last(at("availability")) == "online")
            heard.wait(lambda: told(heard, "state")[-1:] == [("ALLOW", "")])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"host": "a..b", "tls": False}, r'mqtt\.host is "a\.\.b"; it must be a host name'),
        ({"host": "x" * 70, "tls": False}, r"mqtt\.host is"),
        ({"host": HOST, "ca_file": "nowhere.pem"}, r'mqtt\.ca_file is "nowhere\.pem"; cannot read .* \(No such file'),
        ({"host": HOST, "ca_file": __file__}, r"mqtt\.ca_file is .*; cannot read certificates from it"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(settings, text):
    with pytest.raises(SettingsError, match=text):
        Mqtt(MqttSettings(**settings), ask=None)


def test_the_password_is_a_credential(tmp_path):
    (tmp_path / "mqtt-password").write_text("sesame\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_password(MqttSettings(user="door1"), environment) == "sesame"
    assert read_password(MqttSettings(), {}) == ""


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_user_without_a_password_is_refused(tmp_path, content):
    if content:
        (tmp_path / "mqtt-password").write_bytes(content)
    with pytest.raises(SettingsError, match=r'mqtt.user is "door1".*the credential mqtt-password'):
        read_password(MqttSettings(user="door1"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize(
    ("device", "host", "name"), [("front", "pi", "front"), ("", "pi.lan/#+", "pi-lan---"), ("", "é" * 100, "-" * 64)]
)
def test_a_door_is_named_as_set_or_as_its_host(device, host, name):
    assert device_name(MqttSettings(device=device), host) == name


def test_the_pace_counts_frames_that_were_missed_too_and_begins_anew_with_a_new_daemon():
    pace = Pace()
    assert pace.taken() == (None, None)
    for number in (1, 2, 11):
        pace.add(bulletin(number))
    assert pace.taken() == (10.0, 0.02)
    pace.add(bulletin(21, "FAULT"))
    assert pace.taken() == (10.0, None)
    pace.add(bulletin(1))
    pace.add(bulletin(3))
    assert pace.taken() == (10.0, 0.02)
