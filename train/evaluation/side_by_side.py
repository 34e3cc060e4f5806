"""Our way of a frame beside others, pair by pair: python -m train.evaluation.side_by_side [--aizoo FILE] [--yunet FILE]

Each takes the same pictures, 640x480 with one near face, its capture excluded, on one core. Ours is the daemon's whole
frame, from the picture to the word to the lamp. The others:

    seed CNN, MobileNetV2 by Keras  as most projects of this kind do it: cut the face out, resize it to 224x224,
                                    model.predict; where the face is they are told, though finding it takes time
    seed CNN in TFLite, float       the same without Keras
    ours, float                     the same two networks in float, in the same runtime; needs those of build/train
    AIZOO                           the public detector of masked and bare faces, whole call: --aizoo aizoo_260.tflite
    YuNet by OpenCV                 finds faces at 640x480 and judges nothing: --yunet yunet.onnx

Weights are random where only time counts. What is compared is processor time of all threads, which is the time on an
idle core, whatever else the machine does. Ratio: the median over the pairs, with that median's interval (bootstrap).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from edge.bench.measure import WARM_UP, camera_before, doorway, shipped
from edge.bench.scene import JpegCamera
from edge.bench.tables import head, row
from edge.classify import MaskClassifier
from edge.contract import Bundle, load_bundle
from edge.errors import MaskgateError
from edge.judge import Judge
from edge.locate import FaceLocator
from edge.quiet import quiet
from edge.values import Box, Frame, Rgb
from train.evaluation.peers import Aizoo, Lite, OneFace, YuNet, as_float_lite, keras_network
from train.evaluation.speed import compared

SIZE = (640, 480)
PAIRS = 60
TRAINED = Path("build/train")

Way = Callable[[Rgb], object]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write it as JSON; the exit code: 0, or 2 for bad input."""
    arguments = _parser().parse_args(argv)
    try:
        found = side_by_side(load_bundle(), arguments.aizoo, arguments.yunet, arguments.trained, arguments.pairs)
    except MaskgateError as error:
        print(f"maskgate: error: {error}", file=sys.stderr)
        return 2
    print("\n".join(table(found)))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def side_by_side(
    bundle: Bundle, aizoo: Path | None, yunet: Path | None, trained: Path = TRAINED, pairs: int = PAIRS
) -> dict[str, Any]:
    """Of each other way by its name: its time over ours, see `speed.compared`. Raises MaskgateError."""
    one_core()
    camera = camera_before(SIZE, 1)
    with ExitStack() as stack:
        ours = stack.enter_context(shipped(bundle, camera))
        ways = dict(other_ways(bundle, aizoo, yunet))
        found = {name: compared(times(camera, ours, without_time(way), pairs)) for name, way in ways.items()}
        if judge := float_judge(bundle, trained):
            in_float = stack.enter_context(doorway(judge, camera))
            found["ours, float"] = compared(times(camera, ours, in_float, pairs))
    return found


def one_core() -> None:
    """TensorFlow shall use one thread, as all others do."""
    with quiet():  # it tells what it finds and misses
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def other_ways(bundle: Bundle, aizoo: Path | None, yunet: Path | None) -> Iterator[tuple[str, Way]]:
    """Each with its name. Raises InputError for a file that is no network."""
    face = face_of(bundle)
    if aizoo:
        yield "AIZOO, TFLite float, whole call", Aizoo(aizoo)
    yield from (keras := dict(keras_ways(face))).items()
    if yunet:
        finds, judges = YuNet(yunet, SIZE), keras["MobileNetV2, Keras predict"]
        yield "YuNet, OpenCV, finds only", finds
        yield "YuNet, OpenCV, then MobileNetV2, Keras predict", lambda rgb: (finds(rgb), judges(rgb))


def keras_ways(face: Box) -> Iterator[tuple[str, Way]]:
    """What judges this face, by Keras or made by it; each with its name."""
    for arch, name in (("seed", "seed CNN"), ("mobilenet_v2_1.0", "MobileNetV2")):
        network = keras_network(arch)
        yield f"{name}, Keras predict", OneFace(lambda pixels, it=network: it.predict(pixels, verbose=0), face)
    yield "seed CNN, TFLite float", OneFace(Lite(as_float_lite(keras_network("seed"))).run, face)


def face_of(bundle: Bundle) -> Box:
    """Where the scene's face is, as we find it."""
    return Judge.from_bundle(bundle).judge(camera_before(SIZE, 1).frame().rgb)[0].box


def float_judge(bundle: Bundle, trained: Path) -> Judge | None:
    """Our judge with float networks, from the trained Keras models; None where there are none."""
    find, tell = bundle.contract.locator, bundle.contract.classifier
    files = trained / "locator.keras", trained / "classifier.keras"
    if not all(file.is_file() for file in files):
        return None
    import keras

    locator, classifier = (Lite(as_float_lite(keras.models.load_model(file, compile=False))) for file in files)
    return Judge(FaceLocator(locator, find), MaskClassifier(classifier, tell), tell)


def without_time(way: Way) -> Callable[[Frame], object]:
    return lambda frame: way(frame.rgb)


def times(camera: JpegCamera, ours: Callable[[Frame], object], other: Callable[[Frame], object], pairs: int) -> Any:
    """Processor seconds of ours and of the other on the same frames, in turn: float64 (pairs, 2)."""
    for _ in range(WARM_UP):
        ours(frame := camera.frame())
    for _ in range(3):
        other(frame)
    frames = (camera.frame() for _ in range(pairs))
    return np.array([(_seconds(ours, frame), _seconds(other, frame)) for frame in frames])


def _seconds(way: Callable[[Frame], object], frame: Frame) -> float:
    began = time.process_time()
    way(frame)
    return time.process_time() - began


def table(found: dict[str, Any]) -> Iterator[str]:
    """The slowest first."""
    yield from head("way", "ms", "ours ms", "times as long as ours", "95 % interval")
    for name, each in sorted(found.items(), key=lambda item: -item[1]["ratio"]["value"]):
        ratio = each["ratio"]
        span = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
        yield row(name, f"{each['peer_ms']:.2f}", f"{each['ours_ms']:.2f}", f"{ratio['value']:.2f}", span)


def _parser() -> argparse.ArgumentParser:
    about = "Our way of a frame beside others, pair by pair."
    parser = argparse.ArgumentParser(prog="python -m train.evaluation.side_by_side", description=about)
    parser.add_argument("--aizoo", type=Path, metavar="FILE", help="AIZOO's network, .tflite")
    parser.add_argument("--yunet", type=Path, metavar="FILE", help="the public YuNet, .onnx")
    parser.add_argument("--trained", type=Path, default=TRAINED, metavar="DIR", help="locator.keras, classifier.keras")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--out", type=Path, default=Path("build/bench/peers.json"), metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
