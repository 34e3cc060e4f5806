"""Training by several devices and by several workers, for real: needs the train extra (make test-slow)."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from edge.errors import InputError
from edge.values import LABELS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

WORKER = """
import sys
from pathlib import Path

import keras
import numpy as np

from train import classifier, distribute
from train.options import parse

class Witness(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.note("start")

    def on_train_end(self, logs=None):
        self.note("end")

    def note(self, name):
        np.savez(Path(sys.argv[1]) / name, *self.model.get_weights())

def watched(*arguments):
    fit(*arguments[:-1], [*arguments[-1], Witness()])

import train.fit
fit, train.fit.fit_together = train.fit.fit_together, watched
arguments = parse(sys.argv[3:])
arguments.out.mkdir(parents=True, exist_ok=True)
classifier.train(arguments, Path(sys.argv[2]))
"""

TWO_DEVICES = """
import sys
from pathlib import Path

import tensorflow as tf

from train import classifier, distribute
from train.options import parse

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
of_all = tf.distribute.MirroredStrategy
tf.distribute.MirroredStrategy = lambda: of_all(["CPU:0", "CPU:1"])
arguments = parse(sys.argv[2:])
arguments.out.mkdir(parents=True, exist_ok=True)
classifier.train(arguments, Path(sys.argv[1]))
"""

SEED = ["classifier", "--arch", "seed", "--size", "32", "--epochs", "2", "--steps", "3", "--batch", "8"]


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def weights(folder, name):
    with np.load(folder / f"{name}.npz") as file:
        return [file[key] for key in file.files]


def test_two_workers_train_the_seed_and_end_with_equal_weights(blocks, tmp_path):
    out = tmp_path / "out"
    words = [*SEED, "--data", str(blocks), "--out", str(out), "--distribute", "multiworker"]
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    running = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        environment = os.environ | {
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}}),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        command = [sys.executable, "-c", WORKER, str(folder), str(blocks), *words]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    told = [each.communicate(timeout=500)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], "\n".join(told)

    start, end = ([weights(tmp_path / str(number), name) for number in range(2)] for name in ("start", "end"))
    for ours, theirs in (start, end):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert all((before != after).any() for before, after in zip(start[0], end[0], strict=True))
    assert (out / "classifier.keras").exists() and (out / "classifier.json").exists()
    assert not list((out / "worker-1").rglob("*.keras")) + list((out / "worker-1").rglob("*.h5"))


def test_two_devices_of_one_machine_train_the_seed(blocks, tmp_path):
    words = [*SEED, "--data", str(blocks), "--out", str(tmp_path), "--distribute", "mirrored"]
    command = [sys.executable, "-c", TWO_DEVICES, str(blocks), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    card = json.loads((tmp_path / "classifier.json").read_text())
    assert tuple(card["labels"]) == LABELS[:2] and (tmp_path / "classifier.keras").exists()


@pytest.mark.parametrize(
    "config",
    [
        "",
        "two machines",
        '{"cluster": {"worker": ["one:2222"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["one:2222"], "ps": ["two:2222"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_worker_that_is_not_told_its_place_is_refused(config, monkeypatch):
    from train import distribute

    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputError, match=r"^TF_CONFIG: .*wante?[ds]"):
        distribute.team("multiworker")


def test_one_device_is_a_team_of_its_own():
    from train import distribute

    alone = distribute.team(None)
    assert (alone.chief, alone.batch(48), alone.seed(7), alone.from_chief([3, 2.5])) == (True, 48, 7, [3, 2.5])
