import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BundleError, InputError, MaskgateError
from edge.settings import Settings, UpdateSettings
from edge.update.change import back, sweep
from edge.update.install import install
from edge.update.poll import Index, Offer, lot, offers, poll
from edge.update.store import State, load
from tests.edge.update.workshop import STRANGER, FakeService, device, models, release, settings, stream, tree

MACHINE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def fleet(server, certificate, tmp_path):
    return Fleet(server, certificate, tmp_path)


class Fleet:
    """A server with an index, and a device that asks it."""

    def __init__(self, server, certificate, tmp_path):
        self.server, self.tmp_path = server, tmp_path
        update = UpdateSettings(index=f"{server.url}/fleet/index.json", ca_file=str(certificate), trial_seconds=60.0)
        self.device = device(tmp_path, settings=Settings(update=update))
        self.index = {}

    def offer(self, content, version, kind="models", /, **changes):
        name = f"{kind}-{version}.tar"
        self.server.answers[f"/fleet/{name}"] = (200, {}, content)
        whole = {"version": version, "url": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        self.index[kind] = whole | changes
        self.answer(json.dumps(self.index).encode())

    def answer(self, body, status=200, **headers):
        etag = hashlib.sha256(body).hexdigest()[:8]
        self.server.answers["/fleet/index.json"] = (status, {"ETag": f'"{etag}"'} | headers, body)

    def poll(self):
        return poll(self.device, MACHINE)

    def refuses(self, told, kind=InputError):
        before = tree(self.device.store)
        with pytest.raises(kind, match=told) as caught:
            self.poll()
        assert "\n" not in str(caught.value) and tree(self.device.store) == before


def test_something_newer_is_fetched_and_installed(fleet):
    fleet.offer(release(models()), 5)
    assert fleet.poll().startswith("maskgate-5: in use")
    assert load(fleet.device.store).models.current == "maskgate-5"


def test_settings_come_the_same_way_one_release_at_a_time(fleet):
    fleet.offer(release(models()), 5)
    fleet.offer(release(settings(), 3), 3, "settings")
    fleet.poll()
    assert load(fleet.device.store).settings.current == ""
    fleet.poll()
    assert load(fleet.device.store).settings.current == "door-3"


def test_an_index_that_is_done_is_not_sent_again(fleet):
    fleet.offer(release(models()), 5)
    told = [fleet.poll() for _ in range(3)]
    assert told[1:] == ["nothing new for this device", "nothing new since the index was asked last"]
    fleet.offer(release(models(6), 6), 6)
    assert fleet.poll().startswith("maskgate-6")


def test_what_could_not_be_installed_is_tried_again(fleet):
    content = release(models())
    fleet.offer(content, 5)
    fleet.server.answers["/fleet/models-5.tar"] = (503, {}, b"")
    fleet.refuses("the server answers 503")
    fleet.offer(content, 5)
    assert fleet.poll().startswith("maskgate-5")


def test_what_was_rolled_back_does_not_come_again(fleet):
    fleet.offer(release(models()), 5)
    fleet.poll()
    store = fleet.device.store
    sweep(store, back(store, load(store), "models", "by hand", "today"))
    fleet.poll()
    assert load(store).models.current == ""


def test_while_something_is_on_trial_nobody_is_asked(fleet, tmp_path):
    install(device(tmp_path, FakeService()), stream(release(models())))
    assert "maskgate-5 is on trial" in fleet.poll() and fleet.server.asked == []


def test_without_an_index_nobody_is_asked(tmp_path):
    assert "update.index in the settings names none" in poll(device(tmp_path), MACHINE)


def test_a_device_that_is_not_in_yet_waits(fleet):
    fleet.offer(release(models()), 5, percent=lot(MACHINE, "models", 5) - 0.01)
    assert fleet.poll() == "nothing new for this device"
    fleet.offer(release(models()), 5, percent=lot(MACHINE, "models", 5) + 0.01)
    assert fleet.poll().startswith("maskgate-5")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": "0" * 64}, "not the file of that sha256"),
        ({"size": 100}, "more than 100 bytes"),
        ({"url": "http://127.0.0.1/x.tar"}, "not an https:// address"),
        ({"url": "file:///etc/passwd"}, "not an https:// address"),
        ({"url": "absent.tar"}, "the server answers 404"),
        ({"url": "https://127.0.0.1:1/x.tar"}, "cannot be reached .Connection refused"),
        ({"url": "https://[::1/x.tar"}, "not an https:// address"),
        ({"url": "https://127.0.0.1:port/x"}, "not an https:// address"),
        ({"url": "a b\nc.tar"}, "cannot be reached|answers 404"),
        ({"sha256": "x"}, "not an index of releases"),
        ({"size": 2**40}, "not an index of releases"),
        ({"version": -1}, "not an index of releases"),
        ({"percent": "many"}, "not an index of releases"),
    ],
)
def test_a_bad_offer_is_refused_and_changes_nothing(fleet, changes, told):
    fleet.offer(release(models()), 5, **changes)
    fleet.refuses(told, MaskgateError)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"[" * 60_000, b" " * 70_000])
def test_a_bad_index_is_refused_and_changes_nothing(fleet, body):
    fleet.answer(body)
    fleet.refuses("not an index of releases|more than 65536 bytes", MaskgateError)


def test_an_archive_cut_off_by_the_network_is_refused(fleet):
    content = release(models())
    fleet.offer(content, 5)
    fleet.server.answers["/fleet/models-5.tar"] = (200, {"Content-Length": str(len(content))}, content[:5000])
    fleet.refuses("not the file of that sha256, or cut off|cannot be read", MaskgateError)


def test_an_offer_signed_by_nobody_trusted_is_refused(fleet):
    fleet.offer(release(models(), key=STRANGER), 5)
    fleet.refuses("which this device does not trust", BundleError)


def test_a_redirection_is_followed_to_https_alone(fleet):
    fleet.offer(release(models()), 5)
    fleet.server.answers["/moved.json"] = fleet.server.answers["/fleet/index.json"]
    fleet.answer(b"", 302, Location="http://127.0.0.1:1/index.json")
    fleet.refuses("http://127.0.0.1:1/index.json: not an https:// address")
    fleet.answer(b"", 302, Location="/moved.json")
    fleet.index["models"]["url"] = f"{fleet.server.url}/fleet/models-5.tar"
    fleet.server.answers["/moved.json"] = (200, {}, json.dumps(fleet.index).encode())
    assert fleet.poll().startswith("maskgate-5")


def test_redirections_without_end_are_given_up(fleet):
    fleet.answer(b"", 302, Location="/fleet/index.json")
    fleet.refuses("the server answers 302")


def test_a_server_that_is_away_is_told(fleet):
    fleet.server.answers.clear()
    fleet.refuses("the server answers 404")
    away = msgspec.structs.replace(fleet.device.settings.update, index="https://127.0.0.1:1/index.json")
    fleet.device = device(fleet.tmp_path, settings=Settings(update=away))
    fleet.refuses("https://127.0.0.1:1/index.json: cannot be reached .Connection refused")


@pytest.mark.parametrize(("ca_file", "told"), [("", "self-signed certificate"), ("absent.pem", "No such file")])
def test_a_server_that_cannot_prove_who_it_is_is_refused(fleet, ca_file, told):
    update = msgspec.structs.replace(fleet.device.settings.update, ca_file=ca_file)
    fleet.device = device(fleet.tmp_path, settings=Settings(update=update))
    fleet.refuses(told)


def test_a_file_of_certificates_that_is_none_is_refused(fleet, tmp_path):
    (tmp_path / "ca.pem").write_text("hello")
    update = msgspec.structs.replace(fleet.device.settings.update, ca_file=str(tmp_path / "ca.pem"))
    fleet.device = device(fleet.tmp_path, settings=Settings(update=update))
    fleet.refuses(r"ca\.pem: not a file of certificates")


machines = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(machines, st.sampled_from(["models", "settings"]), st.integers(1, 2**31), st.floats(0, 100), st.floats(0, 100))
def test_who_is_in_at_a_low_share_is_in_at_a_higher_one(machine, kind, version, one, other):
    low, high = sorted((one, other))

    def is_in(percent):
        index = Index(**{kind: Offer(version + 100, "x", "0" * 64, 1, percent)})
        return bool(offers(index, State(), machine))

    assert is_in(low) <= is_in(high) and is_in(100.0) and not is_in(0.0)


@pytest.mark.parametrize("percent", [10, 50])
def test_the_share_of_many_machines_is_about_right_and_not_always_the_same(percent):
    machines = [f"{number:032x}" for number in range(4000)]
    some, others = ({each for each in machines if lot(each, "models", n) < percent} for n in (5, 6))
    assert len(some) == pytest.approx(40 * percent, rel=0.1)
    assert len(some & others) == pytest.approx(0.4 * percent**2, rel=0.3)
