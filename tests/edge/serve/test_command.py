"""`maskgate serve` as a process, beside a daemon's socket."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.bulletin import About
from edge.share import Share
from edge.values import Decision, State

ROOT = Path(__file__).resolve().parents[3]
ABOUT = About("maskgate-9", "2026-05-01", "1.0", "processor", 0.0, "must_wear")


def free_port():
    with socket.socket() as channel:
        channel.bind(("127.0.0.1", 0))
        return channel.getsockname()[1]


class Serving:
    """A folder with settings, and `maskgate serve` on them."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.socket = folder / "door.sock"
        self.write(f'[web]\nlisten = "127.0.0.1:{self.port}"\nfolder = "{folder / "serve"}"')

    def write(self, text):
        (self.folder / "door.toml").write_text(f'[share]\nsocket = "{self.socket}"\n{text}\n')

    def command(self):
        return [sys.executable, "-m", "edge", "serve", "--config", str(self.folder / "door.toml")]

    def run(self):
        return subprocess.run(self.command(), cwd=ROOT, capture_output=True, text=True, timeout=30)

    @contextmanager
    def running(self):
        with (self.folder / "told").open("wb") as told:
            process = subprocess.Popen(self.command(), cwd=ROOT, stdout=told, stderr=subprocess.STDOUT)
            try:
                self.wait(lambda: "is at" in self.told, process)
                yield process
            finally:
                process.kill()
                process.wait()

    @property
    def told(self):
        return (self.folder / "told").read_text()

    @property
    def token(self):
        return re.search(r"page.* only: (\S+)", self.told)[1]

    def ask(self, path, token):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read().decode()

    def wait(self, true, process=None, seconds=20):
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end and (process is None or process.poll() is None), self.told
            time.sleep(0.02)


@pytest.fixture
def serving(tmp_path):
    return Serving(tmp_path)


def test_the_page_and_the_metrics_tell_what_the_daemon_decided(serving):
    with Share(serving.socket, lambda missed: ABOUT, lambda request: "") as share, serving.running() as process:
        serving.wait(lambda: json.loads(serving.ask("/status", serving.token))["about"], process)
        share(Decision(time.monotonic(), State.DENY, "1 face without_mask"))
        serving.wait(lambda: "without_mask" in serving.ask("/status", serving.token), process)
        assert 'maskgate_state{state="DENY"} 1.0' in serving.ask("/metrics", serving.token)


def test_the_token_for_metrics_is_good_for_them_alone(serving):
    with serving.running():
        token = re.search(r"/metrics alone.* only: (\S+)", serving.told)[1]
        assert "maskgate_state" in serving.ask("/metrics", token)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            serving.ask("/status", token)


def test_the_token_is_told_at_the_first_start_alone_and_not_kept(serving):
    with serving.running():
        token = serving.token
    assert token not in "".join(file.read_text() for file in (serving.folder / "serve").iterdir())
    with serving.running():
        assert "only:" not in serving.told
        assert serving.ask("/metrics", token)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            serving.ask("/metrics", token[:-1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_soon_when_asked_to(serving, number):
    with serving.running() as process:
        process.send_signal(number)
        assert process.wait(5) == 0


def test_without_anything_to_serve_it_ends_at_once(serving):
    serving.write("")
    ran = serving.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "maskgate: web.listen and mqtt.host are empty; there is nothing to serve\n"


def test_a_port_that_is_taken_is_named(serving):
    with socket.socket() as other:
        other.bind(("127.0.0.1", serving.port))
        other.listen()
        ran = serving.run()
    assert ran.returncode == 2
    assert f"error: web.listen 127.0.0.1, port {serving.port}: cannot be had (Address already in use)" in ran.stderr


def test_plain_http_for_others_is_refused(serving):
    serving.write('[web]\nlisten = "0.0.0.0:8080"')
    ran = serving.run()
    assert ran.returncode == 2
    assert "name web.certificate and web.key, or listen at 127.0.0.1" in ran.stderr


def test_a_page_without_a_socket_to_follow_is_refused(serving):
    (serving.folder / "door.toml").write_text('[web]\nlisten = "127.0.0.1:8080"')
    ran = serving.run()
    assert ran.returncode == 2
    assert "share.socket is missing" in ran.stderr


def test_a_library_that_is_missing_is_named_with_what_installs_it(serving):
    code = "import sys; sys.modules['starlette'] = None; from edge.__main__ import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", code, *serving.command()[3:]], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 2
    assert "web.listen is set, but starlette" in ran.stderr
    assert "pip install 'maskgate[web]'" in ran.stderr


def test_it_does_without_what_only_pictures_need():
    code = (
        "import sys, edge.serve.command, edge.serve.metrics, edge.serve.mqtt, edge.serve.today, edge.serve.web.app, "
        "edge.serve.web.server, edge.update.store; "
        "print([name for name in ('numpy', 'cv2', 'ai_edge_litert', 'gpiod', 'cryptography') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
