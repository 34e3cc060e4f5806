"""The same program on tflite-runtime 2.14 with numpy 1, which is all that 32-bit boards have: needs the network once.

    python -m pytest tests/edge/test_old_runtime.py -m slow

Its virtual environment stays in build/old-runtime.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge.demo.scene import SceneCamera
from edge.values import Box

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/old-runtime"
PYTHON = FOLDER / "bin/python"
WANTED = "cryptography gpiod msgspec numpy==1.26.4 opencv-python-headless==4.11.0.86 tflite-runtime==2.14.0"
FPS = 5.0


@pytest.fixture(scope="module")
def old():
    """Runs `maskgate` in the old environment, or here."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("tflite-runtime 2.14 is there for Python 3.11 at most")
    made = FOLDER / "made"
    if not made.exists() or made.read_text() != WANTED:
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *WANTED.split()], check=True)
        made.write_text(WANTED)
    return PYTHON


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A portrait, and people at a door."""
    folder = tmp_path_factory.mktemp("pictures")
    portrait = pytest.importorskip("skimage.data").astronaut()
    scene = SceneCamera(FPS)
    last = round(max(visit.steps[-1].time for visit in scene.visits) * FPS)
    for number, rgb in enumerate([portrait, *(scene.frame(k).rgb for k in range(0, last, last // 12))]):
        assert cv2.imwrite(str(folder / f"{number:02}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return folder


def film(file, seconds):
    """A visitor who comes bare and puts a mask on."""
    scene = SceneCamera(FPS)
    frames = [scene.frame(k).rgb for k in range(round(seconds * FPS))]
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    for rgb in frames:
        writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    writer.release()
    return file


def maskgate(python, *arguments, code="from edge.__main__ import main; sys.exit(main())"):
    command = [python, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=os.environ | {"PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_old_runtime_that_runs(old):
    code = "import numpy, edge.interpreter as ours; print(ours.Interpreter.__module__, numpy.__version__)"
    assert maskgate(old, code=code) == "tflite_runtime.interpreter 1.26.4\n"


def test_pictures_are_judged_alike(old, pictures, tmp_path):
    tables = []
    for python in (sys.executable, old):
        file = tmp_path / "faces.csv"
        maskgate(python, "detect", pictures, "--csv", file)
        tables.append(
            sorted(csv.DictReader(file.read_text().splitlines()), key=lambda row: (row["image"], float(row["x_min"])))
        )
    here, there = tables
    assert [(row["image"], row["label"]) for row in there] == [(row["image"], row["label"]) for row in here]
    assert {"with_mask", "without_mask"} <= {row["label"] for row in here}
    for ours, theirs in zip(here, there, strict=True):
        assert float(theirs["score"]) == pytest.approx(float(ours["score"]), abs=0.05)
        boxes = [Box(*(float(row[edge]) for edge in Box._fields)) for row in (ours, theirs)]
        assert boxes[0].iou(boxes[1]) >= 0.85


def test_a_visit_is_decided_alike(old, tmp_path):
    video, events = film(tmp_path / "door.avi", 14.0), tmp_path / "events.jsonl"
    states = []
    for python in (sys.executable, old):
        maskgate(python, "replay", video, "--events", events)
        states.append([json.loads(line)["state"] for line in events.read_text().splitlines()])
    assert states[0] == states[1]
    assert {"IDLE", "DENY", "ALLOW"} <= set(states[0])


@pytest.mark.alone
def test_the_daemon_judges_and_leaves_its_lines_safe(old, tmp_path):
    settings, lines = tmp_path / "door.toml", tmp_path / "outputs.jsonl"
    video = film(tmp_path / "door.avi", 2.0)
    # the old runtime is slow on a PC, and must not be late for this
    settings.write_text(f'camera.source = "{video}"\noutput.file = "{lines}"\ndecision.frame_age_limit = 1.0\n')
    assert "IDLE" in maskgate(old, "run", "--config", settings)
    changes = [json.loads(line) for line in lines.read_text().splitlines()]
    assert changes and not any({change["line"]: change["active"] for change in changes}.values())


def test_the_bundle_passes_its_own_test(old):
    code = "from edge.contract import load_bundle; from edge.selftest import self_test; self_test(load_bundle())"
    assert maskgate(old, code=code) == ""


def test_a_stick_without_its_library_is_done_without(old):
    code = (
        "from edge.interpreter import on_delegate\n"
        "try:\n    on_delegate('libedgetpu.so.1')\n"
        "except OSError as error:\n    print(error)"
    )
    assert "libedgetpu.so.1: cannot open shared object file" in maskgate(old, code=f"exec({code!r})")
