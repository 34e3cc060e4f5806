import io
import os

import pytest

from edge.errors import BundleError, InputError
from edge.update.fetch import LONGEST, Stream, opened


class Drip:
    """One byte at a time, each a second later."""

    now = 0.0

    def read(self, size):
        self.now += 1
        return b"x"


def test_bytes_come_whole_however_they_drip():
    assert Stream(Drip(), "drip", 100).read(64) == b"x" * 64


def test_what_takes_too_long_is_given_up():
    drip = Drip()
    with pytest.raises(InputError, match="drip: takes too long"):
        Stream(drip, "drip", 10**6, LONGEST, clock=lambda: drip.now).read(10**6)
    assert drip.now == LONGEST + 1


def test_more_than_agreed_is_not_taken():
    with pytest.raises(BundleError, match="more than 10 bytes"):
        Stream(io.BytesIO(b"x" * 11), "file", 10).read(20)


def test_a_network_that_breaks_is_told_in_one_line():
    class Broken:
        def read(self, size):
            raise TimeoutError("timed out\nat last")

    with pytest.raises(InputError, match=r"net: cannot be read \(timed out at last\)"):
        Stream(Broken(), "net", 10).read(5)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("absent.tar", "no such file"),
        (".", "no such file"),
        (os.devnull, "no such file"),
        ("http://127.0.0.1/x.tar", "not an https:// address"),
        ("ftp://127.0.0.1/x.tar", "not an https:// address"),
        ("https:///x.tar", "not an https:// address"),
    ],
)
def test_what_is_neither_a_file_nor_an_https_address_is_refused(source, told):
    with pytest.raises(InputError, match=told), opened(source, 100):
        pass


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no such file"), opened(str(tmp_path / "pipe"), 100):
        pass


def test_a_file_of_a_server_is_read_like_one_of_the_disk(server, certificate, tmp_path):
    server.answers["/x.tar"] = (200, {}, b"content")
    (tmp_path / "x.tar").write_bytes(b"content")
    for source in (f"{server.url}/x.tar", str(tmp_path / "x.tar")):
        with opened(source, 100, str(certificate)) as stream:
            assert stream.read(99) == b"content" and str(stream) == source
