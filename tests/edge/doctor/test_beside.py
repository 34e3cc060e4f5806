from pathlib import Path

import msgspec
import pytest

from edge.bulletin import About, Drift
from edge.doctor.beside import follow, serving, shared
from edge.doctor.finding import Status
from edge.doctor.service import Service
from edge.settings import DriftSettings, MqttSettings, Settings, ShareSettings, WebSettings
from edge.share import Share

ABOUT = About("maskgate-9", "2026-05-01", "1.0", "processor", 0.0, "must_wear", missed=3)
RUNNING = Service(installed=True, active=True)
SHARED = Settings(share=ShareSettings(socket="/run/maskgate/door.sock"))
WATCHED = msgspec.structs.replace(SHARED, drift=DriftSettings(file="drift.json"))


def test_nothing_that_is_off_is_a_fault(machine):
    assert [finding.status for finding in serving(machine(), Settings()) + shared(Settings(), RUNNING)] == [
        Status.OK
    ] * 2


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (Settings(web=WebSettings(listen="127.0.0.1:8080")), "web.listen"),
        (Settings(web=WebSettings(listen="[::1]:80"), mqtt=MqttSettings(host="hub")), "web.listen and mqtt.host"),
    ],
)
def test_what_shall_be_served_wants_its_service(machine, settings, keys):
    (finding,) = serving(machine(commands={"systemctl is-active maskgate-serve": "active"}), settings)
    assert (finding.status, finding.found) == (Status.OK, f"maskgate-serve runs, for {keys}")
    (finding,) = serving(machine(), settings)
    assert finding.status == Status.FAIL and keys in finding.found
    assert "`sudo systemctl restart maskgate-serve`" in finding.mend


def test_a_daemon_that_can_be_followed_is_well():
    (finding,) = shared(SHARED, RUNNING, lambda path: ABOUT)[:1]
    assert (finding.status, finding.found) == (Status.OK, "/run/maskgate/door.sock: 3 messages missed by who follows")


def test_a_daemon_that_does_not_run_is_not_asked():
    def ask(path):
        raise AssertionError("asked")

    (finding,) = shared(SHARED, Service(installed=True), ask)
    assert finding.status == Status.OK


def test_a_socket_that_cannot_be_had_names_the_reason(tmp_path):
    settings = Settings(share=ShareSettings(socket=str(tmp_path / "door.sock")))
    (finding,) = shared(settings, RUNNING)
    assert finding.status == Status.FAIL and "No such file or directory" in finding.found
    assert "`sudo systemctl restart maskgate`" in finding.mend


def test_a_daemon_that_says_nothing_is_told():
    (finding,) = shared(SHARED, RUNNING, lambda path: None)
    assert (finding.status, finding.found) == (Status.FAIL, "/run/maskgate/door.sock: the daemon says nothing")


def test_a_real_socket_is_followed(tmp_path):
    with Share(tmp_path / "door.sock", lambda missed: ABOUT, lambda request: ""):
        assert follow(Path(tmp_path / "door.sock")) == ABOUT


@pytest.mark.parametrize(("alarm", "status"), [("", Status.OK), ("faces are darker than usual", Status.WARN)])
def test_people_who_look_otherwise_are_a_warning(alarm, status):
    about = msgspec.structs.replace(ABOUT, drift=Drift({"brightness": 0.6}, 300, alarm))
    _, finding = shared(WATCHED, RUNNING, lambda path: about)
    assert (finding.name, finding.status) == ("drift", status)
    assert alarm in finding.found
