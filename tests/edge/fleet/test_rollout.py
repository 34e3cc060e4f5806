import json
import os
import subprocess
import sys
import threading

import msgspec
import pytest
from paho.mqtt import publish

from edge.bulletin import About
from edge.errors import InputError
from edge.fleet.doors import Limits
from edge.fleet.ear import Ear, Login, address
from edge.fleet.plan import Plan
from edge.fleet.rollout import IndexFile, main, roll_out, steps_of
from edge.serve.topics import Stats
from edge.update.poll import lot
from tests.edge.serve.broker import HOST, Authority, Broker, until

PLAN = Plan((20.0, 60.0, 100.0), before_seconds=0.5, soak_seconds=1.0, patience_seconds=20.0, blind_seconds=1.0)
OFFER = {"version": 5, "url": "maskgate-5.tar", "sha256": "0" * 64, "size": 1000, "percent": 0}
WHOLE = {"models": OFFER, "settings": OFFER | {"url": "door-3.tar", "version": 3}, "later": [1, 2]}


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def index(tmp_path):
    file = tmp_path / "index.json"
    file.write_text(json.dumps(WHOLE))
    return file


class Doors:
    """Forty doors on a broker, which take what the index offers when they are told to look."""

    def __init__(self, broker, index):
        self.names = [f"door-{number}" for number in range(40)]
        self._port, self._index = broker.port, index
        self._say((name, "availability", b"online") for name in self.names)
        self._say((name, "stats", stats(4, 90, 10)) for name in self.names)

    def look(self, unknown):
        """Those that are meant take version 5, and from then on show so many UNKNOWN for 100 people."""
        percent = json.loads(self._index.read_text())["models"]["percent"]
        took = [name for name in self.names if lot(name, "models", 5) < percent]
        self._say((name, "stats", stats(5, 90, 10)) for name in took)
        self._say((name, "stats", stats(5, 190 - unknown, 10 + unknown)) for name in took)
        return took

    def _say(self, messages):
        all_of_them = [(f"maskgate/{name}/{what}", payload, 1, True) for name, what, payload in messages]
        publish.multiple(all_of_them, HOST, self._port)


def stats(version, allowed, unknown):
    about = About(f"maskgate-{version}", "", "0.1.0", "CPU", 0.0, "must_wear")
    changes = {"ALLOW": allowed, "UNKNOWN": unknown}
    return msgspec.json.encode(Stats("now", "then", changes, 15.0, 0.1, None, about))


class Rollout(threading.Thread):
    """A rollout at work. well: how it ended."""

    def __init__(self, broker, index):
        super().__init__()
        self._broker, self._index = broker, index
        self.well = None
        self.start()

    def run(self):
        with Ear(Login(HOST, self._broker.port, tls=False)) as ear:
            self.well = roll_out(ear, IndexFile(self._index), PLAN, Limits(), tick=0.05)

    def offers(self, percent):
        until(lambda: json.loads(self._index.read_text())["models"]["percent"] == percent, f"{percent} % are offered")


def test_a_good_bundle_reaches_all_doors_step_by_step(broker, index, capsys):
    doors, rollout = Doors(broker, index), Rollout(broker, index)
    for percent in PLAN.steps:
        rollout.offers(percent)
        took = doors.look(unknown=10)
    rollout.join()
    assert rollout.well and len(took) == 40
    assert "done: all may take it, and 40 of 40 doors did" in capsys.readouterr().out


def test_a_bad_bundle_is_taken_back_before_other_doors_take_it(broker, index, capsys):
    doors, rollout = Doors(broker, index), Rollout(broker, index)
    rollout.offers(20.0)
    took = doors.look(unknown=60)
    rollout.join()
    assert rollout.well is False and 0 < len(took) < 20
    assert json.loads(index.read_text()) == WHOLE, "the rest is as it was"
    told = capsys.readouterr().out
    assert "stopping: " in told and f"{took[0]}: UNKNOWN for 60% of 100 people, 10% of 100 before" in told


def test_a_broker_that_stays_away_stops_it(broker, index):
    Doors(broker, index)
    rollout = Rollout(broker, index)
    rollout.offers(20.0)
    broker.stop()
    rollout.join()
    assert rollout.well is False and json.loads(index.read_text()) == WHOLE


def test_a_broker_that_comes_back_is_heard_again(broker):
    with Ear(Login(HOST, broker.port, tls=False)) as ear:
        broker.restart()
        until(lambda: not ear.connected, "it is noticed")
        until(lambda: ear.connected, "it is back")
        publish.single("maskgate/door/state", b"hello", 1, hostname=HOST, port=broker.port)
        assert next(ear.messages(5)).payload == b"hello"


def test_a_release_that_was_changed_meanwhile_is_left_alone(index):
    file = IndexFile(index)
    changed = json.dumps(WHOLE | {"models": OFFER | {"version": 6}})
    index.write_text(changed)
    with pytest.raises(InputError, match=r"its models were changed meanwhile; nothing was written"):
        file.offer(10.0)
    assert index.read_text() == changed


def test_only_the_percentage_of_the_models_is_changed(index):
    IndexFile(index).offer(12.5)
    assert json.loads(index.read_text()) == WHOLE | {"models": OFFER | {"percent": 12.5}}
    assert os.listdir(index.parent) == ["index.json"], "nothing else is left behind"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not an index of releases"),
        ("[]", "not an index of releases"),
        ('{"settings": null}', 'offers no models; put the new bundle there with "percent": 0'),
        (json.dumps({"models": OFFER | {"percent": 101}}), "not an index of releases"),
        (json.dumps({"models": OFFER | {"percent": 100}}), 'for all devices already; set its "percent" to 0 first'),
    ],
)
def test_an_index_that_cannot_be_rolled_out_is_refused(tmp_path, content, why):
    index = tmp_path / "index.json"
    index.write_text(content)
    with pytest.raises(InputError, match=why):
        IndexFile(index)
    assert index.read_text() == content


def test_an_index_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(["--index", str(tmp_path / "none.json"), "--broker", "localhost:1883"]) == 2
    assert capsys.readouterr().err.endswith("none.json: cannot be read (No such file or directory); see --index\n")


def test_times_have_their_range(index, capsys):
    assert main(["--index", str(index), "--broker", "localhost:1883", "--soak-seconds", "nan"]) == 2
    assert capsys.readouterr().err == "rollout: error: --soak-seconds nan: not from 0 to 2678400\n"


@pytest.mark.parametrize("text", ["", "10,5", "0,10", "10,101", "x", "5,5", "nan"])
def test_steps_have_to_rise(text):
    with pytest.raises(InputError, match="--steps"):
        steps_of(text)


@pytest.mark.parametrize("text", ["", "broker", "broker:", ":1883", "broker:0", "broker:65536", "broker:x"])
def test_a_broker_has_a_host_and_a_port(text):
    with pytest.raises(InputError, match="HOST:PORT"):
        address(text)


def test_addresses_of_ip_version_6_are_understood():
    assert address("[::1]:1883") == ("::1", 1883)


def test_a_wrong_password_is_told(tmp_path):
    with Broker(tmp_path, users={"fleet": "right"}) as broker:
        with pytest.raises(InputError, match=r"does not let us in \(Not authorized\); see --user"):
            Ear(Login(HOST, broker.port, tls=False, user="fleet", password="wrong")).__enter__()


# paho leaves the socket of a failed handshake to be collected
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_is_heard_by_tls_and_an_impostor_is_not(tmp_path):
    authority, impostor = Authority(tmp_path), Authority(tmp_path, "impostor")
    with Broker(tmp_path, pair=authority.pair()) as broker:
        with Ear(Login(HOST, broker.port, ca_file=str(authority.file))) as ear:
            assert ear.connected
        with pytest.raises(InputError, match=r"no broker there .*CERTIFICATE_VERIFY_FAILED"):
            Ear(Login(HOST, broker.port, ca_file=str(impostor.file))).__enter__()


def test_certificates_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"--ca-file .*none.pem: not certificates in PEM"):
        Ear(Login(HOST, 1, ca_file=str(tmp_path / "none.pem"))).__enter__()


def test_the_command_ends_by_ctrl_c_and_leaves_the_index_as_it_is(broker, index):
    Doors(broker, index)
    command = [sys.executable, "-m", "edge.fleet.rollout", "--no-tls", "--before-seconds", "0"]
    command += ["--index", str(index), "--broker", f"{HOST}:{broker.port}", "--steps", "5,100"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            until(lambda: json.loads(index.read_text())["models"]["percent"] == 5.0, "the first step")
        finally:
            process.terminate()
        assert "interrupted; the index stays as it is" in process.communicate()[1]
    assert process.returncode == 130
    assert json.loads(index.read_text())["models"]["percent"] == 5.0
