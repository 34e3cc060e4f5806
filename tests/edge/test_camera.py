import os
import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from edge import camera
from edge.camera import (
    Picamera2Camera,
    PictureFolder,
    RealTime,
    V4l2Camera,
    VideoFile,
    device_path,
    open_camera,
    open_file,
    taken_at,
)
from edge.errors import CameraError, InputError
from edge.settings import CameraSettings

RED = (200, 20, 20)


class Clock:
    """A clock that goes only when somebody sleeps."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Capture:
    """Stands in for cv2.VideoCapture: `frames` blue, green, red pictures, with the driver's time of each."""

    def __init__(self, times, frames=10):
        self.left, self.times, self.settings, self.released = frames, iter(times), {}, False

    def __call__(self, device, backend):
        self.device, self.backend = device, backend
        return self

    def set(self, key, value):
        self.settings[key] = value

    def get(self, key):
        return next(self.times) * 1000

    def grab(self):
        self.left -= 1
        return self.left >= 0

    def retrieve(self, into):
        return True, np.full((4, 6, 3), RED[::-1], np.uint8)

    def release(self):
        self.released = True


@pytest.fixture(params=["door.avi MJPG", "door.mp4 mp4v"])
def video(tmp_path, request):
    """Six frames at 10 a second; the whole frame red, darker from frame to frame."""
    name, codec = request.param.split()
    path = tmp_path / name
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
    for k in range(6):
        writer.write(np.full((48, 64, 3), (20, 20, 250 - 30 * k), np.uint8))
    writer.release()
    return path


def test_a_video_gives_its_frames_at_its_own_times(video):
    with VideoFile(video) as source:
        frames = list(source.frames())
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    reds = [int(frame.rgb[20, 20, 0]) for frame in frames]
    assert reds == pytest.approx([250, 220, 190, 160, 130, 100], abs=6)
    assert frames[0].rgb.shape == (48, 64, 3) and frames[0].rgb.dtype == np.uint8


def test_a_paced_video_gives_its_frames_in_real_time(video):
    clock = Clock()
    with VideoFile(video, RealTime(clock, clock.sleep)) as source:
        seen = [(frame.time, clock()) for frame in source.frames()]
    assert [time for time, _ in seen] == pytest.approx([100, 100.1, 100.2, 100.3, 100.4, 100.5])
    assert [now for _, now in seen] == pytest.approx([time for time, _ in seen])


def test_a_paced_video_drops_frames_that_come_too_late(video):
    clock = Clock()
    times = []
    with VideoFile(video, RealTime(clock, clock.sleep)) as source:
        for frame in source.frames():
            times.append(frame.time)
            clock.now += 0.25
    assert times == pytest.approx([100, 100.2, 100.4])


def test_a_folder_gives_a_picture_a_second(tmp_path):
    for k, name in enumerate(["a.png", "b.png"]):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), 100 * k, np.uint8))
    with PictureFolder(tmp_path) as source:
        frames = list(source.frames())
    assert [(frame.time, int(frame.rgb[0, 0, 0])) for frame in frames] == [(0.0, 0), (1.0, 100)]


def test_an_unreadable_picture_of_a_folder_is_named(tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    with open_file(tmp_path) as source, pytest.raises(InputError, match=r"bad\.png"):
        list(source.frames())


@pytest.mark.parametrize("content", [b"", b"text " * 100, b"RIFF\x00\x00\x00\x00AVI LIST", b"\0\0\0\x20ftypisom"])
def test_what_is_no_video_is_refused_in_silence(tmp_path, capfd, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"clip\.mp4: (the file is empty|not a video)"):
        VideoFile(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("lazily", "used"), [(6, cv2.CAP_OPENCV_MJPEG), (4, cv2.CAP_FFMPEG), (0, cv2.CAP_FFMPEG)])
def test_a_file_is_read_lazily_only_if_that_reader_knows_all_its_frames(tmp_path, monkeypatch, lazily, used):
    counts, grabbed = {cv2.CAP_FFMPEG: 6, cv2.CAP_OPENCV_MJPEG: lazily}, []
    readers = {
        reader: SimpleNamespace(
            get=lambda key, count=count: count, grab=lambda reader=reader: grabbed.append(reader) or 1
        )
        for reader, count in counts.items()
    }
    monkeypatch.setattr(cv2, "VideoCapture", lambda path, reader: readers[reader])
    (tmp_path / "door.avi").write_bytes(b"of which nothing is read")
    VideoFile(tmp_path / "door.avi")
    assert grabbed == [used]


@pytest.mark.parametrize("video", ["door.avi MJPG"], indirect=True)
def test_a_truncated_video_gives_the_frames_that_are_left(video):
    data = video.read_bytes()
    video.write_bytes(data[:-700])
    with VideoFile(video) as source:
        assert 1 <= len(list(source.frames())) < 6


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.avi: cannot be read \(No such file"):
        open_camera(CameraSettings(source=str(tmp_path / "none.avi")))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        open_camera(CameraSettings(source=str(tmp_path)))


def test_an_absent_camera_is_refused():
    with pytest.raises(CameraError, match="/dev/video987: no such camera"):
        open_camera(CameraSettings(source="v4l2:987"))


def test_a_device_that_is_no_camera_is_refused(tmp_path):
    (tmp_path / "video0").touch()
    with pytest.raises(CameraError, match="not a camera"):
        V4l2Camera(tmp_path / "video0", CameraSettings())
    with pytest.raises(CameraError, match="gives no frames"):
        open_camera(CameraSettings(source="/dev/null"))


def test_a_camera_without_permission_is_refused_with_the_group_to_join(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CameraError, match="no permission; join its group with `sudo usermod -aG video"):
        open_camera(CameraSettings(source="/dev/null"))


@pytest.mark.parametrize("source", ["v4l2:3", "v4l2:/dev/video3", "/dev/video3"])
def test_a_device_is_named_by_number_or_path(source):
    assert str(device_path(source)) == "/dev/video3"


def test_a_v4l2_camera_is_asked_for_the_settings_and_gives_rgb(tmp_path):
    capture = Capture(times=[99.97, 100.0])
    settings = CameraSettings(width=640, height=480, frames_per_second=30)
    with V4l2Camera(camera.Path("/dev/null"), settings, capture, Clock()) as source:
        frame = next(source.frames())
    assert (frame.time, tuple(frame.rgb[0, 0])) == (pytest.approx(99.97), RED)
    asked = capture.settings
    assert (asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT]) == (640, 480)
    assert (asked[cv2.CAP_PROP_FPS], asked[cv2.CAP_PROP_BUFFERSIZE]) == (30, 1)
    assert capture.backend == cv2.CAP_V4L2 and capture.released


def test_a_frame_that_waited_in_the_buffer_is_passed_over():
    capture = Capture(times=[99.5, 99.99])
    with V4l2Camera(camera.Path("/dev/null"), CameraSettings(), capture, Clock()) as source:
        assert next(source.frames()).time == pytest.approx(99.99)


def test_a_camera_that_stops_is_told():
    capture = Capture(times=[100.0], frames=2)
    with V4l2Camera(camera.Path("/dev/null"), CameraSettings(), capture, Clock()) as source:
        frames = source.frames()
        next(frames)
        with pytest.raises(CameraError, match="stopped giving frames"):
            next(frames)


def test_frames_that_nobody_wants_are_not_decoded(monkeypatch):
    capture, decoded = Capture(times=[100.0, 100.05, 100.1]), []
    monkeypatch.setattr(capture, "retrieve", lambda into, true=capture.retrieve: decoded.append(1) or true(into))
    device, settings = camera.Path("/dev/null"), CameraSettings()
    with V4l2Camera(device, settings, capture, Clock(100.1), lambda time: time > 100.08) as source:
        assert next(source.frames()).time == pytest.approx(100.1)
    assert len(decoded) == 1


@pytest.mark.parametrize("told, taken", [(99.9, 99.9), (0.0, 100.0), (1.7e9, 100.0), (101.0, 100.0), (20.0, 100.0)])
def test_a_drivers_time_counts_only_if_it_is_of_the_same_clock(told, taken):
    assert taken_at(told, now=100.0) == taken


class Pi:
    """Stands in for picamera2.Picamera2, which is on Raspberry Pis only."""

    def __init__(self, number=0, frames=1):
        self.number, self.left, self.log = number, frames, []

    @staticmethod
    def global_camera_info():
        return [{"Id": "/base/usb@1/webcam", "Num": 0}, {"Id": "/base/soc/i2c/imx708", "Num": 1}]

    def create_video_configuration(self, **wanted):
        return wanted

    def configure(self, wanted):
        self.wanted = wanted

    def start(self):
        self.log.append("start")

    def stop(self):
        self.log.append("stop")

    def close(self):
        self.log.append("close")

    def capture_request(self, wait):
        self.left -= 1
        if self.left < 0:
            raise TimeoutError
        return SimpleNamespace(
            make_array=lambda stream: np.full((4, 6, 3), RED[::-1], np.uint8),
            get_metadata=lambda: {"SensorTimestamp": 99_900_000_000},
            release=lambda: self.log.append("release"),
        )


def test_the_pi_camera_gives_rgb_and_tells_when_it_stops():
    device = Pi()
    with Picamera2Camera(device, CameraSettings(), Clock()) as source:
        frames = source.frames()
        frame = next(frames)
        assert (frame.time, tuple(frame.rgb[0, 0])) == (pytest.approx(99.9), RED)
        with pytest.raises(CameraError, match="stopped giving frames"):
            next(frames)
    assert device.log == ["start", "release", "stop", "close"]
    assert device.wanted["main"] == {"size": (1280, 720), "format": "RGB888"}


def test_frames_that_nobody_wants_are_given_back_to_the_pi_camera_at_once():
    device, answers = Pi(frames=3), iter([False, False, True])
    with Picamera2Camera(device, CameraSettings(), Clock(), lambda time: next(answers)) as source:
        assert next(source.frames()).time == pytest.approx(99.9)
    assert device.log.count("release") == 3


def test_auto_takes_the_pi_camera_where_there_is_one(monkeypatch):
    module = ModuleType("picamera2")
    module.Picamera2 = Pi
    monkeypatch.setitem(sys.modules, "picamera2", module)
    with open_camera(CameraSettings()) as source:
        assert isinstance(source, Picamera2Camera)
        assert source._device.number == 1


def test_without_any_camera_auto_tells_what_it_tried(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match=r"no camera found \(picamera2: not installed; .*video\*: none\)"):
        camera._first_camera(CameraSettings(), tmp_path)
    (tmp_path / "video0").touch()
    with pytest.raises(CameraError, match=r"video0: not a camera.*; connect one or set camera\.source"):
        camera._first_camera(CameraSettings(), tmp_path)


def test_a_picamera2_built_for_another_numpy_is_told_and_not_the_end(monkeypatch, tmp_path):
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')")
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CameraError, match=r"picamera2: cannot be loaded \(numpy.dtype size changed\); see `maskgate"):
        open_camera(CameraSettings(source="picamera2"))
