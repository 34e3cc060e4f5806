import http.client
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.serve.web import server
from edge.serve.web.server import CONNECTIONS, LONGEST_HEAD, address
from edge.settings import WebSettings
from tests.edge.serve.web.site import SLOW, Site

FLOOD = 10_000


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "serve")


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=SLOW)


def closed(channel: socket.socket) -> bool:
    """Whether the other side closes it in time."""
    try:
        while channel.recv(4096):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def test_ten_thousand_requests_are_refused_while_the_owner_is_served(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: list[int] = []

    def flood() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=SLOW)
        for _ in range(FLOOD // 4):
            connection.request("GET", "/status", headers={"Authorization": "Bearer guess"})
            answer = connection.getresponse()
            answer.read()
            refused.append(answer.status)
        connection.close()

    begun = time.monotonic()
    with site.served():
        cookie = signed_in(site)
        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        served = [status(site, cookie) for _ in range(5)]
        for thread in threads:
            thread.join()
    took = time.monotonic() - begun
    assert served == [200] * 5
    assert len(refused) == FLOOD and set(refused) <= {401, 429} and refused.count(401) <= 11 + took / 6
    assert len(capsys.readouterr().err.splitlines()) <= 2 + took / 10


def test_no_library_for_pictures_is_loaded_into_the_servers_memory() -> None:
    program = "import sys, edge.serve.web.app, edge.serve.web.server; print({'numpy', 'cv2'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def signed_in(site: Site) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=SLOW)
    connection.request("POST", "/login", f'{{"token": "{site.token}"}}', {"Content-Type": "application/json"})
    cookie = connection.getresponse().headers["Set-Cookie"].partition(";")[0]
    connection.close()
    return cookie


def status(site: Site, cookie: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=SLOW)
    connection.request("GET", "/status", headers={"Cookie": cookie})
    code = connection.getresponse().status
    connection.close()
    return code


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_who_is_slow_to_ask_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with site.served(), connect(site) as slow:
        slow.sendall(sent)
        begun = time.monotonic()
        assert closed(slow)
        assert time.monotonic() - begun >= 0.2


def test_who_drips_a_second_request_is_not_waited_for_either(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with site.served(), connect(site) as slow:
        slow.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        slow.sendall(b"GET")
        begun = time.monotonic()
        assert closed(slow)
        assert time.monotonic() - begun < 5


def test_an_answer_may_take_longer_than_the_asking(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    with site.served(), connect(site) as patient:
        patient.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        patient.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = b""
        while data := patient.recv(4096):
            answers += data
        assert answers.count(b"200 OK") == 2


def test_connections_beyond_the_limit_are_closed_and_leave_room_again(site: Site) -> None:
    with site.served():
        cookie = signed_in(site)
        channels = [connect(site) for _ in range(CONNECTIONS + 5)]
        assert closed(channels[-1])
        for channel in channels:
            channel.close()
        deadline = time.monotonic() + SLOW
        while time.monotonic() < deadline:
            try:
                assert status(site, cookie) == 200
                break
            except (ConnectionError, http.client.HTTPException):
                time.sleep(0.05)
        else:
            pytest.fail("the server did not recover")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01", b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 4 * LONGEST_HEAD, b"GET /" + b"a" * 4 * LONGEST_HEAD,
        b"POST /try HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused(site: Site, sent: bytes) -> None:
    with site.served(), connect(site) as channel:
        try:
            channel.sendall(sent)
            begin = channel.recv(64)
        except ConnectionError:
            begin = b""
        assert begin == b"" or begin.split()[1] in (b"400", b"401")
        assert status(site, signed_in(site)) == 200


def test_a_flood_of_nonsense_is_told_in_few_lines(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with site.served():
        for _ in range(200):
            with connect(site) as channel:
                channel.sendall(b"nonsense\r\n\r\n")
                closed(channel)
    assert len(capsys.readouterr().err.splitlines()) <= 3


def test_over_tls_the_cookie_never_travels_in_the_clear(tmp_path: Path) -> None:
    certificate, key = certified(tmp_path)
    site = Site(tmp_path / "serve", certificate=str(certificate), key=str(key))
    trust = ssl.create_default_context(cafile=str(certificate))
    with site.served():
        connection = http.client.HTTPSConnection("127.0.0.1", site.port, context=trust, timeout=SLOW)
        connection.request("POST", "/login", f'{{"token": "{site.token}"}}', {"Content-Type": "application/json"})
        headers = connection.getresponse().headers
        connection.close()
    assert "Secure" in headers["Set-Cookie"] and "max-age" in headers["Strict-Transport-Security"]


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ),
            *("-subj", "/CN=door", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_an_address_is_taken_apart() -> None:
    assert address("127.0.0.1:80") == ("127.0.0.1", 80)
    assert address("[::1]:8080") == ("::1", 8080)


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nnonsense\n"])
def test_a_certificate_that_cannot_be_used_is_told_at_the_start(
    site: Site, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "certificate.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"web.certificate .*certificate.pem"):
        server.server(site.app, WebSettings(listen="127.0.0.1:1", certificate=str(file), key=str(file)))
