"""A new bundle is not to fall below the shipped one: both judge the same faces and pictures of the test part.

Faces in whole pictures are found by the whole of a bundle, locator and classifier; verdicts are on every labelled
face, cut by its label's box. Of each figure only those faces tell the bundles apart that one gets right and the other
wrong (McNemar). Were both equally good, the new one would lose as many of them as it wins, but for chance; it falls
below where it loses so many that chance does so in less than NOISE of all cases (exact binomial test: one side of a
95 % interval).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from convert.gate import Verified
from convert.photos import faces_of, frames_of, located
from edge.classify import MaskClassifier
from edge.contract import Bundle
from edge.interpreter import Network
from edge.judge import Judge
from edge.values import LABELS, WITH_MASK
from train.crops import LabelledFace
from train.datasets import Picture
from train.measure import match_near_faces
from train.readers import COVERED

NOISE = 0.025
RULE = (
    "Both on the same faces and pictures of the test part. Lost: how many only the shipped bundle gets right; won: "
    "only this one. It fails where it loses so many more than it wins that chance does so in less than 2.5 % of all "
    "cases (exact McNemar test)."
)

Hits = dict[str, list[bool]]


@dataclass(frozen=True, slots=True)
class Duel:
    """One figure of two bundles on the same faces or pictures.

    shipped, new: the share that each gets right, 0 to 1. lost: how many only the shipped one does; won: only the new.
    """

    name: str
    shipped: float
    new: float
    samples: int
    lost: int
    won: int

    @property
    def passed(self) -> bool:
        """No worse than chance allows."""
        differing = self.lost + self.won
        return not differing or float(binomtest(self.lost, differing, alternative="greater").pvalue) >= NOISE

    @property
    def refusal(self) -> str:
        return (
            f"{self.name}: {100 * self.new:.2f} %, the shipped bundle {100 * self.shipped:.2f} %; "
            f"{self.lost} of {self.samples} lost, {self.won} won"
        )


def duels(shipped: Bundle, new: Bundle, pictures: Sequence[Picture]) -> list[Duel]:
    """All figures that there is anything to measure of."""
    before, after = hits(shipped, pictures), hits(new, pictures)
    return [duel(name, before[name], after[name]) for name in before]


def duel(name: str, shipped: Sequence[bool], new: Sequence[bool]) -> Duel:
    """Of each face or picture whether the one and the other get it right."""
    before, after = np.array(shipped, bool), np.array(new, bool)
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    return Duel(name, float(before.mean()), float(after.mean()), len(before), lost, won)


def hits(bundle: Bundle, pictures: Sequence[Picture]) -> Hits:
    """By figure, of each face or picture in its order: whether the bundle gets it right."""
    found: Hits = defaultdict(list)
    finder = Verified(Judge.from_bundle(bundle))
    for picture, rgb in frames_of(pictures):
        matched = match_near_faces(located(picture, rgb, finder.locate(rgb)))
        found["near faces found"] += (matched.found_from > 0).tolist()
        found["pictures without a false detection"].append(not matched.false)
    contract = bundle.contract.classifier
    classifier = MaskClassifier(Network(bundle.classifier_file, contract.input, [contract.logits]), contract)
    for face, crop in faces_of(pictures, contract):
        (said,) = classifier.classify([crop])
        for name, right in _verdict(face, said.label):
            found[name].append(right)
    return {name: each for name, each in found.items() if each}


def _verdict(face: LabelledFace, said: str) -> Iterable[tuple[str, bool]]:
    """The figures that a verdict counts for, and whether it is right there."""
    truth = LABELS[face.label]
    yield "verdicts right", said == truth
    if truth == WITH_MASK:
        yield f"{WITH_MASK} called so", said == WITH_MASK
    else:
        yield f"{COVERED if face.covered else truth} not called {WITH_MASK}", said != WITH_MASK


def described(some: Iterable[Duel]) -> dict[str, Any]:
    """As bundle.json has it."""
    return {
        each.name: {
            "shipped": round(each.shipped, 5),
            "int8": round(each.new, 5),
            "samples": each.samples,
            "lost": each.lost,
            "won": each.won,
        }
        for each in some
    }


def table(some: Sequence[Duel], shipped: str) -> str:
    """All figures in Markdown; `shipped`: the name of the bundle that is there."""
    lines = [f"| figure | this bundle | {shipped} | samples | lost | won | verdict |", "|" + "---|" * 7]
    for each in some:
        shares = f"{100 * each.new:.2f} % | {100 * each.shipped:.2f} %"
        verdict = "pass" if each.passed else "FAIL"
        lines.append(f"| {each.name} | {shares} | {each.samples} | {each.lost} | {each.won} | {verdict} |")
    return "\n".join(lines)
