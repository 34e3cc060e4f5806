"""What the daemon writes and sends, seen from outside with strace (Debian's strace): text, and no picture."""

import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edge.bulletin import LONGEST
from tests.edge.rig import DAEMON, GREEN, RED, Pictures
from tests.edge.test_daemon import film

ROOT = Path(__file__).resolve().parents[2]
OUTWARDS = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice,copy_file_range,shmget"
QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_daemon_writes_and_sends_text_alone(tmp_path):
    film(tmp_path / "door.avi", (GREEN, 2), (RED, 1))
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-xx", "-s", "1000000", "-o", str(trace), "-e", f"trace={OUTWARDS}"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", DAEMON, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as daemon:
        heard = follow(tmp_path / "door.sock", daemon)
        _, complaint = daemon.communicate(timeout=60)
    if "PTRACE" in complaint or "ptrace" in complaint:
        pytest.skip("this machine does not let strace watch")
    assert daemon.returncode == 0, complaint
    assert "ALLOW" in (tmp_path / "events.jsonl").read_text()
    assert any("ALLOW" in message.decode() for message in heard)
    told = list(payloads(trace.read_text()))
    assert len(told) > 50
    for call, data in told:
        assert call in {"write", "sendto", "pwrite64"}, f"{call} of {len(data)} bytes"
        assert is_text(data) or is_a_counter(data), f"{call} of {len(data)} bytes: {data[:40]!r}"
    assert max(len(data) for _, data in told) < 4096


def follow(path, daemon):
    """All that a follower of the daemon hears until it ends."""
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        while daemon.poll() is None:
            try:
                channel.connect(str(path))
                break
            except OSError:
                time.sleep(0.01)
        with suppress(OSError):
            while data := channel.recv(LONGEST):
                heard.append(data)
    return heard


def test_a_picture_would_have_been_noticed():
    row = Pictures()(GREEN)[0].tobytes()
    assert not is_text(row) and not is_a_counter(row)
    (told,) = payloads('7 write(5, "' + "".join(f"\\x{byte:02x}" for byte in row) + '", 384) = 384')
    assert told == ("write", row)


def payloads(trace):
    """Each call's name with the bytes that it gave away."""
    for line in trace.splitlines():
        if call := re.match(r"(?:\d+ +)?(\w+)\(", line):
            quoted = QUOTED.findall(line)
            assert not any(cut for _, cut in quoted), line[:100]
            yield call[1], bytes.fromhex("".join(text.replace("\\x", "") for text, _ in quoted))


def is_text(data):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\n\t" for letter in text)


def is_a_counter(data):
    """What threads wake each other with."""
    return len(data) <= 8
