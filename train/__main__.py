"""Photos to Keras models: python -m train locator|classifier|both|average|beside|evaluate|review|retrain.

See the module of each.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from edge.errors import MaskgateError
from edge.quiet import quiet
from train.canvases import has_scenes
from train.options import parse


def main() -> int:
    arguments = parse()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        if arguments.model == "evaluate":
            _evaluate(arguments)
        elif arguments.model in ("average", "beside"):
            _with_trained(arguments)
        elif arguments.model == "review":
            _review(arguments)
        elif arguments.model == "retrain":
            return _retrain(arguments)
        else:
            _train(arguments)
    except MaskgateError as error:
        print(f"train: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        after = "begins anew" if arguments.model == "retrain" else "goes on from the last finished epoch"
        print(f"\ntrain: interrupted; the same command {after}", file=sys.stderr)
        return 130
    return 0


def _with_trained(arguments: argparse.Namespace) -> None:
    with quiet():
        module = import_module(f"train.{arguments.model}")
    getattr(module, arguments.model)(arguments)


def _evaluate(arguments: argparse.Namespace) -> None:
    from train.evaluation.evaluate import run

    run(arguments)


def _review(arguments: argparse.Namespace) -> None:
    from train.review.page import run

    run(arguments)


def _retrain(arguments: argparse.Namespace) -> int:
    with quiet():
        from train.retrain import retrain
    refusals = retrain(arguments)
    for refusal in refusals:
        print(f"train: refused: {refusal}", file=sys.stderr)
    return 1 if refusals else 0


def _train(arguments: argparse.Namespace) -> None:
    from train.datasets import find_data
    from train.weights import find_weights

    data = find_data(arguments.data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "data.txt").write_text(str(data.resolve()))
    for each in _each(arguments, data):
        if each.model != "tune":  # which tries several architectures
            each.weights = find_weights(each.weights, each.arch if each.model == "classifier" else each.backbone, data)
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


if __name__ == "__main__":
    sys.exit(main())
