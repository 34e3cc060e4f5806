"""The status page in headless Chromium: signing in, every part by hand, by key and by screen reader's rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from skimage.data import astronaut

from edge.bulletin import Contest, Drift, Override, Seen, SetZone, View
from tests.browser import axe, chromium, violations
from tests.edge.serve.web.site import Site

pytestmark = pytest.mark.slow

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
AWHILE = 20_000
"""Milliseconds that a busy machine may take."""
COUNT_WHAT_IS_HEARD = """() => {
    window.heard = 0;
    new MutationObserver(() => window.heard++).observe(spoken, {childList: true, characterData: true, subtree: true});
}"""
STATES = ["IDLE", "CHECKING", "ALLOW", "DENY", "UNKNOWN", "FAULT"]
PICTURE = bytes(cv2.imencode(".jpg", cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))[1].tobytes())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "serve")
    site.follower.say("IDLE", "nobody in the zone")
    with site.served():
        yield site


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens the page, signed in; whatever it complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(viewport: Any = DESKTOP, scheme: Any = "light", signed_in: bool = True) -> Page:
        context = browser.new_context(viewport=viewport, color_scheme=scheme, has_touch=viewport == PHONE)
        contexts.append(context)
        context.set_default_timeout(AWHILE)
        context.add_init_script(axe())
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None
        )
        page.goto(site.url)
        if signed_in:
            sign_in(page, site.token)
            expect(page.locator("#word")).to_be_visible(timeout=AWHILE)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("This door's token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def shows(page: Page, place: str, text: str) -> None:
    expect(page.locator(place)).to_contain_text(text, timeout=AWHILE)


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + AWHILE / 1000
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stranger_sees_a_form_and_a_wrong_token_is_told(open_page: Open, site: Site) -> None:
    page = open_page(signed_in=False)
    sign_in(page, "guess")
    shows(page, "#login-fault", "That is not this door's token.")
    expect(page.locator("#now")).to_be_hidden()
    sign_in(page, site.token)
    shows(page, "#word", "Nobody here")
    assert site.token not in page.url and page.evaluate("document.cookie") == ""


def test_whoever_signed_in_stays_so_until_they_sign_out(open_page: Open) -> None:
    page = open_page()
    page.reload()
    shows(page, "#word", "Nobody here")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#token")).to_be_focused()
    page.reload()
    expect(page.locator("#login")).to_be_visible()


def test_the_door_is_told_in_words(open_page: Open, site: Site) -> None:
    page = open_page()
    site.follower.say("DENY", "1 face without_mask, 1 face incorrect", ("HEARTBEAT", "FORCED_OPEN"))
    shows(page, "#word", "No proper mask")
    shows(page, "#reason", "1 face without a mask, 1 face with nose or chin bare")
    assert page.locator("#signals li").all_text_contents() == ["Door forced open"]
    site.follower.say("FAULT", "the camera gives no frames")
    shows(page, "#word", "Out of order")
    shows(page, "#faults", "The camera gives no frames")
    shows(page, "#today", "faults1")


def test_a_screen_reader_hears_the_state_once_it_lasts(open_page: Open, site: Site) -> None:
    page = open_page()
    spoken = page.locator("#spoken")
    expect(spoken).to_have_attribute("role", "status")
    site.follower.say("ALLOW", "1 face with_mask")
    expect(spoken).to_have_text("Mask on", timeout=AWHILE)
    page.evaluate(COUNT_WHAT_IS_HEARD)
    for _ in range(5):
        site.follower.say("ALLOW", "1 face with_mask")
        page.wait_for_timeout(500)
    assert page.evaluate("window.heard") == 0


def test_a_daemon_that_is_away_or_silent_is_told(open_page: Open, site: Site) -> None:
    page = open_page()
    site.follower.say("ALLOW", age=30.0)
    shows(page, "#word", "No answer")
    site.follower.say("ALLOW")
    shows(page, "#word", "Mask on")
    site.follower.here = False
    shows(page, "#reason", "The door's program does not answer")


def test_each_part_has_its_title_and_the_focus(open_page: Open) -> None:
    page = open_page()
    for link, title in [("Camera", "Camera"), ("Try a picture", "Try a picture"), ("Now", "The door now")]:
        go(page, link)
        expect(page).to_have_title(f"maskgate: {title}")
        expect(page.get_by_role("heading", name=title)).to_be_focused()


def test_drift_is_told_with_its_reason(open_page: Open, site: Site) -> None:
    page = open_page()
    expect(page.locator("#drift")).to_be_hidden()
    site.follower.tell(drift=Drift(alarm="the pictures are darker"))
    shows(page, "#drift", "the pictures are darker")


def test_what_the_device_says_is_text_and_no_markup(open_page: Open, site: Site) -> None:
    page = open_page()
    site.follower.say("FAULT", "<img src=x onerror=alert(1)>")
    shows(page, "#reason", "<img src=x onerror=alert(1)>")
    assert page.locator("#hero img, #faults img").count() == 0


def test_that_was_wrong_reaches_the_door(open_page: Open, site: Site) -> None:
    page = open_page()
    page.get_by_role("button", name="That was wrong").click()
    shows(page, "#toast", "Noted.")
    assert site.follower.asked == [Contest("the status page")]


def test_the_door_is_released_only_when_that_is_allowed_and_meant(open_page: Open, site: Site) -> None:
    page = open_page()
    release = page.get_by_role("button", name="Release door")
    release.click()
    page.get_by_role("button", name="Cancel").click()
    assert site.follower.asked == []
    release.click()
    page.get_by_role("button", name="Release", exact=True).click()
    shows(page, "#toast", "The door is released.")
    assert site.follower.asked == [Override("the status page")]
    site.follower.tell(override=False)
    expect(release).to_be_hidden(timeout=AWHILE)


def test_the_camera_is_off_until_it_is_asked_for_and_goes_off_again(open_page: Open, site: Site) -> None:
    page = open_page()
    go(page, "Camera")
    expect(page.locator("#view")).to_be_hidden()
    assert site.follower.asked == []
    site.follower.picture = PICTURE
    page.get_by_role("button", name="Show the camera for 10 minutes").click()
    expect(page.locator("#view")).to_have_js_property("naturalWidth", 512, timeout=AWHILE)
    shows(page, "#view-clock", "9:5")
    page.get_by_role("button", name="Switch off").click()
    expect(page.locator("#view")).to_be_hidden(timeout=AWHILE)
    assert site.follower.asked == [View(True), View(False)]


def test_the_faces_in_the_picture_are_told_in_words(open_page: Open, site: Site) -> None:
    site.follower.tell(view_until=time.monotonic() + 600)
    page = open_page()
    go(page, "Camera")
    shows(page, "#counting", "Nobody just now.")
    site.follower.say("DENY", faces=(Seen(1, (0.1, 0.2, 0.3, 0.45), "without_mask", 0.9),))
    shows(page, "#counting", "Without a mask, 90\u00a0% sure, face 25\u00a0% of the picture's height.")


def test_a_door_that_shows_no_pictures_says_so(open_page: Open, site: Site) -> None:
    site.follower.tell(view=False)
    page = open_page()
    go(page, "Camera")
    shows(page, "#view-why", "share.view")
    expect(page.get_by_role("button", name="Show the camera")).to_be_hidden()


def aiming(page: Page, site: Site) -> Page:
    """The camera's page while the zone is changed."""
    site.follower.picture = PICTURE
    site.follower.tell(view_until=time.monotonic() + 600, brightness=0.1)
    go(page, "Camera")
    expect(page.locator("#view")).to_have_js_property("naturalWidth", 512, timeout=AWHILE)
    page.get_by_role("button", name="Change").click()
    return page


def test_a_zone_is_drawn_with_keys_alone(open_page: Open, site: Site) -> None:
    page = aiming(open_page(), site)
    shows(page, "#light", "Too dark")
    corners = page.get_by_role("group", name="Corners of the zone").get_by_role("button")
    assert corners.count() == 4
    corners.nth(0).press("ArrowRight")
    corners.nth(0).press("Shift+ArrowDown")
    assert (
        corners.nth(0).get_attribute("aria-label") == "Corner 1 of 4, 11\u00a0% from the left, 15\u00a0% from the top"
    )
    corners.nth(3).press("Delete")
    expect(corners.nth(2)).to_be_focused()
    page.locator("#least").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Save").press("Enter")
    shows(page, "#toast", "Saved.")
    assert site.follower.asked == [SetZone(((0.11, 0.15), (0.9, 0.1), (0.9, 0.95)), 0.13)]
    expect(page.get_by_role("button", name="Change")).to_be_focused()


def test_a_zone_is_drawn_by_tapping_and_dragging(open_page: Open, site: Site) -> None:
    page = aiming(open_page(PHONE), site)
    page.get_by_role("button", name="Whole picture").click()
    box = page.locator("#stage").bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    for corner in [(0.2, 0.3), (0.8, 0.3)]:
        page.touchscreen.tap(*at(*corner))
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    for corner in [(0.8, 0.8), (0.2, 0.8), (0.5, 0.2)]:
        page.touchscreen.tap(*at(*corner))
    page.mouse.move(*at(0.8, 0.8))
    page.mouse.down()
    page.mouse.move(*at(0.9, 0.9))
    page.mouse.up()
    page.get_by_role("button", name="Save").click()
    eventually(lambda: bool(site.follower.asked))
    (asked,) = site.follower.asked
    assert isinstance(asked, SetZone)
    wanted = [(0.2, 0.3), (0.5, 0.2), (0.8, 0.3), (0.9, 0.9), (0.2, 0.8)]
    assert asked.polygon == tuple(pytest.approx(corner, abs=0.01) for corner in wanted)


def test_the_box_on_the_picture_is_as_high_as_the_smallest_face(open_page: Open, site: Site) -> None:
    page = aiming(open_page(), site)
    page.locator("#least").fill("40")
    heights = [page.locator(place).bounding_box() for place in ("#guide", "#stage")]
    assert heights[0] and heights[1] and heights[0]["height"] / heights[1]["height"] == pytest.approx(0.4, abs=0.01)


def test_a_zone_that_the_door_refuses_stays_to_be_mended(open_page: Open, site: Site) -> None:
    page = aiming(open_page(), site)
    site.follower.refusal = "the zone has edges that cross"
    page.get_by_role("button", name="Save").click()
    shows(page, "#zone-fault", "The zone has edges that cross.")
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".corner")).to_have_count(0)


def test_a_picture_is_tried_and_boxed(open_page: Open) -> None:
    page = open_page()
    go(page, "Try a picture")
    page.locator("#file").set_input_files({"name": "me.jpg", "mimeType": "image/jpeg", "buffer": PICTURE})
    shows(page, "#found-title", "1 face")
    shows(page, "#found", "Without a mask")
    face, picture = page.locator("#boxes .box").bounding_box(), page.locator("#tried").bounding_box()
    assert face and picture
    middle = (face["x"] + face["width"] / 2 - picture["x"]) / picture["width"]
    assert middle == pytest.approx(224 / 512, abs=0.03)


def test_a_picture_that_is_none_is_told(open_page: Open) -> None:
    page = open_page()
    go(page, "Try a picture")
    page.locator("#file").set_input_files({"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"})
    shows(page, "#try-fault", "This is not a JPEG, PNG or WebP picture.")
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"})
    shows(page, "#try-fault", "cut off")
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": bytes(8_000_001)})
    shows(page, "#try-fault", "8 MB at most")


def test_every_control_is_reached_by_the_tab_key(open_page: Open) -> None:
    page = open_page()
    expect(page.get_by_role("heading", name="The door now")).to_be_focused()
    page.reload()
    expect(page.locator("#word")).to_be_visible()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText.trim()"))
    for name in ("Now", "Camera", "Try a picture", "Sign out", "That was wrong", "Release door"):
        assert name in reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    open_page: Open, site: Site, viewport: Any, scheme: str, tmp_path: Path
) -> None:
    def check(name: str) -> None:
        page.wait_for_timeout(250)  # colours fade over
        page.screenshot(path=tmp_path / f"{name}.png")
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    page = open_page(viewport, scheme, signed_in=False)
    check("login")
    sign_in(page, site.token)
    for state in STATES:
        site.follower.say(state, "a reason", ("RELEASE", "TAMPER"))
        expect(page.locator("#hero")).to_have_attribute("data-state", state, timeout=AWHILE)
        check(state)
    site.follower.tell(drift=Drift(alarm="darker"))
    site.follower.here = False
    shows(page, "#word", "No answer")
    check("away")
    site.follower.here = True
    shows(page, "#drift", "darker")
    page.get_by_role("button", name="Release door").click()
    check("release")
    page.get_by_role("button", name="Cancel").click()
    go(page, "Camera")
    check("camera off")
    aiming(page, site)
    check("zone")
    go(page, "Try a picture")
    check("try")
    page.locator("#file").set_input_files({"name": "me.jpg", "mimeType": "image/jpeg", "buffer": PICTURE})
    shows(page, "#found-title", "1 face")
    check("tried")
