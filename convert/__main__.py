"""Keras models to a bundle for the device: python -m convert (after python -m train locator and classifier).

Quantises both models to INT8, checks them against the Edge TPU's rules, has them pass the accuracy gate and writes
build/bundle/maskgate-N/. Takes a few minutes. Exit code 0: the bundle is there. 1: refused, with the reason; no bundle
is left. 2: something is missing or wrong, with what to do.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.bundle import Title, install, making, next_version, publish, try_out, write
from convert.edgetpu import find_compiler
from convert.gate import Figure, table
from convert.parts import (
    LOCATOR_FILE,
    AnyPart,
    Source,
    make_classifier,
    make_locator,
    measured_classifier,
    measured_locator,
    shipped_locator,
)
from convert.photos import find_photos, read_split
from edge.contract import DEFAULT_BUNDLES, load_bundle
from edge.errors import InputError, MaskgateError


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert as the arguments say; the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        refusals = convert(parse(arguments))
    except MaskgateError as error:
        print(f"convert: error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"convert: error: {error.name} is not installed; pip install '.[train]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nconvert: interrupted; no bundle is left", file=sys.stderr)
        return 130
    for refusal in refusals:
        print(f"convert: refused: {refusal}", file=sys.stderr)
    return 1 if refusals else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m convert", description="Keras models to an INT8 bundle.")
    parser.add_argument("--train", type=Path, default=Path("build/train"), help="where training left its models")
    parser.add_argument("--data", type=Path, help="the photos, if they are not where training had them")
    parser.add_argument(
        "--locator", type=Path, help="bundle whose locator is used if none was trained; default: shipped"
    )
    parser.add_argument("--out", type=Path, default=Path("build/bundle"))
    parser.add_argument("--name", type=_name, default="maskgate")
    parser.add_argument("--version", type=_positive, help="default: one more than the newest there is")
    parser.add_argument(
        "--calibration", type=_positive, default=400, help="pictures that set the ranges, for each model"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws the calibration pictures")
    parser.add_argument(
        "--no-edgetpu", action="store_true", help="make the bundle even if an Edge TPU could not run it"
    )
    parser.add_argument("--install", action="store_true", help="put it into edge/models/, in place of older ones")
    return parser.parse_args(arguments)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not letters, digits and underscores only")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def convert(options: argparse.Namespace) -> list[str]:
    """Make the bundle; why it was refused, one line each, if it was."""
    if not options.train.is_dir():
        raise InputError(f"{options.train}: no such folder; run `make train` first")
    version = options.version or next_version(options.name, (DEFAULT_BUNDLES, options.out))
    title = Title(options.name, version)
    target = options.out / title.folder
    with making(options.out) as folder:
        if refusals := fill(folder, title, options):
            return refusals
        publish(folder, target)
    print(f"bundle: {target}")
    if options.install:
        print(f"installed: {install(target, title, DEFAULT_BUNDLES)}")
    return []


def fill(folder: Path, title: Title, options: argparse.Namespace) -> list[str]:
    """Fill `folder` with the bundle; why it was refused, if it was."""
    data = find_photos(options.train, options.data)
    split = read_split(data, options.train)
    source = Source(options.train, data, split, options.calibration, options.seed)
    compiler = find_compiler()
    classifier = make_classifier(source, folder, compiler)
    if (options.train / LOCATOR_FILE).exists():
        locator = make_locator(source, folder, compiler)
    else:
        locator = shipped_locator(load_bundle(options.locator), folder, compiler)
    if refusals := edgetpu_refusals([locator, classifier], required=not options.no_edgetpu):
        return refusals
    locator, classifier = measured_locator(locator, split.test), measured_classifier(classifier, split.test)
    figures = locator.figures + classifier.figures
    print(table(figures))
    if refusals := gate_refusals(figures):
        return refusals
    write(folder, title, locator, classifier, source.described())
    try_out(folder)
    return []


def edgetpu_refusals(parts: Sequence[AnyPart], required: bool) -> list[str]:
    """What keeps an Edge TPU from running the parts, if it has to; else it is only said."""
    problems = [f"{part.file.name}: Edge TPU: {problem}" for part in parts for problem in part.problems]
    if required:
        return problems
    for problem in problems:
        print(problem)
    return []


def gate_refusals(figures: Sequence[Figure]) -> list[str]:
    """The figures that did not pass."""
    return [f"{figure.name}: {_reason(figure)}" for figure in figures if not figure.passed]


def _reason(figure: Figure) -> str:
    if not figure.samples:
        return "nothing in the test part to measure it on"
    return f"drop of {figure.drop:.2f} points, at most {figure.allowed:.2f}, {figure.samples} samples"


if __name__ == "__main__":
    sys.exit(main())
