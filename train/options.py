"""What `python -m train` understands on its command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from train.canvases import FrameSize

BACKBONES = ("mobilenet_0.25", "mobilenet_0.5", "mobilenet_1.0", "mobilenet_v2_1.0")
ARCHS = ("seed", *BACKBONES, "mobilenet_v3_small", "vgg16", "resnet50", "inception_v3", "efficientnet_b0")
USUAL_NAMES = {"mobilenet": "mobilenet_1.0", "mobilenet_v2": "mobilenet_v2_1.0"}
SITE = Path("build/review")
OPTIMIZERS = ("adamw", "adam", "sgd")

# what stands where nothing is given; for seed as most student projects have it
CLASSIFIER = {"epochs": 24, "optimizer": "adamw", "weights": "auto"}
SEED = {"epochs": 25, "optimizer": "adam", "weights": "none"}


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
    locator.add_argument("--teacher", type=Path, help="a trained yunet's locator.keras: its faster student is trained")
    locator.add_argument("--front-epochs", type=int, default=4, help="in which the student learns his features")
    _tuning(locator, epochs=18, batch=32)
    classifier = models.add_parser("classifier", help="with mask, without mask, worn incorrectly")
    classifier.add_argument(
        "--arch", default="mobilenet_0.5", type=arch, choices=ARCHS, help="seed: the small CNN of most such projects"
    )
    _crop(classifier)
    classifier.add_argument("--head-epochs", type=int, default=1, help="epochs with the backbone frozen")
    _tuning(classifier, epochs=None, batch=48, weights=None)
    _regularising(classifier)
    classifier.add_argument("--distribute", choices=("mirrored", "multiworker"), help="several GPUs, several machines")
    tune = models.add_parser("tune", help="search settings for the classifier; goes on where it was interrupted")
    _crop(tune)
    _tuning(tune, epochs=4, batch=48)
    tune.add_argument("--trials", type=int, default=20, help="settings to try")
    both = models.add_parser("both", help="one after the other, with the defaults")
    for parser_of in (locator, classifier, tune, both):
        parser_of.add_argument("--data", help="a data set, `kaggle`, or nothing for data/")
        parser_of.add_argument("--out", type=Path, default=Path("build/train"))
        parser_of.add_argument("--seed", type=int, default=0)
    average = models.add_parser("average", help="average classifiers that were trained one from the other")
    average.add_argument("folders", nargs="+", type=Path, help="where training left each of them")
    average.add_argument("--shares", nargs="+", type=float, help="of each; default: equal ones")
    average.add_argument("--out", type=Path, default=Path("build/train"))
    beside = models.add_parser("beside", help="learning curves and figures of several classifiers, side by side")
    beside.add_argument("folders", nargs="+", type=Path, help="where training left each of them")
    beside.add_argument("--benchmark", type=Path, help="a box data set that none was trained on")
    beside.add_argument("--out", type=Path, default=Path("build/beside"))
    _review(models.add_parser("review", help="say what each pulled face shows, on a page for this machine alone"))
    _retrain(models.add_parser("retrain", help="the shipped classifier goes on learning, from a site's own faces too"))
    _evaluation(models.add_parser("evaluate", help="what a bundle is worth on pictures it never saw"))
    return _completed(parser.parse_args(arguments))


def _review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, default=SITE, help=f"where pulled faces lie; default {SITE}")
    parser.add_argument("--port", type=int, default=0, help="of the page; default: any that is free")


def _retrain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, default=SITE, help=f"the site's labelled faces; default {SITE}")
    parser.add_argument("--share", type=float, default=0.25, help="of the samples that are the site's, 0 to 1")
    parser.add_argument("--bundle", type=Path, help="whose classifier goes on learning; default: the shipped one")
    parser.add_argument("--weights", type=Path, help="its .keras file; default: read back from the bundle")
    parser.add_argument("--data", help="general photos; default: those of the last training in build/train")
    parser.add_argument("--out", type=Path, default=Path("build/retrain"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=100, help="batches an epoch")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate after warm-up")
    parser.add_argument("--seed", type=int, default=0)


def _completed(given: argparse.Namespace) -> argparse.Namespace:
    """The classifier's defaults depend on its architecture; a student starts with what it shares with its teacher."""
    if given.model == "locator" and given.teacher:
        given.backbone = "student"
        given.weights = str(given.teacher) if given.weights == "auto" else given.weights
    if given.model == "classifier":
        for name, value in (SEED if given.arch == "seed" else CLASSIFIER).items():
            setattr(given, name, value if getattr(given, name) is None else getattr(given, name))
    return given


def arch(text: str) -> str:
    """An architecture by one of its names."""
    return USUAL_NAMES.get(text, text)


def frame_size(text: str) -> FrameSize:
    """ "320x256" as width and height, multiples of the locator's largest stride."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or any(int(side) == 0 or int(side) % 32 for side in match.groups()):
        raise argparse.ArgumentTypeError(f"{text}: wanted is WIDTHxHEIGHT, both multiples of 32, such as 320x256")
    return FrameSize(*map(int, match.groups()))


def _crop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=128, help="pixels a side of a crop")
    parser.add_argument("--margin", type=float, default=0.10, help="around the box, of its longer side")


def _regularising(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="default adamw; for seed adam")
    parser.add_argument("--dropout", type=float, default=0.2, help="before the logits; seed has its own")
    parser.add_argument("--weight-decay", type=float, default=1e-4, help="of adamw")
    parser.add_argument("--label-smoothing", type=float, default=0.0, help="share of a target spread over all outputs")


def _tuning(parser: argparse.ArgumentParser, epochs: int | None, batch: int, weights: str | None = "auto") -> None:
    parser.add_argument("--weights", default=weights, help="imagenet (downloaded), none, a file, or a folder of them")
    parser.add_argument("--epochs", type=int, default=epochs, help=None if epochs else "default 24; for seed 25")
    parser.add_argument("--steps", type=int, default=250, help="batches an epoch")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate after warm-up")


def _evaluation(parser: argparse.ArgumentParser) -> None:
    out = Path("build/train")
    parser.add_argument("--bundle", type=Path, help="default: the newest in build/bundle/, else the shipped one")
    parser.add_argument("--data", help="what the models were trained on; default: the data noted in --float")
    parser.add_argument("--benchmark", type=Path, help="a box data set of another origin, to measure on as well")
    parser.add_argument("--float", type=Path, default=out, help="folder of the split and the float models")
    parser.add_argument("--peer", type=Path, help="a .tflite detector whose time is measured beside the locator's")
    parser.add_argument("--out", type=Path, default=out / "report")
    parser.add_argument("--suite", type=int, default=150, help="faces a kind of the hard-negative suite; 0: without it")
    parser.add_argument(
        "--leave-out",
        nargs="*",
        metavar="SOURCE",
        help="instead, train small models without a source and test on it; none named: each",
    )
    small = parser.add_argument_group("the small models of --leave-out")
    small.add_argument("--arch", default="mobilenet_0.25", choices=BACKBONES)
    small.add_argument("--size", type=int, default=96, help="pixels a side of a crop")
    small.add_argument("--weights", default="auto", help="as for training: a folder of weights")
    small.add_argument("--epochs", type=int, default=4)
    small.add_argument("--locator-epochs", type=int, default=2)
    small.add_argument("--steps", type=int, default=150, help="batches an epoch")
    small.add_argument("--seed", type=int, default=0)
