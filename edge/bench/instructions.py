"""How many instructions the processor needs for one frame: a number that no other load moves.

    python -m edge.bench.instructions                  # count; exit code 1 if it grew by more than 5 %
    python -m edge.bench.instructions --keep "why"     # count, and note the new number with its reason

Valgrind's callgrind counts (`apt-get install valgrind`; x86 with AVX2; about two minutes). It is the count of one
frame of 640x480 with one face, from the picture to the word to the guard: Python, numpy, OpenCV and both networks, in
user mode, one thread. Valgrind shows every program the same processor, with AVX2 but without AVX-512, so that the
runtime picks the same kernels on all such machines; other versions of Python or of the libraries give another number.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from edge.errors import InputError

KEPT = Path(__file__).with_name("instructions.json")
GROWTH = 1.05
"""Times the number kept: more needs a note."""
FRAMES = 9
MARK = "getppid"
"""A function of the C library that nobody else calls: callgrind begins a new count at each call."""
CALLGRIND = ("valgrind", "--tool=callgrind", f"--dump-before={MARK}", "--callgrind-out-file=counts")
LIBRARIES = "ai-edge-litert", "numpy", "opencv-python-headless"
MILLION = 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Count and compare, or keep; the exit code: 0, 1 when it grew, 2 when it cannot be counted."""
    parser = argparse.ArgumentParser(
        prog="python -m edge.bench.instructions", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--keep", metavar="WHY", help="note the new number, and why it is another")
    why = parser.parse_args(argv).keep
    try:
        found = count()
    except InputError as error:
        print(f"maskgate: error: {error}", file=sys.stderr)
        return 2
    if why:
        keep(found, why)
    print(verdict(found, kept := last()))
    return 1 if grew(found, kept) else 0


def grew(found: int, kept: int) -> bool:
    return found > GROWTH * kept


def verdict(found: int, kept: int) -> str:
    """In one line, with what to do if it grew."""
    line = f"{found / MILLION:.1f} million instructions a frame, {found / kept - 1:+.1%} against the number kept"
    remedy = 'find out why; where it must be, keep it: python -m edge.bench.instructions --keep "why"'
    return f"{line}; {remedy}" if grew(found, kept) else line


def last(file: Path = KEPT) -> int:
    """The number that was kept last."""
    return int(json.loads(file.read_text())[-1]["instructions"])


def keep(found: int, why: str, file: Path = KEPT) -> None:
    """Add a number to those kept, with its reason and the versions that gave it."""
    notes = json.loads(file.read_text()) if file.exists() else []
    versions = {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
    notes.append({"instructions": found, "why": why, **versions})
    file.write_text(json.dumps(notes, indent=1) + "\n")


def count() -> int:
    """Instructions of a frame, the median of FRAMES. Raises InputError."""
    if shutil.which("valgrind") is None:
        raise InputError("valgrind is not installed; apt-get install valgrind")
    with tempfile.TemporaryDirectory() as folder:
        child = [*CALLGRIND, sys.executable, "-c", f"from {__spec__.name} import frames; frames()"]
        # the order of sets and dictionaries is the same each time
        environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(child, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise InputError(f"valgrind ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        totals = [totals_of(Path(folder, f"counts.{number}")) for number in range(2, 2 * FRAMES + 2, 2)]
    return round(statistics.median(totals))


def totals_of(file: Path) -> int:
    """The instructions of a part, as callgrind wrote them."""
    (total,) = re.findall(r"^totals: (\d+)$", file.read_text(), re.MULTILINE)
    return int(total)


def frames() -> None:
    """What runs under callgrind: a new count begins before and after each frame."""
    from edge.bench.measure import WARM_UP, camera_before, shipped
    from edge.contract import load_bundle

    with shipped(load_bundle(), camera := camera_before((640, 480), 1)) as see:
        for _ in range(WARM_UP):
            see(camera.frame())
        for _ in range(FRAMES):
            frame = camera.frame()
            os.getppid()
            see(frame)
            os.getppid()


if __name__ == "__main__":
    sys.exit(main())
