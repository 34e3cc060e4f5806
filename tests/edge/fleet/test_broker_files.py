"""The broker's files at work in a real mosquitto: to each its own, and nothing without TLS and a password."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from edge.bulletin import About
from edge.serve.discovery import discovery
from tests.edge.serve.broker import free_port, until

FLEET = Path(__file__).resolve().parents[3] / "edge" / "fleet"
USERS = ("door1", "door2", "watcher", "homeassistant")

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto and its clients"
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """Its folder and port; mosquitto.conf as it is shipped, but for the paths and the port."""
    folder, port = tmp_path_factory.mktemp("broker"), free_port()
    subprocess.run([FLEET / "certificates.sh", folder, "localhost"], check=True)
    passwords = folder / "maskgate.passwords"
    passwords.write_text("".join(f"{user}:secret of {user}\n" for user in USERS))
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    text = (FLEET / "mosquitto.conf").read_text("utf-8").replace("8883", str(port))
    text = text.replace("/etc/mosquitto/certs/broker", f"{folder}/localhost").replace("/etc/mosquitto", str(folder))
    (folder / "maskgate.conf").write_text(f"{text}\nuser root\n")
    shutil.copy(FLEET / "mosquitto.acl", folder / "maskgate.acl")
    (folder / "maskgate.acl").chmod(0o600)
    running = subprocess.Popen(["mosquitto", "-c", folder / "maskgate.conf"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port), "mosquitto takes connections")
        yield folder, port
    finally:
        running.terminate()
        running.wait(10)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("localhost", port)) == 0


def client(broker, program, user, *more):
    folder, port = broker
    login = ["-V", "5", "-h", "localhost", "-p", str(port), "--cafile", folder / "ca.pem"]
    secret = ["-u", user, "-P", f"secret of {user}"]
    return subprocess.run([program, *login, *secret, *more], capture_output=True, text=True, timeout=30)


def publish(broker, user, *topics):
    for topic in topics:
        client(broker, "mosquitto_pub", user, "-q", "1", "-r", "-t", topic, "-m", user)


def hear(broker, user, *topics):
    """What is retained there for this user, as "topic payload"."""
    patterns = [word for topic in topics for word in ("-t", topic)]
    ran = client(broker, "mosquitto_sub", user, *patterns, "-W", "1", "--retained-only", "-F", "%t %p")
    return set(ran.stdout.splitlines())


def test_to_each_its_own(broker):
    about = About("maskgate-4", "", "0.1.0", "the processor", 0.0, "must_wear")
    entries = [discovery(door, about)[0] for door in ("door1", "door2")]
    states = ["maskgate/door1/state", "maskgate/door2/state"]
    commands = ["maskgate/door1/command/contest", "maskgate/door2/command/contest"]
    publish(broker, "door1", *states, *entries)
    publish(broker, "watcher", "maskgate/door2/state", *commands)
    publish(broker, "homeassistant", *commands)
    everything = ("maskgate/#", "homeassistant/#")
    told = {f"{commands[0]} homeassistant", f"{commands[1]} homeassistant", f"{states[0]} door1"}
    assert hear(broker, "homeassistant", *everything) == told | {f"{entries[0]} door1"}
    assert hear(broker, "watcher", *everything) == told
    assert hear(broker, "door1", *everything, commands[0]) == {f"{commands[0]} homeassistant"}


@pytest.mark.parametrize("login", [[], ["-u", "door1", "-P", "guessed"]])
def test_nobody_without_the_password(broker, login):
    folder, port = broker
    command = ["mosquitto_pub", "-h", "localhost", "-p", str(port), "--cafile", folder / "ca.pem", *login]
    ran = subprocess.run([*command, "-t", "maskgate/door1/state", "-m", "x"], capture_output=True, text=True)
    assert ran.returncode != 0
    assert "not authorised" in ran.stderr.lower() or "not authorized" in ran.stderr.lower()


def test_nobody_without_tls(broker):
    command = ["mosquitto_pub", "-h", "localhost", "-p", str(broker[1]), "-u", "door1", "-P", "secret of door1"]
    ran = subprocess.run([*command, "-t", "maskgate/door1/state", "-m", "x"], capture_output=True, timeout=30)
    assert ran.returncode != 0
