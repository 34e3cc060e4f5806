"""Photos to Keras models: python -m train classifier|locator --data DIR. See each module's first lines."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edge.errors import MaskgateError


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
    arguments.weights = find_weights(arguments.weights, arguments.backbone, data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.model == "locator":
        from train.locator import train
    else:
        from train.classifier import train
    train(arguments, data)
    (arguments.out / "data.txt").write_text(str(data.resolve()))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train", description="Photos to Keras models, with a report.")
    models = parser.add_subparsers(dest="model", required=True)
    locator = models.add_parser("locator", help="find faces, masked or not")
    locator.add_argument("--backbone", default="yunet", help="yunet, mobilenet_0.25, mobilenet_0.5, mobilenet_v2_1.0")
    locator.add_argument("--size", default="320x256", help="width x height the device uses; multiples of 32")
    locator.add_argument("--train-size", default="256x192", help="width x height of the training samples")
    _common(locator, epochs=18, batch=32, rate=1e-3)
    classifier = models.add_parser("classifier", help="with mask, without mask, worn incorrectly")
    classifier.add_argument("--backbone", default="mobilenet_0.5", help="mobilenet_0.25 ... mobilenet_v2_1.0")
    classifier.add_argument("--size", type=int, default=128, help="pixels a side of a crop")
    classifier.add_argument("--margin", type=float, default=0.10, help="around the box, of its longer side")
    classifier.add_argument("--head-epochs", type=int, default=1, help="epochs with the backbone frozen")
    _common(classifier, epochs=12, batch=48, rate=1e-3)
    return parser.parse_args()


def _common(parser: argparse.ArgumentParser, epochs: int, batch: int, rate: float) -> None:
    parser.add_argument("--data", help="a data set, `kaggle`, or nothing for data/")
    parser.add_argument("--out", type=Path, default=Path("build/train"))
    parser.add_argument("--weights", default="auto", help="imagenet (downloaded), none, a file, or a folder of them")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--steps", type=int, default=250, help="batches an epoch")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate, help="learning rate after warm-up")
    parser.add_argument("--seed", type=int, default=0)


if __name__ == "__main__":
    sys.exit(main())
