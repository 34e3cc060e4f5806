"""Reads a camera in a thread of its own, so that the newest frame wins and one that hangs is noticed.

A driver may hang in C code for as long as it likes: nobody waits for it longer than `patience`, and when it goes on,
so does the door.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Self

from edge.camera import Camera
from edge.values import Frame


class Capture:
    """A camera, read in a thread.

    open_camera: called in the thread, which also closes the camera. patience: seconds without a frame after which that
    is told.
    """

    def __init__(self, open_camera: Callable[[], Camera], patience: float) -> None:
        self._open_camera = open_camera
        self._patience = patience
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._error: Exception | None = None
        self._wanted = True
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """The thread closes the camera once it can; it is waited for as long as for a frame."""
        with self._changed:
            self._wanted = False
        self._thread.join(self._patience)

    def frames(self) -> Iterator[Frame | None]:
        """The newest frame each time, each once; None after every `patience` seconds without one.

        Raises what opening or reading the camera raised.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._ended, self._patience)
                frame, self._newest = self._newest, None
                if frame is None and self._ended:
                    # its traceback holds the thread's last frame, and this capture; it must not hold it in turn
                    error, self._error = self._error, None
                    if error is None:
                        return
                    try:
                        raise error
                    finally:
                        del error
            yield frame

    def _read(self) -> None:
        try:
            with self._open_camera() as camera:
                for frame in camera.frames():
                    with self._changed:
                        self._newest = frame
                        self._changed.notify()
                        if not self._wanted:
                            return
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
