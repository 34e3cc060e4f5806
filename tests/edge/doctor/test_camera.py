"""Frames are made by code; the service and the drivers' names stand in for a device's."""

import cv2
import numpy as np
import pytest

from edge.doctor.camera import FIND, Light, camera, exposure, focus, usb_cameras, watch
from edge.doctor.finding import Status
from edge.doctor.service import Service
from edge.errors import CameraError
from edge.settings import CameraSettings, HealthSettings, Settings
from edge.values import Frame
from tests.edge.rig import EMPTY, Pictures

SETTINGS = Settings(camera=CameraSettings(source="v4l2:0", frames_per_second=15.0))
IDLE = Service()
RUNS = Service(installed=True, active=True)


class Frames:
    """A camera at `rate` frames a second of a clock of its own, which gives each picture `count` times."""

    def __init__(self, rate: float, change=lambda rgb: rgb, count: int = 100) -> None:
        self.rate, self.change, self.count = rate, change, count
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True

    def frames(self):
        pictures = Pictures((192, 320))
        for number in range(self.count):
            yield Frame(self.change(pictures(EMPTY)), 50.0 + number / self.rate)


def looked_at(source):
    return {finding.name: finding for finding in camera(SETTINGS, IDLE, lambda: source)}


def test_frames_that_arrive_as_asked_are_well():
    source = Frames(15.0)
    findings = looked_at(source)
    assert {name: finding.status for name, finding in findings.items()} == dict.fromkeys(
        ("camera", "exposure", "focus"), Status.OK
    )
    assert findings["camera"].found == "v4l2:0: 320x192, 15.0 frames/s"
    assert source.closed


@pytest.mark.parametrize(("rate", "status"), [(13.0, Status.OK), (7.5, Status.WARN), (1.5, Status.FAIL)])
def test_a_camera_slower_than_asked_is_told(rate, status):
    finding = looked_at(Frames(rate))["camera"]
    assert finding.status == status and f"{rate} frames/s" in finding.found


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_frame_is_a_failure(count):
    finding = looked_at(Frames(15.0, count=count))["camera"]
    assert finding.status == Status.FAIL and "fuser" in finding.mend


def test_a_black_picture_is_what_the_daemon_would_call_it():
    findings = looked_at(Frames(15.0, lambda rgb: rgb // 20))
    assert findings["picture"].found == "the picture is black"


def test_a_blurred_picture_is_told():
    def blur(rgb):
        noise = np.random.default_rng(int(rgb[0, 0, 0])).normal(0, 2, rgb.shape)
        return np.clip(cv2.GaussianBlur(rgb, (0, 0), 4.0) + noise, 0, 255).astype(np.uint8)

    assert looked_at(Frames(15.0, blur))["focus"].status == Status.WARN


def test_noise_is_not_taken_for_sharpness():
    class Noise:
        def frames(self):
            chance = np.random.default_rng(0)
            for number in range(40):
                yield Frame(chance.integers(100, 140, (192, 320, 3), np.uint8), number / 15)

    assert watch(Noise(), HealthSettings()).sharpness is None
    assert "cannot be told" in focus(None).found


@pytest.mark.parametrize(
    ("light", "status", "says"),
    [
        (Light(110, 0.01, 0.02), Status.OK, "mean 110 of 255, 1% black, 2% white"),
        (Light(25, 0.1, 0.0), Status.WARN, "too dark"),
        (Light(90, 0.5, 0.0), Status.WARN, "too dark"),
        (Light(230, 0.0, 0.1), Status.WARN, "too bright"),
        (Light(150, 0.0, 0.45), Status.WARN, "too bright"),
    ],
)
def test_light_is_judged_by_its_mean_and_what_is_clipped(light, status, says):
    finding = exposure(light)
    assert finding.status == status and says in finding.found


def test_an_absent_camera_says_how_to_find_one():
    def absent():
        raise CameraError("no camera found (/dev/video*: none); connect one or set camera.source")

    (finding,) = camera(SETTINGS, IDLE, absent)
    assert (finding.status, finding.mend) == (Status.FAIL, FIND)
    assert finding.found == "no camera found (/dev/video*: none)"


def test_another_error_of_the_camera_keeps_its_own_remedy():
    def refused():
        raise CameraError("/dev/video0: no permission; join its group with `sudo usermod -aG video $USER`")

    (finding,) = camera(SETTINGS, IDLE, refused)
    assert finding.found == "/dev/video0: no permission" and "usermod -aG video" in finding.mend


def never():
    raise AssertionError("the camera is the service's")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("maskgate-4: IDLE, 14.9 frames/s, 21 ms from frame to decision", Status.OK, "judges 14.9 frames/s"),
        ("maskgate-4: DENY, 6.0 frames/s, 21 ms from frame to decision", Status.WARN, "of 15 asked for"),
        ("maskgate-4: IDLE, 5.6 frames/s, 21 ms from frame to decision", Status.OK, "with nobody there"),
        ("maskgate-4: FAULT, the lens is covered", Status.FAIL, "the lens is covered"),
        ("maskgate-4: IDLE, no frame yet", Status.OK, "has not said yet"),
    ],
)
def test_while_the_service_has_the_camera_its_own_words_count(words, status, says):
    (finding,) = camera(SETTINGS, Service(installed=True, active=True, status=words), never)
    assert finding.status == status and says in finding.found


def test_cameras_that_are_none_are_told_from_usb_cameras(machine):
    names = {"video0": "HD Pro Webcam C920\n", "video10": "bcm2835-codec-decode\n", "video20": "pispbe-input\n"}
    files = {f"sys/class/video4linux/{device}/name": name for device, name in names.items()}
    assert usb_cameras(machine(files)) == ["/dev/video0 (HD Pro Webcam C920)"]
