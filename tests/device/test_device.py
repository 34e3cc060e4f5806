"""The real daemon on a virtual arm64 device: the kernel's own GPIO and camera interfaces, simulated hardware behind.

    make test-device

Boots once and takes about two minutes; the first time one more, for the device's root file system. Needs no root, but
qemu-system-arm, cpio and kmod, and fails without them.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import pytest

from edge.demo.scene import SceneCamera
from edge.values import Box

pytestmark = pytest.mark.device

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/device"
CONSOLE = BUILD / "console.log"
BOOT_LIMIT = 420.0
"""Seconds until the device is switched off, done or not."""
FPS = 5.0
LAG = 1.0
"""Seconds in which a lamp must follow its decision, or the loss of its camera."""
DARK = {"green": 0, "red": 0, "door": 0, "yellow": 0}
LIT = {name: 1 for name in DARK}


@pytest.fixture(scope="module")
def scene():
    return SceneCamera(FPS)


@pytest.fixture(scope="module")
def media():
    """The folder of what goes along to the device, empty at first."""
    folder = BUILD / "media"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def pictures(media, scene):
    """A bare face; and visitors at a door, bare and masked, in good light and in bad."""
    from skimage.data import astronaut

    write_picture(media / "face.png", astronaut())
    last = round(max(visit.steps[-1].time for visit in scene.visits) * FPS)
    for number, k in enumerate(range(0, last, last // 8)):
        rgb = scene.frame(k).rgb
        write_picture(media / f"door_{number}.png", rgb if number % 2 else rgb // 3)
    return sorted(media.glob("*.png"))


@pytest.fixture(scope="module")
def films(media, scene):
    """A visitor who comes bare, puts a mask on and leaves; and the same one standing there masked."""
    visitor, *_ = scene.visits
    leaving, gone = (step.time for step in visitor.steps[-2:])
    write_film(media / "visit.avi", frames(scene, 0.0, gone + LAG))
    masked = frames(scene, visitor.masked_from + 0.6, leaving - 0.4)
    write_film(media / "masked.avi", (masked + masked[::-1]) * 5)


@pytest.fixture(scope="module")
def device(films, pictures):
    """Boots the device; gives a function from a check's name to what was seen."""
    build = [ROOT / "tests/device/build.sh"]
    built = subprocess.run(build, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHON": sys.executable})
    if built.returncode:
        pytest.fail(f"build.sh: {built.stderr.strip().splitlines()[-1]}", pytrace=False)
    boot()
    lines = re.findall(r"^CHECK (\{.*\})$", CONSOLE.read_text(errors="replace"), re.MULTILINE)
    seen = {facts["name"]: facts for facts in map(json.loads, lines)}

    def check(name):
        facts = seen.get(name, {"error": f"the device did not come as far as {name}; see {CONSOLE.relative_to(ROOT)}"})
        if "error" in facts:
            pytest.fail(facts["error"], pytrace=False)
        return facts

    return check


def boot():
    """Until the device switches itself off; leaves what it said on its serial console."""
    command = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "1", "-m", "1536"]
    command += ["-nographic", "-no-reboot", "-nic", "none"]
    # a nanosecond an instruction, and none for waiting: its clock goes by its work, however busy the workstation is
    command += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    command += ["-kernel", BUILD / "vmlinuz", "-initrd", BUILD / "initramfs.cpio"]
    command += ["-append", "console=ttyAMA0 rdinit=/opt/door/init panic=-1 loglevel=3"]
    with CONSOLE.open("wb") as console:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=BOOT_LIMIT)
        except subprocess.TimeoutExpired:
            console.write(f"\nswitched off after {BOOT_LIMIT:g} s".encode())


def frames(scene, start, end):
    return [scene.frame(k).rgb for k in range(round(start * FPS), round(end * FPS))]


def write_picture(file, rgb):
    assert cv2.imwrite(str(file), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def write_film(file, pictures):
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    for rgb in pictures:
        writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    writer.release()


def spans(facts, wanted):
    """From when to when the daemon said that it was in this state."""
    moments = [(moment, state) for moment, state, _ in facts["events"]] + [(facts["ended"], None)]
    return [(start, end) for (start, state), (end, _) in pairwise(moments) if state == wanted]


def held(facts):
    """What the lamps saw from the moment on when the daemon had all its lines."""
    begin = max(next(moment for moment, name, _ in facts["driven"] if name == line) for line in DARK)
    return [(moment, levels) for moment, levels in facts["levels"] if moment > begin]


def lit(facts, name):
    """From when to when a lamp was on."""
    moments = [(moment, levels[name]) for moment, levels in held(facts)] + [(facts["ended"], 0)]
    changes = [moments[0], *(here for before, here in pairwise(moments) if here[1] != before[1])]
    return [(on, off) for (on, level), (off, _) in pairwise(changes) if level]


def last_driven(facts):
    return {name: level for _, name, level in facts["driven"]}


def box_of(row):
    return Box(*(float(row[edge]) for edge in Box._fields))


def has_order(states, wanted):
    """Whether `wanted` comes within `states`, in that order."""
    left = iter(states)
    return all(state in left for state in wanted)


def test_the_package_runs_on_an_arm64_device(device):
    assert device("machine")["machine"] == "aarch64"


def test_pictures_are_judged_as_on_the_workstation(device, pictures, tmp_path):
    table = tmp_path / "faces.csv"
    command = [sys.executable, "-m", "edge", "detect", *map(str, pictures), "--csv", str(table)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    here, there = (list(csv.DictReader(text.splitlines())) for text in (table.read_text(), device("pictures")["csv"]))
    assert [(row["image"], row["label"]) for row in there] == [(row["image"], row["label"]) for row in here]
    assert {"with_mask", "without_mask"} <= {row["label"] for row in here}
    for ours, theirs in zip(here, there, strict=True):
        assert float(theirs["score"]) == pytest.approx(float(ours["score"]), abs=0.02)
        # the processors round differently, and one step of the locator's eight bits is some 6 % of a face's size
        assert box_of(ours).iou(box_of(theirs)) >= 0.9


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("missing_chip", 'no GPIO chip with the label "pinctrl-rp1"'),
        ("no_permission", "no permission for /dev/gpiochip"),
        ("busy_line", 'is in use by "gpioset"'),
    ],
)
def test_lines_that_cannot_be_had_end_in_one_line_and_switch_nothing_on(device, check, message):
    facts = device(check)
    (line,) = facts["stderr"].splitlines()
    assert (facts["code"], line[:24]) == (2, "maskgate: error: output.")
    assert message in line
    assert facts["driven"] == []
    assert [levels for _, levels in facts["levels"]] == [DARK]


def test_a_visit_is_decided_by_the_models(device):
    facts = device("visit")
    states = [state for _, state, _ in facts["events"]]
    assert has_order(states, ["IDLE", "DENY", "ALLOW", "IDLE"])
    assert "FAULT" not in states
    assert (facts["code"], facts["stderr"]) == (0, "")


def test_all_lines_are_low_until_the_first_decision(device):
    facts = device("visit")
    begin, levels = held(facts)[0]
    assert (levels, begin < facts["events"][0][0]) == (DARK, True)


def test_red_is_on_while_a_face_is_bare(device):
    facts = device("visit")
    bare = [(start, end) for start, end in spans(facts, "DENY") if end - start > LAG]
    assert bare
    for start, end in bare:
        assert any(on < start + LAG and off >= end for on, off in lit(facts, "red"))


@pytest.mark.parametrize("name", ["green", "door"])
def test_green_and_the_door_are_on_during_allow_only(device, name):
    facts = device("visit")
    assert lit(facts, name)
    for on, off in lit(facts, name):
        assert any(start < on < start + LAG and off < end + LAG for start, end in spans(facts, "ALLOW"))


def test_green_and_red_are_never_on_together(device):
    levels = dict(DARK)
    for _, name, level in device("visit")["driven"]:
        levels[name] = level
        assert not (levels["green"] and levels["red"])


def test_every_line_is_low_when_the_film_has_ended(device):
    assert last_driven(device("visit")) == DARK


def test_a_signal_that_comes_while_the_door_is_released_has_every_line_driven_low_before_the_end(device):
    facts = device("SIGTERM")
    assert facts["during"] == {"green": 1, "red": 0, "door": 1, "yellow": 0}
    assert (facts["code"], facts["stderr"]) == (0, "")
    assert last_driven(facts) == DARK
    # released lines go to where their resistors pull: up, so that this alone would not have made them low
    assert facts["after"] == LIT


def test_active_low_lines_idle_high_and_are_high_again_before_the_daemon_ends(device):
    facts = device("SIGINT")
    assert {(name, level) for _, name, level in facts["driven"][: len(LIT)]} == set(LIT.items())
    assert facts["during"] == {"green": 0, "red": 1, "door": 0, "yellow": 1}
    assert (facts["code"], facts["stderr"]) == (0, "")
    assert last_driven(facts) == LIT
    assert facts["after"] == DARK


def test_the_kernel_leaves_the_lines_of_a_killed_daemon_to_their_resistors(device):
    facts = device("SIGKILL")
    assert facts["code"] == -9
    assert last_driven(facts) == {"green": 1, "red": 0, "door": 1, "yellow": 0}
    assert facts["after"] == LIT


def test_a_camera_gives_frames_and_nobody_is_in_them(device):
    facts = device("camera_unplugged")
    first, *_ = facts["events"]
    assert first[1] == "IDLE"
    assert not any(first[0] < moment < facts["unplugged"] for moment, _, _ in facts["events"])


def test_an_unplugged_camera_is_a_fault_within_a_second(device):
    facts = device("camera_unplugged")
    moment, reason = next((moment, reason) for moment, state, reason in facts["events"] if state == "FAULT")
    assert facts["unplugged"] < moment < facts["unplugged"] + LAG
    assert "camera" in reason
    assert facts["during"] == DARK | {"red": 1}


def test_a_camera_that_is_plugged_in_again_is_used_again(device):
    facts = device("camera_unplugged")
    assert any(moment > facts["plugged"] and state == "IDLE" for moment, state, _ in facts["events"])


def test_a_signal_that_comes_while_a_frame_is_waited_for_is_no_fault(device):
    facts = device("camera_unplugged")
    assert not any(moment > facts["signalled"] for moment, _, _ in facts["events"])
    assert facts["ended"] - facts["signalled"] < LAG
    assert (facts["code"], facts["stderr"], last_driven(facts)) == (0, "", DARK)
