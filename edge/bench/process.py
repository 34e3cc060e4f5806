"""The daemon as a process of its own: how long until its first verdict, its memory, and its share of the processor."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2

from edge.bench.scene import PICTURES, RATE, Scene
from edge.errors import InputError

SIZE = (640, 480)
SETTLE_SECONDS = 4.0
"""After the first verdict: until the door has come to its decision, or rests before an empty room."""
PAGE, TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
SETTINGS = """
[camera]
source = "{folder}/scene.avi"
[model]
threads = {threads}
[output]
file = "{folder}/outputs.jsonl"
"""


@dataclass(frozen=True, slots=True)
class Alive:
    """A daemon before a scene at 15 frames a second.

    cold_start: seconds from the process's start to its first verdict on a face. resident: megabytes (10^6 bytes).
    share: of one core, 0 to 1 a core, once the door has settled; decoding the video included, the guard not.
    """

    cold_start: float
    resident: float
    share: float


def live(bundle: Path, faces: int, seconds: float, threads: int = 1) -> Alive:
    """Run `maskgate run` on a video of the scene, and measure its share for so many seconds. Raises InputError."""
    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder, "scene.avi"), faces, seconds + SETTLE_SECONDS + 5)
        Path(folder, "door.toml").write_text(SETTINGS.format(folder=folder, threads=threads), encoding="utf-8")
        began = time.monotonic()
        with daemon(Path(folder, "door.toml"), bundle) as (pid, lines):
            wait_for_verdict(lines)
            cold_start = time.monotonic() - began
            if not seconds:
                return Alive(cold_start, resident_megabytes(pid), 0.0)
            time.sleep(SETTLE_SECONDS)
            began, cpu = time.monotonic(), cpu_seconds(pid)
            time.sleep(seconds)
            share = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
            return Alive(cold_start, resident_megabytes(pid), share)


@contextmanager
def daemon(settings: Path, bundle: Path) -> Iterator[tuple[int, IO[str]]]:
    """A daemon's process id, and what it prints."""
    command = [sys.executable, "-m", "edge", "run", "--config", str(settings), "--bundle", str(bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, process.stdout
        finally:
            process.terminate()
            process.wait()


def wait_for_verdict(lines: IO[str]) -> None:
    """Until a line such as "0.2 s  CHECKING  ..."; on a busy device it may begin with a FAULT."""
    if all("FAULT" in line for line in lines):
        raise InputError("the daemon ended without a verdict; ask `maskgate doctor`")


def write_video(file: Path, faces: int, seconds: float) -> None:
    """The scene as motion JPEG, as a USB camera gives it. Raises InputError."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), RATE, SIZE)
    if not writer.isOpened():
        raise InputError(f"{file}: this OpenCV cannot write videos; install opencv-python-headless")
    scene = Scene(*SIZE, faces)
    pictures = [cv2.cvtColor(scene.picture(index), cv2.COLOR_RGB2BGR) for index in range(PICTURES)]
    for index in range(round(seconds * RATE)):
        writer.write(pictures[index % PICTURES])
    writer.release()


def resident_megabytes(pid: int) -> float:
    """Memory of a process that lies in RAM, shared libraries included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
