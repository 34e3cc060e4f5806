"""What quantisation costs: the float models against the INT8 ones, both through the whole pipeline, face by face."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.classify import MaskClassifier
from edge.contract import Bundle
from edge.interpreter import Network
from edge.judge import Judge
from edge.locate import FaceLocator
from edge.preprocess import Framing
from edge.quiet import quiet
from edge.values import Classification
from train.evaluation.verdicts import Counted, likeliest
from train.measure import Figure, share

PARTS = ("locator", "classifier")

Hits = NDArray[np.bool_]
Said = tuple[str, Classification, Classification]


@dataclass(frozen=True)
class Models:
    """A bundle's models in one form, float or INT8.

    judge: both together. classifier: the second alone, for crops as `crop` says.
    """

    judge: Judge
    classifier: MaskClassifier
    crop: Framing


def int8_models(bundle: Bundle) -> Models:
    """The models as the device runs them. Raises BundleError."""
    contract = bundle.contract.classifier
    network = Network(bundle.classifier_file, contract.input, [contract.logits])
    return Models(Judge.from_bundle(bundle), MaskClassifier(network, contract), contract)


def float_models(folder: Path, bundle: Bundle) -> Models | None:
    """locator.keras and classifier.keras of a folder under the bundle's contract.

    None where one is missing, or was trained otherwise than the bundle says of its own.
    """
    if not all((folder / f"{part}.keras").is_file() and _same_training(folder, part, bundle) for part in PARTS):
        return None
    with quiet():
        import keras

        from train.float_network import FloatNetwork

        models = (keras.models.load_model(folder / f"{part}.keras", compile=False) for part in PARTS)
        find, tell = map(FloatNetwork, models)
    locator, classifier = bundle.contract.locator, bundle.contract.classifier
    say = MaskClassifier(tell, classifier)
    return Models(Judge(FaceLocator(find, locator), say, classifier), say, classifier)


def _same_training(folder: Path, part: str, bundle: Bundle) -> bool:
    try:
        noted = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))["training"]
    except (OSError, ValueError, KeyError):
        return False
    told = bundle.contract.training.get(part, {})
    return bool(noted) and all(told.get(key) == value for key, value in noted.items())


def agreement(before: Sequence[Counted], after: Sequence[Counted], crops: Sequence[Said]) -> Figure:
    """Agreement of `train.evaluation.evaluate`.

    before, after: the same pictures counted with the float and with the INT8 models. crops: of each near face with a
    known label, that label and what both classifiers say of the same crop.
    """
    pairs = [
        (first, then)
        for one, other in zip(before, after, strict=True)
        for first, then in zip(one.verdicts, other.verdicts, strict=True)
    ]
    both = [(a, b) for a, b in pairs if a.found and b.found]
    return {
        "faces": len(pairs),
        "likeliest": share(sum(likeliest(a) == likeliest(b) for _, a, b in crops), len(crops)),
        "labels": share(sum(a.label == b.label for _, a, b in crops), len(crops)),
        "pipeline": share(sum(a.said == b.said for a, b in both), len(both)),
        "accuracy_drop": paired_drop(*_hits([(truth == likeliest(a), truth == likeliest(b)) for truth, a, b in crops])),
        "recall_drop": paired_drop(*_hits([(a.found is not None, b.found is not None) for a, b in pairs])),
    }


def _hits(pairs: Sequence[tuple[bool, bool]]) -> tuple[Hits, Hits]:
    first, then = np.array(pairs, bool).reshape(-1, 2).T
    return first, then


def paired_drop(before: Hits, after: Hits) -> Figure:
    """Points lost from `before` to `after`, bool (n,) of the same faces, with a 95 % interval (Agresti and Min 2005).

    The interval adds half a face to each cell of the table of pairs, so that it holds where few or none differ.
    `worse` and `better`: faces that only one of the two has right.
    """
    n = len(before)
    worse, better = int((before & ~after).sum()), int((after & ~before).sum())
    if not n:
        return {"value": None, "low": None, "high": None, "worse": 0, "better": 0, "n": 0}
    centre = (worse - better) / (n + 2)
    spread = 1.96 * np.sqrt((worse + better + 1) / (n + 2) - centre**2) / np.sqrt(n + 2)
    low, high = 100 * (centre - spread), 100 * (centre + spread)
    value = 100 * (worse - better) / n
    return {"value": value, "low": float(low), "high": float(high), "worse": worse, "better": better, "n": n}
