"""Photos to Keras models: python -m train both|locator|classifier --data DIR. See each module's first lines."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from edge.errors import MaskgateError
from edge.quiet import quiet
from train.canvases import FrameSize, has_scenes

BACKBONES = ("mobilenet_0.25", "mobilenet_0.5", "mobilenet_1.0", "mobilenet_v2_1.0")


def main() -> int:
    arguments = parse()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        _train(arguments)
    except MaskgateError as error:
        print(f"train: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ntrain: interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _train(arguments: argparse.Namespace) -> None:
    from train.datasets import find_data
    from train.weights import find_weights

    data = find_data(arguments.data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "data.txt").write_text(str(data.resolve()))
    for each in _each(arguments, data):
        each.weights = find_weights(each.weights, each.backbone, data)
        with quiet():  # TensorFlow tells what it finds and misses
            module = import_module(f"train.{each.model}")
        module.train(each, data)


def _each(arguments: argparse.Namespace, data: Path) -> Iterator[argparse.Namespace]:
    """The models to train, one after the other; the locator is left out of `both` if the data has no scenes."""
    if arguments.model != "both":
        yield arguments
        return
    from train.datasets import read_pictures

    common = ["--data", str(data), "--out", str(arguments.out), "--seed", str(arguments.seed)]
    if has_scenes(read_pictures(data)):
        yield parse(["locator", *common])
    else:
        print("no scenes with boxes: the classifier is trained alone, the shipped locator stays")
    yield parse(["classifier", *common])


def frame_size(text: str) -> FrameSize:
    """ "320x256" as width and height, multiples of the locator's largest stride."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or any(int(side) == 0 or int(side) % 32 for side in match.groups()):
        raise argparse.ArgumentTypeError(f"{text}: wanted is WIDTHxHEIGHT, both multiples of 32, such as 320x256")
    return FrameSize(*map(int, match.groups()))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train", description="Photos to Keras models, with a report.")
    models = parser.add_subparsers(dest="model", required=True)
    locator = models.add_parser("locator", help="find faces, masked or not")
    locator.add_argument("--backbone", default="yunet", choices=("yunet", *BACKBONES))
    locator.add_argument(
        "--size", default="320x256", type=frame_size, help="width x height the device uses; multiples of 32"
    )
    locator.add_argument(
        "--train-size", default="256x192", type=frame_size, help="width x height of the training samples"
    )
    _tuning(locator, epochs=18, batch=32)
    classifier = models.add_parser("classifier", help="with mask, without mask, worn incorrectly")
    classifier.add_argument("--backbone", default="mobilenet_0.5", choices=BACKBONES)
    classifier.add_argument("--size", type=int, default=128, help="pixels a side of a crop")
    classifier.add_argument("--margin", type=float, default=0.10, help="around the box, of its longer side")
    classifier.add_argument("--head-epochs", type=int, default=1, help="epochs with the backbone frozen")
    _tuning(classifier, epochs=24, batch=48)
    for parser_of in (locator, classifier, models.add_parser("both", help="one after the other, with the defaults")):
        parser_of.add_argument("--data", help="a data set, `kaggle`, or nothing for data/")
        parser_of.add_argument("--out", type=Path, default=Path("build/train"))
        parser_of.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def _tuning(parser: argparse.ArgumentParser, epochs: int, batch: int) -> None:
    parser.add_argument("--weights", default="auto", help="imagenet (downloaded), none, a file, or a folder of them")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--steps", type=int, default=250, help="batches an epoch")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate after warm-up")


if __name__ == "__main__":
    sys.exit(main())
