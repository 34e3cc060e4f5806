"""Every fault is injected while the door is released: within a second it is not, and the state says why.

The daemon's loop, its threads, the guard's process, its pipes and the event log are real; camera, models and lines are
made up. On a virtual device with the kernel's own lines and camera: tests/device.
"""

import os
import resource
import signal
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.contract import load_bundle
from edge.door import Unchanged
from edge.errors import CameraError
from edge.interpreter import Network
from edge.judge import Judge
from tests.edge.rig import EMPTY, GRACE, GREEN, LIMIT, RED, ColourJudge, Pictures, Rig

RECOVERY = 5.0


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory):
    with Rig(tmp_path_factory.mktemp("rig")) as rig:
        yield rig.allowed()


@pytest.fixture
def rig(shared_rig):
    """A daemon that has gone through the tests before, and released the door again."""
    return shared_rig.allowed()


def faulty(rig, reason):
    """Waits until the lines are safe, and then until the state says why."""
    rig.wait(rig.is_safe, LIMIT + GRACE)
    rig.wait(lambda: rig.state == "FAULT" and reason in rig.reason, LIMIT)


def recovers(rig):
    rig.wait(lambda: rig.state == "ALLOW" and not rig.is_safe(), RECOVERY)


# --- the camera


def test_a_camera_that_is_unplugged_and_plugged_in_again(rig):
    rig.camera.error = CameraError("camera 7: gone")
    faulty(rig, "camera 7: gone")
    rig.camera.error = None
    recovers(rig)


def test_a_read_that_hangs_and_goes_on(rig):
    opened, rig.camera.hanging = rig.camera.opened, True
    faulty(rig, "the camera has given no frame for 0.5 s")
    rig.camera.hanging = False
    recovers(rig)
    assert rig.camera.opened == opened


def always(rgb):
    return lambda frame: replace(frame, rgb=rgb.copy())


def changed(how):
    return lambda frame: replace(frame, rgb=how(frame.rgb))


BROKEN = {
    "frozen": (always(Pictures()(GREEN)), "repeats"),
    "black": (changed(lambda rgb: (rgb * 0.02).astype(np.uint8)), "black"),
    "white": (changed(lambda rgb: rgb | np.uint8(0xFC)), "white"),
    "covered": (changed(lambda rgb: np.random.default_rng().normal(90, 3, rgb.shape).astype(np.uint8)), "cover"),
    "another size": (changed(lambda rgb: np.ascontiguousarray(rgb[:48, :64])), "64x48"),
    "late": (lambda frame: replace(frame, time=frame.time - 0.6), "s old"),
    "a damaged JPEG each time": (lambda frame: None, "has given no frame"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_picture_that_is_none(rig, kind):
    change, reason = BROKEN[kind]
    whole, rig.camera.change = rig.camera.change, change
    faulty(rig, reason)
    rig.camera.change = whole
    recovers(rig)


def test_nobody_is_allowed_by_a_camera_that_froze_while_they_were_checked(rig):
    rig.camera.colour = EMPTY
    rig.wait(lambda: rig.state == "IDLE", LIMIT)
    whole, rig.camera.colour = rig.camera.change, GREEN
    rig.wait(lambda: rig.state == "CHECKING", LIMIT)
    rig.camera.change, seen = always(Pictures()(GREEN)), len(rig.decisions)
    rig.wait(lambda: rig.state == "FAULT", LIMIT)
    assert "ALLOW" not in {str(decision.state) for _, decision in rig.decisions[seen + 2 :]}
    rig.camera.change = whole
    recovers(rig)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 2), "focus"),
        (lambda rgb: np.ascontiguousarray(np.roll(rgb, (12, 40), axis=(0, 1))[::-1]), "view"),
    ],
    ids=["out of focus", "another view"],
)
def test_a_camera_that_was_touched(rig, how, reason):
    time.sleep(max(0.0, rig.started + 4.0 - time.monotonic()))  # until it knows its view
    whole, rig.camera.change = rig.camera.change, changed(how)
    faulty(rig, reason)
    rig.camera.change = whole
    recovers(rig)


# --- the models


class Broken(ColourJudge):
    """A judge that does as `fault` says once that is set."""

    fault = None

    def judge(self, rgb):
        if self.fault is not None:
            self.fault()
        return super().judge(rgb)


def raising(error):
    def fault():
        raise error

    return fault


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (raising(RuntimeError("interpreter: out of order")), "RuntimeError: interpreter: out of order"),
        (raising(MemoryError("cannot allocate 8 MB")), "MemoryError: cannot allocate 8 MB"),
        (lambda: time.sleep(0.7), "s old when it was judged"),
    ],
    ids=["an interpreter that raises", "no memory", "too slow"],
)
def test_a_judge_that_cannot(tmp_path, fault, reason):
    judge = Broken()
    with Rig(tmp_path, judge) as rig:
        rig.allowed()
        judge.fault = fault
        faulty(rig, reason)
        judge.fault = None
        recovers(rig)


def test_a_judge_that_hangs_is_safe_all_the_same(tmp_path):
    judge = Broken()
    with Rig(tmp_path, judge) as rig:
        rig.allowed()
        hanging = [True]
        judge.fault = lambda: [time.sleep(0.01) for _ in iter(lambda: bool(hanging), False)]
        rig.wait(rig.is_safe, LIMIT + GRACE)
        assert rig.levels()["red"]
        hanging.clear()
        judge.fault = None
        rig.wait(lambda: any(state == "FAULT" for state, _ in rig.logged()), LIMIT)
        recovers(rig)


class Interpreter:
    """Stands between a network and its runtime. answer: what it then gives instead of the true answer."""

    def __init__(self, real):
        self._real, self.answer = real, None

    def get_tensor(self, index):
        true = self._real.get_tensor(index)
        return true if self.answer is None else np.full_like(true, self.answer)

    def __getattr__(self, name):
        return getattr(self._real, name)


@pytest.mark.parametrize("part", ["locator", "classifier"])
def test_a_network_that_answers_the_same_whatever_it_sees(part):
    bundle = load_bundle()
    contract = getattr(bundle.contract, part)
    outputs = [contract.scores, contract.boxes] if part == "locator" else [contract.logits]
    network = Network(getattr(bundle, f"{part}_file"), contract.input, outputs)
    network._interpreter = Interpreter(network._interpreter)
    chance = np.random.default_rng(0)

    def invoke(count):
        for _ in range(count):
            network.invoke(chance.integers(0, 256, contract.input.shape[1:], np.uint8))

    invoke(20)
    still = np.full(contract.input.shape[1:], 90, np.uint8)
    for _ in range(20):
        network.invoke(still)
    network._interpreter.answer = 3
    invoke(1)  # the first of its equal answers cannot be told
    for _ in range(12):
        with pytest.raises(ArithmeticError, match="gives the same answer whatever it sees"):
            invoke(1)
    network._interpreter.answer = None
    invoke(20)


@pytest.mark.parametrize("part", ["_locator", "_classifier"])
def test_a_network_that_gives_no_numbers(part):
    judge = Judge.from_bundle(load_bundle())
    stage = getattr(judge, part)
    true = stage._network.invoke

    class Model:
        def invoke(self, rgb):
            return [np.full_like(each, np.nan) for each in true(rgb)]

    stage._network = Model()
    skimage_data = pytest.importorskip("skimage.data")
    with pytest.raises(ArithmeticError, match="gives what is no number"):
        judge.judge(skimage_data.astronaut())


def test_a_model_that_is_replaced_on_disk(tmp_path):
    model = tmp_path / "classifier.tflite"
    model.write_bytes(b"one")
    with Rig(tmp_path, checks=[Unchanged([model])]) as rig:
        rig.allowed()
        model.with_suffix(".new").write_bytes(b"two")
        model.with_suffix(".new").rename(model)
        faulty(rig, "classifier.tflite was changed on disk")


# --- the clock, the disk and the observers


def test_a_wall_clock_that_jumps_changes_nothing(rig, monkeypatch):
    seen = len(rig.decisions)
    for jump in (-1e9, 1e9):
        monkeypatch.setattr(time, "time", lambda jump=jump: jump)
        time.sleep(0.4)
    assert {str(decision.state) for _, decision in rig.decisions[seen:]} == {"ALLOW"}


def test_a_full_disk(tmp_path):
    with Rig(tmp_path) as rig:
        rig.allowed().wait(lambda: rig.logged()[-1][0] == "ALLOW", 1.0)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (rig.events_file.stat().st_size, most))
        try:
            rig.camera.colour = RED  # a change of state, which has to be written
            faulty(rig, "cannot be written (File too large)")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            signal.signal(signal.SIGXFSZ, ignored)
        rig.camera.colour = GREEN
        recovers(rig)
        assert "DENY" in [state for state, _ in rig.logged()]


def test_a_log_folder_that_is_gone(tmp_path):
    with Rig(tmp_path) as rig:
        rig.allowed()
        (tmp_path / "events.jsonl").rename(tmp_path / "taken away")
        (tmp_path / "events.jsonl").mkdir()
        rig.camera.colour = RED
        faulty(rig, "cannot be written")


class Hangs:
    """An observer that hangs at its third decision, as one may that waits for a broker."""

    def __init__(self):
        self.told = 0

    def __call__(self, decision, frame):
        self.told += 1
        if self.told == 3:
            time.sleep(1.5)


class Throws:
    def __call__(self, decision, frame):
        raise ConnectionError("no broker")


@pytest.mark.parametrize("observer", [Hangs, Throws])
def test_an_observer_that_hangs_or_throws_delays_and_changes_nothing(tmp_path, observer, capsys):
    with Rig(tmp_path, observers=[observer()]) as rig:
        rig.allowed()
        moments = [moment for moment, _ in rig.decisions]
        assert max(np.diff(moments)) < 1.0
        rig.camera.colour = RED
        rig.wait(lambda: rig.state == "DENY" and rig.is_safe(), LIMIT)


# --- the lines


def test_lines_that_cannot_be_driven_or_read_back_wrong(rig):
    """How the guard finds them: test_guard.py; here, that its word is taken for it."""
    true, rig.outputs._listen = rig.outputs._listen, lambda: None
    rig.outputs._fault = 'line 17 ("green") was driven active and reads back inactive'
    rig.outputs._unanswered = None
    rig.wait(lambda: rig.state == "FAULT" and "reads back inactive" in rig.reason, LIMIT)
    rig.outputs._listen = true
    recovers(rig)


def test_a_guard_that_is_stopped_is_a_fault_and_one_that_is_killed_ends_the_run(tmp_path):
    with Rig(tmp_path) as rig:
        rig.allowed()
        os.kill(rig.outputs.guard, signal.SIGSTOP)
        rig.wait(lambda: rig.state == "FAULT" and "does not answer" in rig.reason, LIMIT)
        os.kill(rig.outputs.guard, signal.SIGKILL)
        rig.wait(lambda: rig.failure is not None, LIMIT)
        assert "the guard of the output lines has ended" in str(rig.failure)
        assert rig.state == "FAULT"
