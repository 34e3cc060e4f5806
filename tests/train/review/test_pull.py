"""Against a real SSH server on this machine, whose `sudo` is a stand-in."""

import getpass
import io
import os
import shutil
import subprocess
import sys
import tarfile

import msgspec
import pytest

from edge.review import SUFFIX, Review
from edge.seal import seal
from edge.settings import ReviewSettings
from edge.values import WITH_MASK
from tests.edge.device.test_deploy import SERVER, server, stand_in  # noqa: F401
from tests.train.review.faces import name_of, some_face
from train.review.crops import read_note
from train.review.desk import NEW, Desk
from train.review.key import make_key, read_key
from train.review.pull import _members, main

pytestmark = pytest.mark.skipif(SERVER is None or shutil.which("ssh") is None, reason="not installed: openssh-server")


@pytest.fixture
def key(tmp_path):
    make_key(tmp_path / "review.pem")
    return tmp_path / "review.pem"


@pytest.fixture
def kept_there(tmp_path, key):
    """The device's folder with three sealed faces, as `edge.review` leaves it."""
    folder = tmp_path / "device's review"
    Review(ReviewSettings(True, str(folder), str(key.with_suffix(".pub.pem"))))
    for number in range(3):
        sealed = seal(msgspec.msgpack.encode(some_face(number)), read_key(key).public_key())
        (folder / f"{name_of(number)}{SUFFIX}").write_bytes(sealed)
    return folder


@pytest.fixture
def pull(server, tmp_path, key, kept_there, monkeypatch):  # noqa: F811
    """Runs the command with a client that has the SSH key; gives the exit code."""
    config = tmp_path / "config"
    config.write_text(
        f"IdentityFile {server}/me\nIdentitiesOnly yes\nStrictHostKeyChecking no\nLogLevel ERROR\n"
        f"UserKnownHostsFile {tmp_path}/known\n"
    )
    client = tmp_path / "path/ssh"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
    stand_in(server, "sudo", 'shift; exec "$@"')
    me, listens = f"{getpass.getuser()}@127.0.0.1", (server / "port").read_text()
    places = ["--from", str(kept_there), "--out", str(tmp_path / "here"), "--key", str(key)]

    def run(host=me, port=listens, more=()):
        return main(["--port", port, *places, *more, "--", host])

    return run


def refusal(capsys):
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("pull: error: ") and said.err.count("\n") == 1, said
    return said.err


def test_the_faces_arrive_open_with_what_the_device_said_and_stay_there_too(pull, tmp_path, kept_there, capsys):
    assert pull() == 0
    assert capsys.readouterr().out.startswith("3 new of 3 faces on 127.0.0.1; ")
    arrived = sorted((tmp_path / "here" / NEW).glob("*"))
    assert [file.name for file in arrived] == [f"{name_of(number)}.png" for number in range(3)]
    note = read_note(arrived[1])
    assert (note.source, note.at, note.box) == ("127.0.0.1", some_face(1).at, some_face(1).box)
    assert len(list(kept_there.iterdir())) == 3


def test_what_was_pulled_before_is_passed_over_wherever_it_lies_now(pull, tmp_path, capsys):
    assert pull() == 0
    Desk(tmp_path / "here").put(name_of(0), WITH_MASK)
    assert pull() == 0
    assert "0 new of 3 faces" in capsys.readouterr().out
    assert Desk(tmp_path / "here").counts == {NEW: 2, "skipped": 0, "without_mask": 0, "with_mask": 1, "incorrect": 0}


def test_a_damaged_file_is_told_and_the_others_come(pull, kept_there, capsys):
    (kept_there / f"{name_of(0)}{SUFFIX}").write_bytes(b"damaged")
    (kept_there / "notes.txt").write_text("of somebody else")
    assert pull() == 0
    assert capsys.readouterr().out == "2 new of 3 faces on 127.0.0.1; not sealed for this key, or damaged\n"


def test_another_key_opens_nothing_and_says_so(pull, tmp_path, capsys):
    make_key(tmp_path / "other.pem")
    assert pull(more=["--key", str(tmp_path / "other.pem")]) == 2
    assert "none of 3 faces can be opened" in refusal(capsys)


def test_a_device_that_does_not_answer_is_one_line(pull, capsys):
    assert pull(port="1") == 2
    assert "Connection refused; does `ssh -p 1 " in refusal(capsys)


def test_a_device_that_keeps_none_is_one_line(pull, kept_there, capsys):
    shutil.rmtree(kept_there)
    assert pull() == 2
    assert "No such file or directory; is review.enabled there" in refusal(capsys)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch /tmp/x", "", "a b", "door1;reboot"])
def test_a_host_that_is_no_name_reaches_no_shell(pull, host, capsys):
    assert pull(host=host) == 2
    assert "no name of a device" in refusal(capsys)


def test_links_folders_huge_files_and_names_that_climb_are_passed_over():
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, kind, size in (
            (f"../{name_of(1)}{SUFFIX}", tarfile.REGTYPE, 3),
            (f"./{name_of(2)}{SUFFIX}", tarfile.SYMTYPE, 0),
            (f"./{name_of(3)}{SUFFIX}", tarfile.REGTYPE, 5_000_000),
            (f"./{name_of(4)}{SUFFIX}", tarfile.REGTYPE, 3),
            ("./else", tarfile.REGTYPE, 3),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, size, "/etc/passwd"
            archive.addfile(member, io.BytesIO(bytes(size)))
    content.seek(0)
    assert list(_members(content)) == [(name_of(4), bytes(3))]


def test_a_key_that_is_missing_is_told_before_anything_is_asked_of_the_device(tmp_path, capsys):
    assert main(["door1", "--key", str(tmp_path / "none.pem"), "--out", str(tmp_path / "here")]) == 2
    assert "make review-key" in refusal(capsys)
    assert not (tmp_path / "here").exists()


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "train.review.pull", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "the device, as in pi@door1" in done.stdout
