"""Where frames come from: the Raspberry Pi's camera, a USB camera, a video file or a folder of pictures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import cv2

from edge.buffers import Buffers
from edge.errors import CameraError, InputError
from edge.picture import check_readable, pictures_of, read_picture, to_rgb
from edge.quiet import quiet
from edge.settings import CameraSettings
from edge.values import Frame

# the user sees our one line, not the libraries' own; they read these at the first capture
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
# else a camera that stops is noticed after 10 s only
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")

FRAME_TIMEOUT = 2.0
"""Seconds without a frame after which a camera counts as stopped."""
LATE = 0.1
"""Seconds by which a frame of a file may come too late in real time before it is dropped."""
CLOCKS_DIFFER = 60.0
"""A driver's time stamp that is further than this many seconds from the monotonic clock is of another clock."""

Stamp = Callable[[float], float | None]
Wants = Callable[[float], bool]
"""Whether a frame taken then, in seconds, is wanted; one that is not is left out before it is decoded."""


class Camera(Protocol):
    """A source of frames; leaving its `with` block frees it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def frames(self) -> Iterator[Frame]:
        """Frames, oldest first, each later than the one before. Raises CameraError or InputError."""
        ...


def every(time: float) -> bool:
    """All frames are wanted."""
    return True


def open_camera(settings: CameraSettings, paced: bool = True, wants: Wants = every) -> Camera:
    """The camera that the settings name, ready to give frames.

    paced: files give their frames in real time, on the clock of `time.monotonic`, as a camera would; else as fast as
    they can, in the file's own time. Raises CameraError or InputError, with what to do about it.
    """
    source = settings.source
    if source == "auto":
        return _first_camera(settings, wants=wants)
    if source == "picamera2":
        return Picamera2Camera(_picamera2(), settings, wants=wants)
    if source.startswith(("v4l2:", "/dev/")):
        return V4l2Camera(device_path(source), settings, wants=wants)
    return open_file(Path(source), paced, wants)


def open_file(path: Path, paced: bool = False, wants: Wants = every) -> VideoFile | PictureFolder:
    """A video file or a folder of pictures as a camera. Raises InputError."""
    stamp = RealTime() if paced else own_time
    return PictureFolder(path, stamp=stamp) if path.is_dir() else VideoFile(path, stamp, wants)


def own_time(seconds: float) -> float | None:
    """Time stamps of a file as they are: seconds since its start."""
    return seconds


class RealTime:
    """Turns the times of a file into real time: waits until a frame is due; None says that it is too late for it."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._start: float | None = None

    def __call__(self, seconds: float) -> float | None:
        now = self._clock()
        if self._start is None:
            self._start = now - seconds
        due = self._start + seconds
        if due > now:
            self._sleep(due - now)
        return due if now - due <= LATE else None


class VideoFile:
    """A video file. `stamp` makes a frame's time of its time in the file; see `own_time` and `RealTime`."""

    def __init__(self, path: Path, stamp: Stamp = own_time, wants: Wants = every) -> None:
        check_readable(path)
        self._stamp, self._wants = stamp, wants
        self._capture = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        buffers, bgr = Buffers(), None  # the latter is written anew each time
        for seconds in self._times():
            moment = self._stamp(seconds)
            if moment is not None and self._wants(moment):
                good, bgr = self._capture.retrieve(bgr)
                if good:
                    yield Frame(to_rgb(bgr, buffers.free(*bgr.shape[:2])), moment)

    def _times(self) -> Iterator[float]:
        """The time of each frame in the file, once it is grabbed; the first was grabbed when the file was opened."""
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        step = 1 / rate if 0 < rate <= 1000 else 0.04
        start, last = self._told(), -step
        while True:
            # some files have no time stamps, or ones that stand still
            told = self._told() - start
            last = told if told > last else last + step
            yield last
            if not self._capture.grab():
                return

    def _told(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)


def _opened(path: Path) -> cv2.VideoCapture:
    """A video file, its first frame grabbed. Of motion JPEG only frames that are wanted are decoded, as of a camera."""
    with quiet():
        # the second decodes no frame before it is asked for, but knows not all kinds of files, nor all of long ones
        capture, lazy = (cv2.VideoCapture(str(path), reader) for reader in (cv2.CAP_FFMPEG, cv2.CAP_OPENCV_MJPEG))
        if lazy.get(cv2.CAP_PROP_FRAME_COUNT) == capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
            capture = lazy
        if not capture.grab():
            capture.release()
            raise InputError(f"{path}: not a video, or one without a whole picture; give an AVI, MP4, MOV or MKV file")
    return capture


class PictureFolder:
    """The pictures of a folder, in the order of their names, `seconds` apart."""

    def __init__(self, folder: Path, seconds: float = 1.0, stamp: Stamp = own_time) -> None:
        self._pictures = pictures_of(folder)
        self._seconds = seconds
        self._stamp = stamp

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def frames(self) -> Iterator[Frame]:
        for number, path in enumerate(self._pictures):
            moment = self._stamp(number * self._seconds)
            if moment is not None:
                yield Frame(read_picture(path), moment)


class V4l2Camera:
    """A camera behind a Video4Linux device such as /dev/video0. Raises CameraError when it gives no frame."""

    def __init__(
        self,
        device: Path,
        settings: CameraSettings,
        capture: Callable[[str, int], Any] = cv2.VideoCapture,
        clock: Callable[[], float] = time.monotonic,
        wants: Wants = every,
    ) -> None:
        _check_device(device)
        self._device = device
        self._clock, self._wants = clock, wants
        self._period = 1 / settings.frames_per_second
        self._capture = capture(str(device), cv2.CAP_V4L2)
        # compressed, as raw frames of this size do not fit through USB 2 at full rate
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        self._capture.set(cv2.CAP_PROP_FPS, settings.frames_per_second)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not self._capture.grab():
            self._capture.release()
            raise CameraError(f"{device}: gives no frames; is it a camera, and does another program use it?")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        buffers, bgr = Buffers(), None  # the latter is written anew each time
        while True:
            moment = self._grab()
            if self._clock() - moment > 2 * self._period:
                # the one buffer was filled while the last frame was being judged: take a fresh one instead
                moment = self._grab()
            if not self._wants(moment):
                continue
            good, bgr = self._capture.retrieve(bgr)
            # a frame damaged on the USB line; the next is soon here
            if good:
                yield Frame(to_rgb(bgr, buffers.free(*bgr.shape[:2])), moment)

    def _grab(self) -> float:
        if not self._capture.grab():
            raise CameraError(f"{self._device}: the camera stopped giving frames; check its cable and power")
        return taken_at(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, self._clock())


class Picamera2Camera:
    """The Raspberry Pi's own camera. device: a `picamera2.Picamera2`."""

    def __init__(
        self,
        device: Any,
        settings: CameraSettings,
        clock: Callable[[], float] = time.monotonic,
        wants: Wants = every,
    ) -> None:
        self._device = device
        self._clock, self._wants = clock, wants
        size = settings.width, settings.height
        controls = {"FrameRate": settings.frames_per_second}
        # without a queue each request is a frame taken after it was asked for
        device.configure(
            device.create_video_configuration(main={"size": size, "format": "RGB888"}, controls=controls, queue=False)
        )
        device.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._device.stop()
        self._device.close()

    def frames(self) -> Iterator[Frame]:
        buffers = Buffers()
        while True:
            try:
                request = self._device.capture_request(wait=FRAME_TIMEOUT)
            except TimeoutError as error:
                raise CameraError("picamera2: the camera stopped giving frames; check its ribbon cable") from error
            try:
                moment = taken_at(request.get_metadata().get("SensorTimestamp", 0) / 1e9, self._clock())
                # "RGB888" is blue, green, red in memory
                bgr = request.make_array("main") if self._wants(moment) else None
            finally:
                request.release()
            if bgr is not None:
                yield Frame(to_rgb(bgr, buffers.free(*bgr.shape[:2])), moment)


def taken_at(told: float, now: float) -> float:
    """When a frame was taken: what the driver tells, if that is of the same clock as `now`; else now. Seconds."""
    return told if 0 < told and 0 <= now - told < CLOCKS_DIFFER else now


def device_path(source: str) -> Path:
    """/dev/video0 of "v4l2:0", "v4l2:/dev/video0" or "/dev/video0"."""
    name = source.removeprefix("v4l2:")
    return Path(f"/dev/video{name}" if name.isdecimal() else name)


def _check_device(device: Path) -> None:
    if not device.exists():
        raise CameraError(f"{device}: no such camera; connect one, or name another in camera.source (see /dev/video*)")
    if not device.is_char_device():
        raise CameraError(f"{device}: not a camera; name one of /dev/video* in camera.source")
    if not os.access(device, os.R_OK | os.W_OK):
        raise CameraError(f"{device}: no permission; join its group with `sudo usermod -aG video $USER`, log in again")


def _first_camera(settings: CameraSettings, folder: Path = Path("/dev"), wants: Wants = every) -> Camera:
    """The Raspberry Pi's camera, else the first Video4Linux device that gives frames."""
    reasons = []
    try:
        return Picamera2Camera(_picamera2(), settings, wants=wants)
    except CameraError as error:
        reasons.append(str(error))
    devices = sorted(folder.glob("video[0-9]*"), key=lambda device: int(device.name[5:]))
    for device in devices:
        try:
            return V4l2Camera(device, settings, wants=wants)
        except CameraError as error:
            reasons.append(str(error))
    if not devices:
        reasons.append(f"{folder}/video*: none")
    raise CameraError(f"no camera found ({'; '.join(reasons)}); connect one or set camera.source")


def _picamera2() -> Any:
    """The first camera on the Raspberry Pi's own connectors, as a `picamera2.Picamera2`. Raises CameraError."""
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CameraError("picamera2: not installed; on a Raspberry Pi `sudo apt install python3-picamera2`") from error
    except ValueError as error:  # its C code was built for another numpy
        raise CameraError(f"picamera2: cannot be loaded ({error}); see `maskgate doctor`") from error
    # USB cameras are listed too
    own = [camera for camera in Picamera2.global_camera_info() if "usb" not in camera["Id"].lower()]
    if not own:
        raise CameraError("picamera2: no camera on the board's connector; check its ribbon cable")
    try:
        return Picamera2(own[0]["Num"])
    except (RuntimeError, IndexError) as error:
        raise CameraError(f"picamera2: the camera cannot be opened ({error}); does another program use it?") from error
