import shutil
import signal
import subprocess
import sys
import time

import msgspec
import pytest
from anyio.from_thread import start_blocking_portal

from edge.bulletin import About, Bulletin, Contest, Override
from edge.errors import SettingsError
from edge.serve import link, mqtt
from edge.serve.mqtt import COMMAND_SECONDS, COMMANDS, Gate, Mqtt, Pace, device_name, read_password
from edge.serve.topics import CONTEST, OVERRIDE, PRESS, Stats, Told, topic
from edge.settings import MqttSettings
from tests.edge.serve.broker import HOST, Authority, Broker, Subscriber, until

pytestmark = pytest.mark.skipif(shutil.which("mosquitto") is None, reason="not installed: mosquitto")

ABOUT = About(
    bundle="maskgate-4", made="", version="0.1.0", runs_on="cpu", started=1.0, mode="must_wear", override=True
)
DISCOVERY = "homeassistant/device/maskgate_door1/config"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(link, "QUICKEST", 0.05)
    monkeypatch.setattr(link, "SLOWEST", (1, 1))


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path, extra="log_type all") as broker:
        yield broker


@pytest.fixture
def heard(broker):
    with Subscriber(broker.port) as heard:
        yield heard


class Served:
    """An Mqtt in a thread of its own. asked: of the daemon, which answers `answer`. said: lines for people."""

    def __init__(self, port, password="", stats_seconds=60.0, **settings):
        self.asked, self.answer, self.said = [], "", []
        self.mqtt = Mqtt(
            MqttSettings(host=HOST, port=port, device="door1", **({"tls": False} | settings)),
            self._ask,
            password,
            temperature=lambda: 51.5,
            stats_seconds=stats_seconds,
            say=self.said.append,
        )
        self._bulletins = 0

    def __enter__(self):
        self._portals = start_blocking_portal()
        self._portal = self._portals.__enter__()
        self._run = self._portal.start_task_soon(self.mqtt.run)
        return self

    def __exit__(self, *error):
        self.end()
        self._portals.__exit__(None, None, None)

    def end(self):
        self._run.cancel()
        until(self._run.done)

    @property
    def pause(self):
        return self.mqtt._link._patience._pause

    async def _ask(self, request):
        self.asked.append(request)
        return self.answer

    def call(self, function, *arguments):
        self._portal.call(function, *arguments)

    def begin(self, *states):
        """The daemon is there, says what it is, and shows these states."""
        self.call(self.mqtt.connected, True)
        self.call(self.mqtt.about, ABOUT)
        for state in states:
            self.show(state)

    def show(self, state, reason="", signals=("HEARTBEAT",)):
        self._bulletins += 1
        self.call(self.mqtt.bulletin, bulletin(self._bulletins, state, reason, signals))


def bulletin(number, state="IDLE", reason="", signals=()):
    return Bulletin(number, number / 10, 0.02, state, reason, signals)


def at(what):
    return topic("door1", what)


def told(heard, what):
    """State and reason of what was heard at a topic."""
    return [(message.state, message.reason) for text in heard.at(at(what)) if (message := read(text, Told))]


def _alike(text, other):
    """Whether a text is this Told but for its time."""
    return bool(text) and msgspec.structs.replace(read(text, Told), at="") == other


def read(text, kind):
    return msgspec.json.decode(text, type=kind, strict=True)


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
        heard.wait(lambda: all(_alike(heard.last(at(what)), last) for what in ("event", "fault")))
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


# paho leaves it to Python to close the socket of a failed handshake
leaves_sockets = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_broker_with_a_good_certificate_and_the_right_password_is_told(tmp_path, authority):
    with Broker(tmp_path, users={"door1": "secret"}, pair=authority.pair()) as broker:
        with Served(broker.port, "secret", tls=True, ca_file=str(authority.file), user="door1") as door:
            until(lambda: any("is there" in line for line in door.said))


@leaves_sockets
@pytest.mark.parametrize(
    ("host", "days", "ours", "reason"),
    [
        (HOST, 30, False, "self-signed certificate in certificate chain|unable to get local issuer"),
        (HOST, -1, True, "certificate has expired"),
        ("192.0.2.1", 30, True, "IP address mismatch"),
        ("elsewhere.example", 30, True, "IP address mismatch"),
    ],
)
def test_a_broker_with_a_bad_certificate_is_told_nothing_until_it_has_a_good_one(
    tmp_path, authority, host, days, ours, reason
):
    stranger = authority if ours else Authority(tmp_path, "stranger")
    with Broker(tmp_path, pair=stranger.pair(host, days)) as broker:
        with Served(broker.port, tls=True, ca_file=str(authority.file)) as door:
            door.begin("IDLE")
            until(lambda: door.said)
            assert any(part in door.said[0] for part in reason.split("|"))
            assert "New client connected" not in broker.log
            broker.present(authority.pair())
            broker.restart()
            until(lambda: any("is there" in line for line in door.said))


@leaves_sockets
def test_a_broker_without_tls_is_told_nothing_where_tls_is_asked_for(broker, authority):
    with Served(broker.port, "secret", tls=True, ca_file=str(authority.file), user="door1") as door:
        until(lambda: door.said)
        assert "is not there" in door.said[0]
        assert "secret" not in broker.log


@pytest.mark.parametrize(("user", "password"), [("door1", "wrong"), ("stranger", "secret"), ("", "")])
def test_a_wrong_password_is_told_once_and_tried_again_ever_more_seldom(tmp_path, user, password):
    with Broker(tmp_path, users={"door1": "secret"}) as broker, Served(broker.port, password, user=user) as door:
        until(lambda: broker.log.count("disconnected, not authorised") > 3)
        assert len(door.said) == 1
        assert "Not authorized" in door.said[0]
        assert door.pause > 4 * link.QUICKEST


def test_two_doors_of_one_name_are_found_out_and_do_not_fight_faster_and_faster(broker):
    with Served(broker.port) as one, Served(broker.port) as other:
        until(lambda: any("does another client call itself maskgate-door1?" in line for line in one.said + other.said))
        until(lambda: broker.log.count("already connected, closing old connection") > 5)
        assert max(one.pause, other.pause) > 4 * link.QUICKEST


def test_after_a_connection_that_stood_for_a_while_the_next_try_comes_soon(broker, monkeypatch):
    monkeypatch.setattr(link, "STEADY_SECONDS", 0.1)
    with Served(broker.port) as door:
        for times in range(1, 4):
            until(lambda times=times: len([line for line in door.said if "is there" in line]) == times)
            assert door.pause == link.QUICKEST
            time.sleep(0.2)
            broker.restart()


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
