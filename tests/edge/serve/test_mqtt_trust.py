"""Certificates, passwords, and doors that push each other out."""

import gc
import shutil
import time

import pytest

from edge.serve import link
from tests.edge.serve.broker import HOST, Authority, Broker, until
from tests.edge.serve.served import Served

pytestmark = [
    pytest.mark.usefixtures("impatient"),
    pytest.mark.skipif(shutil.which("mosquitto") is None, reason="not installed: mosquitto"),
]


@pytest.fixture
def sockets_left():
    """For tests whose handshakes fail: paho leaves it to Python to close the socket of one, which is done here."""
    yield
    gc.collect()


def leaves_sockets(test):
    return pytest.mark.usefixtures("sockets_left")(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")(test))


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
