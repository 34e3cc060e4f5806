import gc
import threading
import time
import weakref

import numpy as np
import pytest

from edge.capture import Capture
from edge.errors import CameraError
from edge.values import Frame

PATIENCE = 0.1


def frame(number):
    return Frame(np.zeros((2, 2, 3), np.uint8), float(number))


class Camera:
    """Gives what `frames` yields; tells whether it was closed, and in which thread."""

    def __init__(self, frames):
        self._frames, self.closed = frames, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = threading.current_thread().name

    def frames(self):
        return self._frames


def test_frames_come_in_order_until_the_cameras_end():
    def slow():
        for number in range(5):
            time.sleep(0.02)
            yield frame(number)

    camera = Camera(slow())
    with Capture(lambda: camera, 1.0) as capture:
        assert [each.time for each in capture.frames()] == [0, 1, 2, 3, 4]
    assert camera.closed == "capture"


def test_the_newest_frame_wins():
    made = threading.Event()

    def fast():
        for number in range(100):
            yield frame(number)
        made.set()
        yield from iter(lambda: time.sleep(0.5) or frame(100), None)

    with Capture(lambda: Camera(fast()), 1.0) as capture:
        made.wait(5)
        assert next(capture.frames()).time == 99


def test_a_camera_that_hangs_is_told_every_time_and_goes_on_when_it_does():
    going_on = threading.Event()

    def hangs():
        yield frame(0)
        going_on.wait(10)
        yield frame(1)

    with Capture(lambda: Camera(hangs()), PATIENCE) as capture:
        frames = capture.frames()
        assert next(frames).time == 0
        start = time.monotonic()
        assert [next(frames), next(frames)] == [None, None]
        assert 2 * PATIENCE <= time.monotonic() - start < 4 * PATIENCE
        going_on.set()
        assert next(frames).time == 1


def test_what_the_camera_raises_is_raised_here_once_its_last_frame_was_given():
    def breaks():
        yield frame(0)
        raise CameraError("camera 7: gone")

    with Capture(lambda: Camera(breaks()), 1.0) as capture:
        frames = capture.frames()
        assert next(frames).time == 0
        with pytest.raises(CameraError, match="camera 7: gone"):
            next(frames)


def test_a_camera_that_broke_leaves_no_frame_in_memory():
    pictures = []

    def breaks():
        one = frame(0)
        pictures.append(weakref.ref(one.rgb))
        yield one
        raise CameraError("camera 7: gone")

    gc.disable()
    try:
        for _ in range(3):
            try:
                with Capture(lambda: Camera(breaks()), 1.0) as capture:
                    for _ in capture.frames():
                        pass
            except CameraError:
                pass
        del capture, _
        assert [picture() is None for picture in pictures] == [True, True, True]
    finally:
        gc.enable()


def test_a_camera_that_cannot_be_opened_is_an_error_here():
    def absent():
        raise CameraError("camera 7: absent")

    with Capture(absent, 1.0) as capture, pytest.raises(CameraError, match="absent"):
        next(capture.frames())


def test_leaving_does_not_wait_for_a_camera_that_hangs():
    released = threading.Event()
    camera = Camera(iter(lambda: released.wait(10) and frame(0), None))
    start = time.monotonic()
    with Capture(lambda: camera, PATIENCE) as capture:
        assert next(capture.frames()) is None
    assert time.monotonic() - start < 5 * PATIENCE
    assert camera.closed is None
    released.set()
    capture._thread.join(5)
    assert camera.closed == "capture"
