import socket
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from edge.bulletin import LONGEST, About, Answer, Bulletin, Contest, View, read_told, write
from edge.errors import InputError
from edge.share import FOLLOWERS, Share
from edge.values import WITH_MASK, Box, Decision, Signal, State, Track

DECISION = Decision(
    1.0,
    State.ALLOW,
    "1 face with_mask",
    (Track(7, Box(64, 48, 320, 240), WITH_MASK, 0.9876, 0.0, 1.0, 0.5),),
    frozenset({Signal.RELEASE, Signal.HEARTBEAT}),
    (640, 480),
    (("locate", 0.004),),
)


def about(missed=0, mode="must_wear"):
    return About("maskgate-9", "2026-05-01", "1.0", "processor", 0.0, mode, missed=missed)


@contextmanager
def sharing(path, about=about, handle=lambda request: ""):
    with Share(path, about, handle) as share:
        yield share


@contextmanager
def following(path, share=None):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        channel.settimeout(3)
        channel.connect(str(path))
        # the first word is about the daemon: from now on it knows us
        assert isinstance(read_told(channel.recv(LONGEST)), About)
        yield channel


def heard(channel, kind):
    while not isinstance(told := read_told(channel.recv(LONGEST)), kind):
        pass
    return told


def test_a_follower_is_told_of_the_daemon_and_of_each_decision(tmp_path):
    with sharing(tmp_path / "door.sock") as share, following(tmp_path / "door.sock") as channel:
        share(DECISION)
        told = heard(channel, Bulletin)
    assert (told.number, told.state, told.reason) == (1, "ALLOW", "1 face with_mask")
    assert told.signals == ("HEARTBEAT", "RELEASE")
    assert told.stages == {"locate": 0.004}
    (face,) = told.faces
    assert (face.id, face.box, face.label, face.score) == (7, (0.1, 0.1, 0.5, 0.5), WITH_MASK, 0.988)
    assert told.late > 0


def test_numbers_of_numpy_are_told_like_others(tmp_path):
    track = replace(DECISION.tracks[0], box=Box(*np.float64([64, 48, 320, 240])), score=np.float32(0.5))
    with sharing(tmp_path / "door.sock") as share, following(tmp_path / "door.sock") as channel:
        share(replace(DECISION, tracks=(track,)))
        assert heard(channel, Bulletin).faces[0].box == (0.1, 0.1, 0.5, 0.5)


def test_numbers_count_on_while_nobody_follows(tmp_path):
    with sharing(tmp_path / "door.sock") as share:
        share(DECISION)
        with following(tmp_path / "door.sock") as channel:
            share(DECISION)
            assert heard(channel, Bulletin).number == 2


def test_what_is_told_of_the_daemon_is_told_again_when_it_changes(tmp_path):
    said = [about()]
    with sharing(tmp_path / "door.sock", lambda missed: said[-1]), following(tmp_path / "door.sock") as channel:
        said.append(about(mode="remind"))
        assert heard(channel, About).mode == "remind"


def test_requests_are_done_and_answered_in_their_order(tmp_path):
    asked = []

    def handle(request):
        asked.append(request)
        return "" if isinstance(request, View) else "not today"

    with sharing(tmp_path / "door.sock", handle=handle), following(tmp_path / "door.sock") as channel:
        channel.send(write(View(on=True)))
        channel.send(write(Contest(by="the page")))
        assert [heard(channel, Answer).fault for _ in range(2)] == ["", "not today"]
    assert asked == [View(on=True), Contest(by="the page")]


@pytest.mark.parametrize(
    "nonsense",
    [b"{", b"\xff\xfe", b'{"type": "reboot"}', b'{"type": "view", "on": 3}', b'{"type":"view","on":true,"x":1}'],
)
def test_nonsense_is_answered_with_what_is_wrong_and_harms_nobody(tmp_path, nonsense):
    with sharing(tmp_path / "door.sock") as share, following(tmp_path / "door.sock") as channel:
        channel.send(nonsense)
        assert heard(channel, Answer).fault.startswith("no request: ")
        share(DECISION)
        assert heard(channel, Bulletin).number == 1


def test_nobody_waits_for_a_follower_that_does_not_listen(tmp_path):
    with sharing(tmp_path / "door.sock") as share, following(tmp_path / "door.sock"):
        start = time.monotonic()
        for _ in range(5000):
            share(DECISION)
        assert time.monotonic() - start < 3
        with following(tmp_path / "door.sock") as other:
            share(DECISION)
            assert heard(other, Bulletin).number == 5001


def test_messages_that_nobody_took_are_counted(tmp_path):
    with sharing(tmp_path / "door.sock") as share, following(tmp_path / "door.sock") as channel:
        for _ in range(5000):
            share(DECISION)
        missed = 0
        while not missed:
            missed = heard(channel, About).missed
    assert 0 < missed < 5000


def test_a_flood_of_requests_is_worked_off_slowly(tmp_path):
    done = []
    with sharing(tmp_path / "door.sock", handle=lambda request: done.append(request) or ""):
        with following(tmp_path / "door.sock") as channel:
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                channel.send(write(Contest(by="somebody")))
            assert 1 < len(done) <= 11


def test_no_more_follow_than_there_is_room_for(tmp_path):
    path = tmp_path / "door.sock"
    with sharing(path):
        channels = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(FOLLOWERS + 1)]
        for channel in channels:
            channel.settimeout(3)
            channel.connect(str(path))
        assert all(channel.recv(LONGEST) for channel in channels[:-1])
        assert channels[-1].recv(LONGEST) == b""
        for channel in channels:
            channel.close()


def test_a_follower_that_goes_makes_room(tmp_path):
    with sharing(tmp_path / "door.sock"):
        for _ in range(3 * FOLLOWERS):
            with following(tmp_path / "door.sock"):
                pass


def test_only_the_group_gets_at_the_socket(tmp_path):
    with sharing(tmp_path / "door.sock"):
        assert (tmp_path / "door.sock").stat().st_mode & 0o777 == 0o660


def test_a_socket_left_by_a_daemon_that_died_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(tmp_path / "door.sock"))
    with sharing(tmp_path / "door.sock"), following(tmp_path / "door.sock"):
        pass
    assert not (tmp_path / "door.sock").exists()


def test_a_second_daemon_is_refused(tmp_path):
    path = tmp_path / "door.sock"
    with sharing(path), pytest.raises(InputError, match="another daemon offers it"):
        Share(path, about, lambda request: "")


def test_a_file_in_its_place_is_left_alone(tmp_path):
    (tmp_path / "door.sock").write_text("mine")
    with pytest.raises(InputError, match="no socket"):
        Share(tmp_path / "door.sock", about, lambda request: "")
    assert (tmp_path / "door.sock").read_text() == "mine"


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"share\.socket .*nowhere.*No such file"):
        Share(tmp_path / "nowhere" / "door.sock", about, lambda request: "")


def test_pictures_are_sent_as_they_are(tmp_path):
    with sharing(tmp_path / "door.sock") as share, following(tmp_path / "door.sock") as channel:
        share.picture(b"\xff\xd8 a picture")
        share(replace(DECISION, state=State.DENY))
        assert channel.recv(LONGEST) == b"\xff\xd8 a picture"
        assert heard(channel, Bulletin).state == "DENY"
