"""report.md: how a bundle's models are fed, what quantisation cost, how they stand beside the shipped ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from convert.card import warning
from convert.compare import RULE
from convert.edgetpu import SOURCE
from convert.gate import Figure, table
from convert.graph import multiply_adds
from convert.parts import AnyPart, LocatorNotes, Part
from convert.tables import evaluation_tables
from edge.contract import ClassifierContract, Contract, LocatorContract


def report(
    contract: Contract,
    locator: Part[LocatorContract],
    classifier: Part[ClassifierContract],
    figures: Sequence[Figure],
    beside: str,
    evaluation: dict[str, Any] | None = None,
) -> str:
    """report.md, in Markdown.

    figures: of the gate. beside: the table that holds it against the shipped bundle, or why there is none.
    """
    parts: dict[str, AnyPart] = {"locator": locator, "classifier": classifier}
    sections = [
        *([warning(contract)] if contract.forced else []),
        f"# {contract.name}-{contract.version}",
        "Two INT8 networks that tell of each face before a camera whether it wears its mask properly: a locator finds "
        "faces, a classifier tells `with_mask`, `without_mask` and `incorrect` (nose or chin bare) apart. bundle.json "
        "says how to feed and read them, MODEL_CARD.md what they are for and what they are not.",
        _models(locator, classifier),
        *(evaluation_tables(evaluation) if evaluation else []),
        _gate(figures),
        f"## Beside the shipped bundle\n\n{RULE}\n\n{beside}",
        _edge_tpu(parts),
        _data(contract, parts),
        *(_listed(f"Training of the {kind}", _plain(part.notes.training)) for kind, part in parts.items()),
        _listed("Tools", contract.tools),
        "\n".join(["## Notices", "", *(f"- {notice}" for notice in contract.notices or ["none"])]),
    ]
    return "\n\n".join(sections) + "\n"


def _made_as(part: AnyPart) -> str:
    return part.notes.backbone if isinstance(part.notes, LocatorNotes) else part.notes.arch


def _models(locator: Part[LocatorContract], classifier: Part[ClassifierContract]) -> str:
    find, tell = locator.contract, classifier.contract
    rows = [
        ("", "locator", "classifier"),
        ("architecture", _made_as(locator), _made_as(classifier)),
        ("input, RGB pixels", f"{find.width} x {find.height}", f"{tell.size} x {tell.size}"),
        ("multiply-adds, millions", *(f"{multiply_adds(part.graph) / 1e6:.1f}" for part in (locator, classifier))),
        ("file, kB", *(f"{part.file.stat().st_size / 1000:.0f}" for part in (locator, classifier))),
        ("score at least", f"{find.score_threshold:g}", f"{tell.score_threshold:g}, else unknown"),
        ("face at least", "", f"{tell.face_threshold:g}, the classifier's log odds x {tell.face_weight:g}"),
        ("", f"suppression over IoU {find.overlap_threshold:g}", f"temperature {tell.temperature:.3g}"),
        ("", f"strides {', '.join(map(str, find.strides))}", f"margin {100 * tell.margin:g} % a side"),
    ]
    return "\n".join(["## Models", "", *_rows(rows)])


def _gate(figures: Sequence[Figure]) -> str:
    return "\n".join(
        [
            "## Accuracy before and after quantisation",
            "",
            "On the test part of the training data, never trained on, both through the device's own code: the float "
            "models by Keras, the INT8 models by the device's interpreter. A verdict is the likeliest label; unknown "
            "and refused are what the device makes of it with its threshold. Verified is what the classifier leaves of "
            "the locator's proposals, at the bundle's thresholds; the locator alone stands at the threshold that "
            "training chose for it. A limit is never finer than one sample.",
            "",
            table(figures),
        ]
    )


def _edge_tpu(parts: Mapping[str, AnyPart]) -> str:
    lines = ["## Edge TPU", "", f"Checked against the published rules ({SOURCE}).", ""]
    for kind, part in parts.items():
        source = "by its compiler too" if part.compiled else "its compiler was not here to confirm it"
        said = "; ".join(part.problems) or f"all {len(part.graph.operators)} operators fit; {source}"
        lines.append(f"- {kind}: {said}")
    return "\n".join(lines)


def _data(contract: Contract, parts: Mapping[str, AnyPart]) -> str:
    sizes = {f"{kind}: calibration pictures": len(part.calibration) for kind, part in parts.items()}
    return _listed("Data", _plain(contract.training) | sizes)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is nested: bundle.json has that too."""
    return {key: value for key, value in values.items() if not isinstance(value, dict | list)}


def _listed(title: str, values: Mapping[str, Any]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {key}: {value}" for key, value in values.items())])


def _rows(rows: Sequence[Iterable[str]]) -> list[str]:
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|---|---|---|", *rest]
