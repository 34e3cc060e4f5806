from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from edge.bulletin import Contest, Override, Seen, SetZone, View
from edge.errors import InputError
from edge.serve.follow import AWAY
from edge.serve.web.app import make_app
from edge.settings import Settings, WebSettings
from tests.edge.serve.web.site import Site

PRIVATE = [
    ("GET", "/status"), ("GET", "/view.jpg"), ("GET", "/metrics"), ("POST", "/ask"), ("POST", "/try"),
    ("POST", "/logout"),
]  # fmt: skip
FLOOD = 500


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "serve")


@pytest.fixture
def stranger(site: Site) -> Iterator[TestClient]:
    with TestClient(site.app, site.url, client=("203.0.113.9", 4711)) as client:
        yield client


@pytest.fixture
def owner(site: Site) -> Iterator[TestClient]:
    with TestClient(site.app, site.url, client=("192.0.2.1", 4711)) as client:
        assert client.post("/login", json={"token": site.token}).status_code == 204
        yield client


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_a_stranger_gets_nothing(site: Site, stranger: TestClient, method: str, path: str) -> None:
    site.follower.picture = b"\xff\xd8"
    answer = stranger.request(method, path, json={"type": "override", "by": ""})
    assert (answer.status_code, answer.json()) == (401, {"fault": "sign in first"})
    assert site.follower.asked == []


def test_the_page_itself_is_there_for_everybody(stranger: TestClient) -> None:
    assert "<title>maskgate</title>" in stranger.get("/").text
    for path in ("/style.css", "/app.js", "/icon.svg"):
        assert stranger.get(path).status_code == 200


def test_a_browser_that_has_a_file_is_not_sent_it_again(stranger: TestClient) -> None:
    tag = stranger.get("/app.js").headers["ETag"]
    assert stranger.get("/app.js", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/static/../../app.py", "//etc/passwd", "/%00", "/token.sha256",
        "/index.html", "/style.css/", "/style.css%00.js", "/..\\app.py",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(owner: TestClient, path: str) -> None:
    assert owner.get(path).status_code == 404


def test_the_cookie_is_for_this_page_and_no_script(site: Site, stranger: TestClient) -> None:
    cookie = stranger.post("/login", json={"token": f" {site.token}\n"}).headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie and site.token not in cookie


def test_a_wrong_token_opens_nothing_and_after_ten_none_is_looked_at(
    site: Site, stranger: TestClient, owner: TestClient
) -> None:
    answers = [stranger.post("/login", json={"token": f"guess {number}"}).status_code for number in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert stranger.post("/login", json={"token": site.token}).status_code == 429
    assert stranger.get("/metrics", headers={"Authorization": f"Bearer {site.token}"}).status_code == 429
    # who is signed in, and others elsewhere, are not kept out
    assert owner.get("/status").status_code == 200
    with TestClient(site.app, site.url, client=("198.51.100.3", 1)) as third:
        assert third.post("/login", json={"token": site.token}).status_code == 204


def test_addresses_of_one_ipv6_network_are_one_client(site: Site) -> None:
    for number in range(10):
        with TestClient(site.app, site.url, client=(f"2001:db8::{number:x}", 1)) as client:
            assert client.post("/login", json={"token": "guess"}).status_code == 401
    with TestClient(site.app, site.url, client=("2001:db8::ffff", 1)) as client:
        assert client.post("/login", json={"token": "guess"}).status_code == 429


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"token": 1}', b'{"token": "a", "more": 1}', b"\xff"])
def test_a_malformed_login_is_refused(stranger: TestClient, body: bytes) -> None:
    answer = stranger.post("/login", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["fault"].startswith("no token: ")


def test_signing_out_ends_the_session(owner: TestClient) -> None:
    cookies = dict(owner.cookies)
    assert owner.post("/logout").status_code == 204
    owner.cookies.update(cookies)
    assert owner.get("/status").status_code == 401


def test_prometheus_comes_with_the_token_and_no_cookie(site: Site, stranger: TestClient) -> None:
    answer = stranger.get("/metrics", headers={"Authorization": f"Bearer {site.token}"})
    assert answer.text == "maskgate_up 1\n" and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert stranger.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 401


def test_metrics_that_are_off_are_not_there(site: Site) -> None:
    app = make_app(site.settings, site.follower, site.today)
    with TestClient(app, site.url, headers={"Authorization": f"Bearer {site.token}"}) as client:
        assert client.get("/metrics").status_code == 404


def test_no_app_without_a_token(tmp_path: Path, site: Site) -> None:
    with pytest.raises(InputError, match="the token's hash"):
        make_app(Settings(web=WebSettings(folder=str(tmp_path))), site.follower, site.today)


def test_another_sites_page_gets_nothing_with_the_owners_cookie(site: Site, owner: TestClient) -> None:
    for where in ("cross-site", "same-site"):
        assert owner.get("/status", headers={"Sec-Fetch-Site": where}).status_code == 401
        asked = owner.post("/ask", json={"type": "override", "by": ""}, headers={"Sec-Fetch-Site": where})
        assert asked.status_code == 401
    plain = {"Content-Type": "text/plain"}
    assert owner.post("/ask", content='{"type":"override","by":""}', headers=plain).status_code == 415
    assert site.follower.asked == []


@pytest.mark.parametrize("path", ["/", "/app.js", "/status", "/nothing"])
def test_every_answer_tells_the_browser_what_it_may_do(stranger: TestClient, path: str) -> None:
    headers = stranger.get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] in ("no-store", "no-cache")


def test_the_status_tells_the_door(site: Site, owner: TestClient) -> None:
    site.follower.say("ALLOW", "1 face with_mask", ("RELEASE",), age=1.0)
    told = owner.get("/status").json()
    assert told["name"] == "front-door" and told["connected"] is True
    assert told["now"]["state"] == "ALLOW" and told["now"]["signals"] == ["RELEASE"] and 1.0 <= told["now"]["age"] < 9
    assert told["today"] == {"ALLOW": 1} and told["faults"] == []
    assert told["about"]["bundle"] == "maskgate-4" and told["about"]["view_left"] == 0


def test_the_status_tells_the_faces_that_count(site: Site, owner: TestClient) -> None:
    site.follower.say("DENY", faces=(Seen(1, (0.1, 0.2, 0.3, 0.45), "without_mask", 0.9),))
    (face,) = owner.get("/status").json()["now"]["faces"]
    assert face == {"label": "without_mask", "score": 0.9, "height": 0.25}


def test_before_the_first_word_of_the_daemon_there_is_a_status(site: Site, owner: TestClient) -> None:
    site.follower.here, site.follower.about = False, None
    told = owner.get("/status").json()
    assert (told["connected"], told["now"], told["about"]) == (False, None, None)


def test_a_picture_is_there_while_the_view_is_on(site: Site, owner: TestClient) -> None:
    assert owner.get("/view.jpg").status_code == 404
    site.follower.picture = b"\xff\xd8 a picture"
    answer = owner.get("/view.jpg")
    assert answer.content == b"\xff\xd8 a picture" and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"type": "view", "on": True}, View(True)),
        ({"type": "contest", "by": "somebody else"}, Contest("the status page")),
        ({"type": "override", "by": ""}, Override("the status page")),
        (
            {"type": "zone", "polygon": [[0, 0], [1, 0], [1, 1]], "min_face_height": 0.2},
            SetZone(((0, 0), (1, 0), (1, 1)), 0.2),
        ),
    ],
)
def test_what_is_asked_reaches_the_daemon(site: Site, owner: TestClient, body: object, asked: object) -> None:
    assert owner.post("/ask", json=body).status_code == 204
    assert site.follower.asked == [asked]


def test_what_the_daemon_refuses_is_told_in_its_words(site: Site, owner: TestClient) -> None:
    site.follower.refusal = "the zone has edges that cross"
    answer = owner.post("/ask", json={"type": "zone", "polygon": [], "min_face_height": 0.2})
    assert (answer.status_code, answer.json()["fault"]) == (409, "the zone has edges that cross")
    site.follower.refusal, site.follower.here = "", False
    assert owner.post("/ask", json={"type": "view", "on": True}).json()["fault"] == AWAY


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b'{"type": "shutdown"}', b'{"type": "view"}', b'{"type": "view", "on": true, "more": 1}',
        b'{"type": "zone", "polygon": [[0, 0], [2, 0], [1, 1]], "min_face_height": 0.2}',
        b'{"type": "zone", "polygon": [[0, 0], [NaN, 0], [1, 1]], "min_face_height": 0.2}',
        b'{"type": "contest", "by": "' + b"x" * 81 + b'"}', b"[" * 5000, b"\xff\xfe",
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_and_asks_nothing(site: Site, owner: TestClient, body: bytes) -> None:
    answer = owner.post("/ask", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["fault"].startswith("not a request: ")
    assert site.follower.asked == []


def test_a_long_request_is_refused_before_it_is_all_read(owner: TestClient) -> None:
    answer = owner.post("/ask", content=b" " * 100_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(("method", "path"), [("POST", "/status"), ("GET", "/ask"), ("PUT", "/"), ("DELETE", "/try")])
def test_other_methods_are_refused(owner: TestClient, method: str, path: str) -> None:
    assert owner.request(method, path).status_code == 405


def test_a_flood_of_requests_is_refused_and_the_owner_is_still_served(
    site: Site, stranger: TestClient, owner: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [stranger.get(f"/nothing/{number}").status_code for number in range(FLOOD)]
    assert 429 in answers
    assert owner.get("/status").status_code == 200
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 3 and lines[0] == "maskgate: web: refused 203.0.113.9: 'GET' '/nothing/0', 404"


def test_nothing_that_a_client_sends_can_forge_a_line_of_the_log(
    stranger: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger.get("/x%0amaskgate: all is well%1b[2J" + "y" * 500)
    (line,) = capsys.readouterr().err.splitlines()
    assert "\\nmaskgate" in line and "\x1b" not in line and len(line) < 200
