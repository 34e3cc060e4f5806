"""The page's answers, and the page itself in headless Chromium."""

import argparse
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from edge.errors import InputError
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK
from tests.browser import axe, chromium, violations
from tests.train.review.faces import name_of, some_face
from train.review.crops import write_crop
from train.review.desk import NEW, SKIPPED, Desk
from train.review.page import Page, run

ROOT = Path(__file__).resolve().parents[3]
AWHILE = 20_000
"""Milliseconds that a busy machine may take."""


@pytest.fixture
def folder(tmp_path):
    """Five pulled faces."""
    (tmp_path / NEW).mkdir()
    for number in range(5):
        write_crop(tmp_path / NEW / f"{name_of(number)}.png", some_face(number), "door1")
    return tmp_path


@pytest.fixture
def client(folder):
    return TestClient(
        Page(Desk(folder), "secret").app(), "http://127.0.0.1:8000", headers={"Authorization": "Bearer secret"}
    )


def test_a_face_is_shown_labelled_and_the_next_one_comes(client, folder):
    first = client.get("/now").json()
    assert (first["name"], first["counts"][NEW]) == (name_of(0), 5)
    shown = client.get(f"/crop/{name_of(0)}")
    assert shown.headers["content-type"] == "image/png"
    assert shown.content == (folder / NEW / f"{name_of(0)}.png").read_bytes()
    then = client.post("/put", json={"name": name_of(0), "place": WITH_MASK}).json()
    assert (then["name"], then["counts"][NEW], then["counts"][WITH_MASK]) == (name_of(1), 4, 1)
    assert client.post("/undo").json() == first


@pytest.mark.parametrize("path", ["/now", f"/crop/{name_of(0)}", "/put", "/undo"])
@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", "Bearer secre", "secret", "Bearer s\xe9cret"])
def test_nothing_but_the_bare_page_is_there_without_the_secret(client, path, token):
    headers = {"Authorization": token.encode("latin-1")}
    answer = client.request("POST" if path in ("/put", "/undo") else "GET", path, headers=headers, content=b"{}")
    assert answer.status_code == 401
    assert name_of(0) not in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 409),
        (b"[]", 409),
        (b'{"name": 1, "place": "with_mask"}', 409),
        (b'{"name": "../../x", "place": "with_mask"}', 409),
        (b'{"name": "%s", "place": "../x"}' % name_of(0).encode(), 409),
        (b'{"name": "%s"}' % (b"x" * 100_000), 413),
    ],
)
def test_a_label_that_makes_no_sense_changes_nothing(client, body, status):
    assert client.post("/put", content=body).status_code == status
    assert client.get("/now").json()["counts"][NEW] == 5


@pytest.mark.parametrize("name", ["..%2F..%2Fboxes.csv", "nobody", "%00"])
def test_a_picture_that_is_not_there_is_not_found(client, name):
    assert client.get(f"/crop/{name}").status_code == 404


def test_a_request_for_another_host_is_refused(client):
    """Else a page of the web could have its own name lead here."""
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/page.js", "/now", "/nothing", "/crop/nobody"])
def test_every_answer_forbids_what_the_page_does_not_need(client, path):
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"


def test_a_file_that_vanished_is_told(client, folder):
    (folder / NEW / f"{name_of(0)}.png").unlink()
    answer = client.post("/put", json={"name": name_of(0), "place": WITH_MASK})
    assert (answer.status_code, answer.text) == (500, "the face cannot be moved (No such file or directory)")


@pytest.fixture
def running(folder):
    """`python -m train review` on the folder; its address and its process."""
    command = [sys.executable, "-m", "train", "review", "--site", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/#\S{43})\n", line)
        assert address, line
        yield address[1], process
        process.kill()


def test_the_command_serves_until_ctrl_c_and_says_what_was_done(running, folder):
    address, process = running
    base, token = address.split("/#")
    request = urllib.request.Request(
        f"{base}/put",
        b'{"name": "%s", "place": "incorrect"}' % name_of(0).encode(),
        {"Authorization": f"Bearer {token}"},
    )
    deadline = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.stdout.read() == "Ctrl-C ends\nlabelled: 1 incorrect; 4 wait. `make retrain` learns from them\n"
    assert process.wait(10) == 0
    assert (folder / INCORRECT / f"{name_of(0)}.png").is_file()


def test_a_port_that_is_taken_is_told_with_the_remedy(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port}: Address already in use; give another one, or 0 for any"):
            run(argparse.Namespace(site=folder, port=port))


@pytest.fixture(params=["light", "dark"])
def page(request):
    """A page of a browser; whatever it complains of fails the test."""
    complaints = []
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 500, "height": 900}, color_scheme=request.param)
        context.add_init_script(axe())
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None
        )
        yield page
    assert complaints == []


def shows(page, left):
    """So many are left, and the next one is to be seen: only then may a key say what it shows."""
    expect(page.locator("#left")).to_have_text(left, timeout=AWHILE)
    expect(page.locator("main")).to_have_attribute("aria-busy", "false", timeout=AWHILE)


@pytest.mark.slow
def test_in_a_browser_one_key_labels_one_face_and_u_takes_it_back(page, running, folder):
    page.goto(running[0])
    shows(page, "5 left")
    expect(page.locator("#face")).to_have_js_property("naturalWidth", 160, timeout=AWHILE)
    assert violations(page) == []
    for key, left in (("1", "4 left"), ("3", "3 left"), ("u", "4 left"), ("2", "3 left"), ("s", "2 left")):
        page.keyboard.press(key)
        shows(page, left)
    page.keyboard.press("x")
    page.locator("[data-place=with_mask]").click()
    shows(page, "1 left")
    page.keyboard.press("1")
    expect(page.locator("#left")).to_have_text("No face waits. Now: make retrain", timeout=AWHILE)
    page.keyboard.press("1")
    assert Desk(folder).counts == {NEW: 0, SKIPPED: 1, WITHOUT_MASK: 1, WITH_MASK: 3, INCORRECT: 0}
    page.reload()
    expect(page.locator("#left")).to_have_text("No face waits. Now: make retrain", timeout=AWHILE)


@pytest.mark.slow
def test_in_a_browser_an_address_without_the_secret_says_what_to_open(page, running):
    page.goto(running[0].split("#")[0])
    expect(page.locator("#fault")).to_have_text("open the address that the terminal shows", timeout=AWHILE)
