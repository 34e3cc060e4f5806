"""Keras models to a bundle for the device: python -m convert (after python -m train locator and classifier).

Quantises both models to INT8, checks them against the Edge TPU's rules, chooses their thresholds on the validation
part, has them pass the accuracy gate, holds them against the shipped bundle on the same test part, evaluates them and
writes build/bundle/maskgate-N/ with a report and a model card. Takes about ten minutes. Exit code 0: the bundle is
there. 1: refused, with the reason; no bundle is left. 2: something is missing or wrong, with what to do.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from convert.bundle import (
    CARD_FILE,
    REPORT_FILE,
    Title,
    contract_of,
    install,
    making,
    next_version,
    publish,
    try_out,
    write,
)
from convert.card import card
from convert.compare import Duel, duels
from convert.compare import table as duel_table
from convert.edgetpu import find_compiler
from convert.gate import Figure, table
from convert.golden import add_golden
from convert.operate import operated
from convert.parts import (
    LOCATOR_FILE,
    AnyPart,
    Source,
    for_edgetpu,
    make_classifier,
    make_locator,
    measured_classifier,
    measured_locator,
    measured_together,
    shipped_locator,
)
from convert.reference import add_reference
from convert.report import report
from edge.contract import DEFAULT_BUNDLES, Bundle, load_bundle
from edge.errors import BundleError, InputError, MaskgateError, ModelError
from train.datasets import Picture
from train.noted import find_photos, read_split

SUITE = 150  # faces a kind of hard case in the evaluation


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert as the arguments say; the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        refusals = convert(parse(arguments))
    except ModelError as error:
        refusals = [f"{error.args[0].split(';')[0]}, as quantisation made it"]
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
    parser.add_argument(
        "--against", type=Path, help="bundle that the new one must not fall below; default: the shipped one"
    )
    parser.add_argument("--force", action="store_true", help="make the bundle even if it falls below that one")
    parser.add_argument("--benchmark", type=Path, help="photos to measure on for the model card, never trained on")
    parser.add_argument("--no-evaluation", action="store_true", help="a card with no more than the gate's figures")
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
    locator, classifier = for_edgetpu(locator, classifier)
    locator, classifier = operated(locator, classifier, split.validation)
    locator, classifier = measured_locator(locator, split.test), measured_classifier(classifier, split.test)
    together = measured_together(locator, classifier, split.test)
    figures = locator.figures + classifier.figures + together
    print(table(figures))
    if refusals := gate_refusals(figures):
        return refusals
    bundle = Bundle(folder, contract_of(title, locator, classifier, together, source.described()))
    compared, beside = against_shipped(bundle, options.against, split.test)
    print(beside)
    fallen = [duel.refusal for duel in compared if not duel.passed]
    if fallen and not options.force:
        return [*fallen, "it falls below the shipped bundle; --force makes it all the same, and says so in it"]
    contract = add_golden(Bundle(folder, msgspec.structs.replace(bundle.contract, forced=fallen)))
    contract = add_reference(Bundle(folder, contract), split.validation)
    evaluation = evaluated(Bundle(folder, contract), source, options)
    pages = {
        REPORT_FILE: report(contract, locator, classifier, figures, beside, evaluation),
        CARD_FILE: card(contract, evaluation),
    }
    write(folder, contract, pages)
    try_out(folder)
    return []


def against_shipped(bundle: Bundle, folder: Path | None, pictures: Sequence[Picture]) -> tuple[list[Duel], str]:
    """The figures beside those of the bundle in `folder` (by default the shipped one), and their table.

    Without figures, and told why, where there is no such bundle.
    """
    try:
        shipped = load_bundle(folder)
    except BundleError as error:
        if folder is not None:
            raise
        return [], f"Not held against a shipped bundle: {error}."
    name = f"{shipped.contract.name}-{shipped.contract.version}"
    print(f"both: held against {name} on the test part", flush=True)
    some = duels(shipped, bundle, pictures)
    return some, duel_table(some, name)


def evaluated(bundle: Bundle, source: Source, options: argparse.Namespace) -> dict[str, Any] | None:
    """The whole evaluation for report and card, unless it is not wanted."""
    if options.no_evaluation:
        return None
    # imported by name, since mypy would go on from it into all that Keras leaves without types
    evaluate = import_module("train.evaluation.evaluate").evaluate
    print("both: evaluating for the model card", flush=True)
    found: dict[str, Any] = evaluate(
        bundle, source.split.test, source.data, options.benchmark, options.train, suite=SUITE
    )
    return found


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
