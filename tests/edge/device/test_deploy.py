"""The script against a real SSH server on this machine; the device's programs are stand-ins that keep a log."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SCRIPT = Path(__file__).resolve().parents[3] / "edge/device/deploy.sh"
SERVER = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(SERVER is None or shutil.which("ssh") is None, reason="not installed: openssh-server")

STAND_INS = {
    "dpkg": "echo arm64",
    "sudo": 'shift; exec "$@"',
    "apt-get": 'for last; do :; done; cp "$last" "$LOG.deb"',
    "install": 'cat >"$LOG.key"',
    "systemctl": '[ "$1" = restart ] || echo active',
    "dpkg-query": "printf 0.1.0",
    "maskgate": "echo all is well",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running SSH server, as its folder: who has the key in it may log in and finds the programs in bin/ first."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "bin").mkdir()
    for name in ("host", "me"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    # a home of its own, or the shell would read what the tester's holds
    values = (f"PATH={folder}/bin:/usr/bin:/bin", f"LOG={folder}/log", f"HOME={folder}")
    surroundings = ",".join(f'environment="{value}"' for value in values)
    (folder / "authorized").write_text(f"{surroundings} {(folder / 'me.pub').read_text()}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "port").write_text(str(port))
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitUserEnvironment yes\nPasswordAuthentication no\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([SERVER, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL)
    wait_for(port)
    yield folder
    process.terminate()
    process.wait()


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError("the SSH server does not answer")


@pytest.fixture
def device(server):
    """The server with fresh stand-ins, and nothing done yet."""
    for left in server.glob("log*"):
        left.unlink()
    for name, does in STAND_INS.items():
        stand_in(server, name, does)
    return server


def stand_in(server, name, does):
    program = server / "bin" / name
    program.write_text(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{does}\n')
    program.chmod(0o755)


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "maskgate_0.1.0_arm64.deb"
    path.write_bytes(os.urandom(300_000))
    return path


def deploy(server, tmp_path, package, **environment):
    """Run the script with a client that has the key, and knows the server."""
    config = tmp_path / "config"
    config.write_text(f"IdentityFile {server}/me\nIdentitiesOnly yes\nStrictHostKeyChecking no\nLogLevel ERROR\n")
    with config.open("a") as opened:
        opened.write(f"UserKnownHostsFile {tmp_path}/known\n")
    client = tmp_path / "path/ssh"
    client.parent.mkdir(exist_ok=True)
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    client.chmod(0o755)
    surroundings = {
        **os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}", "PORT": (server / "port").read_text(),
        "PACKAGE": str(package), **environment,
    }  # fmt: skip
    host = f"{getpass.getuser()}@127.0.0.1"
    return subprocess.run([str(SCRIPT), host], capture_output=True, text=True, env=surroundings, timeout=60)


def done_on(server):
    log = server / "log"
    return log.read_text().splitlines() if log.exists() else []


def refusal(done):
    """The one line, after which nothing has changed."""
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("deploy: error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_the_package_arrives_is_installed_and_the_service_restarted(device, tmp_path, package):
    done = deploy(device, tmp_path, package)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith(": maskgate 0.1.0, active")
    assert "all is well" in done.stdout
    assert (device / "log.deb").read_bytes() == package.read_bytes()
    (apt,) = [line for line in done_on(device) if line.startswith("apt-get")]
    assert "install --yes" in apt and "--force-confold" in apt and apt.endswith(".deb")
    assert not Path(apt.split()[-1]).exists(), "the package's copy was left behind"
    order = [line.split()[0] for line in done_on(device) if not line.startswith("sudo")]
    assert order == ["dpkg", "apt-get", "systemctl", "systemctl", "dpkg-query", "maskgate"]


def test_the_keys_of_the_card_file_go_along(device, tmp_path, package):
    pem = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "door 1.pem").write_bytes(pem)
    card = tmp_path / "card.toml"
    card.write_text(f'hostname = "a"\nssh_keys = ["{device}/me.pub"]\ntrusted_keys = ["door 1.pem"]\n')
    done = deploy(device, tmp_path, package, CARD=str(card), PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert (device / "log.key").read_bytes() == pem
    assert "install -D -m 644 /dev/stdin /etc/maskgate/keys/door 1.pem" in done_on(device)


def test_a_service_that_does_not_run_is_told_with_code_1(device, tmp_path, package):
    stand_in(device, "systemctl", '[ "$1" = restart ] && exit 1; echo failed; exit 3')
    done = deploy(device, tmp_path, package)
    assert done.returncode == 1
    assert "maskgate 0.1.0, failed" in done.stdout


@pytest.mark.parametrize(
    ("program", "does", "fault"),
    [
        ("dpkg", "echo armhf", "a system for armhf; maskgate needs a 64-bit one (arm64)"),
        ("dpkg", "exit 127", "dpkg does not answer, so no Debian or Raspberry Pi OS"),
        ("sudo", "echo 'a password is required' >&2; exit 1", "no sudo without a password"),
        ("mktemp", "echo 'No space left on device' >&2; exit 1", "no room in /var/tmp; is the card full"),
        ("mktemp", "echo Welcome; echo /proc/nowhere", "cannot be copied ("),
    ],
)
def test_a_device_that_cannot_take_it_is_left_as_it_is(device, tmp_path, package, program, does, fault):
    stand_in(device, program, does)
    try:
        assert fault in refusal(deploy(device, tmp_path, package))
    finally:
        (device / "bin" / program).unlink()
    assert not [line for line in done_on(device) if line.startswith(("apt-get", "systemctl", "install"))]


def test_what_apt_says_is_told_in_one_line_and_no_copy_left(device, tmp_path, package):
    stand_in(device, "apt-get", "echo 'Reading package lists...'; echo 'E: Unmet dependencies.' >&2; exit 100")
    assert "apt-get: E: Unmet dependencies." in refusal(deploy(device, tmp_path, package))
    (apt,) = [line for line in done_on(device) if line.startswith("apt-get")]
    assert not Path(apt.split()[-1]).exists()


def test_a_refused_connection_is_one_line(device, tmp_path, package):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = deploy(device, tmp_path, package, PORT=str(closed.getsockname()[1]))
    assert "Connection refused; does `ssh -p " in refusal(done)


def test_a_key_that_the_device_does_not_know_is_one_line(device, tmp_path, package):
    known = (device / "authorized").read_text()
    (device / "authorized").write_text("")
    try:
        assert "Permission denied (publickey" in refusal(deploy(device, tmp_path, package))
    finally:
        (device / "authorized").write_text(known)


@pytest.mark.parametrize(
    ("name", "fault"),
    [("absent_arm64.deb", "no package; `make deb` builds it"), ("maskgate_0.1.0_amd64.deb", "no package for arm64")],
)
def test_without_a_package_for_the_device_nothing_is_asked_of_it(device, tmp_path, name, fault):
    (tmp_path / "maskgate_0.1.0_amd64.deb").touch()
    assert fault in refusal(deploy(device, tmp_path, tmp_path / name))
    assert done_on(device) == []


def test_a_wrong_card_file_is_told_before_anything_is_asked_of_the_device(device, tmp_path, package):
    done = deploy(device, tmp_path, package, CARD=str(tmp_path / "absent.toml"), PYTHON=sys.executable)
    assert done.returncode == 2 and "absent.toml: not found" in done.stderr
    assert done_on(device) == []
