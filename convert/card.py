"""MODEL_CARD.md: what a bundle is for, what it must not be used for, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convert.operate import CHOSEN
from convert.tables import evaluation_tables
from edge.contract import Contract
from edge.values import NO_FACE

USE = """## Intended use

At one door, on a device of one's own: a lamp or a relay that says whether the people right in front of the camera wear
their face masks properly, that is over nose, mouth and chin. Faces at least 12 % as high as the picture, upright,
lit, not turned away by more than a half profile. A person is near to help those who are judged wrongly.

## What it must not be used for

- As the only way in or out, or on an escape route: it is wrong now and then, and it can be fooled.
- To tell who somebody is, or anything else about a person (health, age, sex, origin, mood); to watch people who have
  not been told of it; to score or to punish them.
- As protection from infection or dust: it sees whether something looks like a worn mask, neither what it is made of nor
  how tightly it fits. It is no medical and no safety device.
- Without a trial at the door in question: every figure below is of other cameras, other light and other people."""

LIMITS = """## Known limits

- A test part is kin to its training part, so that its figures are better than those of a new door. The figures of
  sources that were left out of the training, where there are any below, say by how much.
- Scarves, hands, veils, beards and papers before the mouth are the commonest that pass for a mask; a nose just bare and
  a mask of the skin's colour are the next.
- A face on a poster, a telephone's screen or a shirt counts as a face.
- Strongly turned, bent or half hidden faces are found less often, above all masked ones in profile.
- The photos are from the web: who is on them, and how evenly, nobody has chosen. Slices such as the darkness of skin
  are estimated by rules, not told by people; they show where to look and prove no fairness.
- The labels of the photos themselves are wrong in one to three of a hundred cases."""


def card(contract: Contract, evaluation: dict[str, Any] | None) -> str:
    """MODEL_CARD.md of a bundle, in Markdown; `evaluation` is what `train.evaluation.evaluate` gives, if it was run."""
    title = f"# Model card of {contract.name}-{contract.version}"
    sections = [
        *([warning(contract), title] if contract.forced else [title]),
        "Two INT8 networks in a row: a locator that finds faces, masked or not, and a classifier that tells of each "
        "whether its mask is worn properly (`with_mask`), not at all (`without_mask`; a scarf, a hand or a veil in its "
        "place counts as that) or so that nose or chin are bare (`incorrect`)"
        + (", and which of the locator's finds are no faces." if NO_FACE in contract.classifier.labels else "."),
        USE,
        _thresholds(contract),
        *(evaluation_tables(evaluation) if evaluation else [_gate(contract)]),
        LIMITS,
        _data(contract.training),
        _origin(contract),
    ]
    return "\n\n".join(sections) + "\n"


def warning(contract: Contract) -> str:
    """Of a bundle that was made although it falls below the shipped one: in what."""
    return "**Made with `--force`: it falls below the bundle that was shipped before.** " + ". ".join(contract.forced)


def _thresholds(contract: Contract) -> str:
    find, tell = contract.locator, contract.classifier
    lines = [f"- a proposal of the locator: score of {find.score_threshold:.3g} or more"]
    if NO_FACE in tell.labels:
        joined = f"log odds of the locator's score and {tell.face_weight:g} times the classifier's"
        lines.append(f"- a face: {joined}, together a score of {tell.face_threshold:.3g} or more")
    lines += [
        f"- a verdict: {tell.score_threshold:.3g} or more, else it is unknown, which never opens a door",
        f"- temperature of the scores: {tell.temperature:.3g}",
    ]
    return "\n".join(["## Thresholds", "", *lines, "", CHOSEN])


def _gate(contract: Contract) -> str:
    """The accuracy gate's figures, of a bundle that was not evaluated further."""
    figures = {name: each for part in contract.accuracy.values() for name, each in part.items() if "float" in each}
    lines = [
        "## What it is worth",
        "",
        "On the test part of its photos, INT8:",
        "",
        "| figure | | of |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {100 * each['int8']:.2f} % | {each['samples']} |" for name, each in figures.items()]
    return "\n".join(lines)


def _data(training: Mapping[str, Any]) -> str:
    parts = [f"{training[key]} {key.removesuffix('_pictures')}" for key in training if key.endswith("_pictures")]
    lines = [
        "## Data",
        "",
        f"Pictures: {', '.join(parts) or 'not noted'}. Near duplicates never straddle the parts. "
        f"Fingerprint {training.get('fingerprint', 'not noted')}.",
    ]
    if sources := training.get("sources"):
        labels = list(dict.fromkeys(label for counts in sources.values() for label in counts))
        lines += ["", "Faces by source and label, and face-free pictures, all parts together:", ""]
        lines += [f"| source | {' | '.join(labels)} |", "|---|" + "---|" * len(labels)]
        for source, counts in sources.items():
            lines.append(f"| {source} | {' | '.join(str(counts.get(label, '')) for label in labels)} |")
    return "\n".join(lines)


def _origin(contract: Contract) -> str:
    lines = ["## What it started from", ""]
    for kind in ("locator", "classifier"):
        noted = contract.training.get(kind, {})
        told = [f"{key} {noted[key]}" for key in ("backbone", "arch", "weights", "taken from") if noted.get(key)]
        lines.append(f"- {kind}: {', '.join(told) or 'not noted'}")
    return "\n".join([*lines, *(f"- {notice}" for notice in contract.notices)])
