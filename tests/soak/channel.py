"""What stands in for a camera's cable: pictures in memory that two processes share, and a pipe that tells of each."""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import suppress
from typing import Self

import numpy as np

from edge.values import Frame, Rgb

MESSAGE = struct.Struct("dIII")
"""Of a frame: its time in seconds, its slot, height and width."""
SLOTS, SLOT_BYTES = 8, 640 * 480 * 3
NAME_BYTES = 4096
"""At the begin of the memory, for the name of the fault."""


class Channel:
    """One end of it. memory, pipe: file descriptors; the pipe's is that of this end."""

    def __init__(self, memory: int, pipe: int) -> None:
        self._memory = mmap.mmap(memory, NAME_BYTES + SLOTS * SLOT_BYTES)
        self._pipe = pipe
        self._sent = 0

    @classmethod
    def pair(cls) -> tuple[Self, int, int]:
        """The end that sends, and memory and pipe of the other, which a child process may inherit."""
        memory = os.memfd_create("soak")
        os.ftruncate(memory, NAME_BYTES + SLOTS * SLOT_BYTES)
        reads, writes = os.pipe()
        os.set_blocking(writes, False)
        for descriptor in (memory, reads):
            os.set_inheritable(descriptor, True)
        return cls(memory, writes), memory, reads

    @property
    def fault(self) -> str:
        """The name of the fault that the other end shall have now; "" for none."""
        return self._memory[:NAME_BYTES].split(b"\0", 1)[0].decode()

    @fault.setter
    def fault(self, name: str) -> None:
        self._memory[:NAME_BYTES] = name.encode().ljust(NAME_BYTES, b"\0")

    def send(self, rgb: Rgb, time: float) -> None:
        """A picture, uint8 (H, W, 3) of at most 640x480. What is not read in time is lost, as with any camera."""
        slot = self._sent % SLOTS
        self._sent += 1
        begin = NAME_BYTES + slot * SLOT_BYTES
        self._memory[begin : begin + rgb.size] = rgb.tobytes()
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pipe, MESSAGE.pack(time, slot, *rgb.shape[:2]))

    def receive(self) -> Frame | None:
        """Waits for the newest frame; None once the other end is gone."""
        messages = os.read(self._pipe, 4096 * MESSAGE.size)
        if not messages:
            return None
        time, slot, height, width = MESSAGE.unpack(messages[-MESSAGE.size :])
        begin = NAME_BYTES + slot * SLOT_BYTES
        pixels = np.frombuffer(self._memory[begin : begin + height * width * 3], np.uint8)
        return Frame(pixels.reshape(height, width, 3), time)
