"""A daemon's process that is killed, stopped or asked to end while the door is released; its guard stays."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from tests.edge.rig import DAEMON, GRACE, GREEN, LIMIT, Pictures


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Twenty seconds of somebody masked."""
    file = tmp_path_factory.mktemp("film") / "door.avi"
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 20, (128, 96))
    pictures = Pictures()
    for _ in range(400):
        video.write(pictures(GREEN)[..., ::-1])
    video.release()
    return file


@pytest.fixture
def daemon(tmp_path, film):
    """A daemon's process that has released the door, and a function that gives the levels of its lines."""
    (tmp_path / "door.avi").symlink_to(film)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DAEMON, str(tmp_path)]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def levels():
        file = tmp_path / "outputs.jsonl"
        changes = map(json.loads, file.read_text().splitlines()) if file.exists() else ()
        return {change["line"]: change["active"] for change in changes}

    wait(lambda: levels().get("relay"), 15)
    yield process, levels
    process.kill()
    process.wait()


def wait(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT, signal.SIGSTOP])
def test_a_process_that_dies_or_stops_leaves_the_lines_safe(daemon, number):
    process, levels = daemon
    process.send_signal(number)
    wait(lambda: not levels()["green"] and not levels()["relay"], LIMIT + GRACE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_end_does_so_with_its_lines_safe(daemon, number):
    process, levels = daemon
    process.send_signal(number)
    assert process.wait(3) == 0
    assert levels() == {"green": False, "red": False, "relay": False}
