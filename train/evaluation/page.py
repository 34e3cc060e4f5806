"""The evaluation's part of the report's page, as finished HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from edge.values import INCORRECT, LABELS, UNKNOWN, WITHOUT_MASK
from train.evaluation.slices import RULES
from train.evaluation.tables import LEFT_OUT, MAIN, RATE, at
from train.evaluation.verdicts import MISSED
from train.markup import both, card, image, sheet, table, worth
from train.measure import NEAR, Figure

NAMES = {
    "test": "Test part: scenes and pictures without faces",
    "faces": "Test part: faces that fill their picture",
    "benchmark": "Benchmark",
}
FIGURES = {"recall": "near faces found", "false_accepts": "false accepts", "false_rejects": "false rejects"}
BY_SOURCE = (
    ("recall", "near faces found"),
    ("false_per_100", "false per 100 pictures"),
    ("false_accepts.all", "false accepts"),
    ("false_rejects", "false rejects"),
)
SHEETS = (
    ("accepts", "False accepts", "Bare, covered and wrongly worn faces called with_mask, the surest first."),
    ("rejects", "False rejects", "Proper masks called otherwise, unknown included, the surest first."),
    ("misses", "Misses", "Near faces that were not found, the largest first."),
    ("false", "False detections", "The surest first. Real faces among them lack a label, or an `ignore` box."),
)


def evaluation_screen(found: Figure) -> Iterator[str]:
    """What the page opens with: the main table, and the worst slice."""
    bundle = found["bundle"]
    yield f'<p class="soft">Bundle {escape(bundle["name"])}-{bundle["version"]}, INT8, through the device\'s own code, '
    yield "at its own thresholds. In small print: the 95 % interval, as if every face and picture stood alone, and the "
    yield "count behind it.</p>"
    sets = found["sets"]
    near = [each["near"] for each in sets.values()]
    rows = [(name, *(both(at(counts, path), path == RATE) for counts in near)) for path, name in MAIN]
    head = [f'<a href="#evaluation">near faces ({100 * NEAR:.0f} % of the height and more)</a>', *map(_name, sets)]
    yield from table("", head, rows)
    yield '<p class="soft">Labels do not tell a bare nose from a bare chin; the <a href="#suite">hard cases</a> do.</p>'
    yield '<p><a href="#slices">Worst slices</a>: where a figure may be worst, by its interval</p>'
    yield '<div class="cards">'
    for figure, worst in found["worst"].items():
        if worst:
            yield card(f"{FIGURES[figure]}; {worst['slice']}: {worst['value']}", worst["figure"], alarm=True)
    yield "</div>"


def evaluation_part(folder: Path, found: Figure) -> Iterator[str]:
    """The whole of it; the plots and contact sheets of `folder` are put into the page."""
    yield '<h2 id="evaluation">Evaluation of the bundle</h2>'
    yield from _all_heights(found["sets"])
    for name, each in found["sets"].items():
        yield f"<h3>{_name(name)}</h3>"
        yield from _confusion(each["near"])
        yield from _precisions(each)
        if len(each["sources"]) > 1:
            yield from _sources(each["sources"])
    yield from _slices(found["slices"])
    yield from _crops(found["crops"])
    yield from _unknown(folder, found["risk"])
    yield from _agreement(found["agreement"])
    yield from _speed(found["speed"])
    yield from _left_out(found["leave_one_out"])
    yield from _suite(folder, found["suite"])
    for name, heading, sentence in SHEETS:
        yield f"<h3>{heading}</h3>"
        yield from sheet(folder / f"evaluation_{name}.png", heading, sentence, found["wrong"][name])


def _name(name: str) -> str:
    return NAMES.get(name, escape(name))


def _all_heights(sets: Figure) -> Iterator[str]:
    yield "<h3>All faces, far ones too</h3>"
    counts = [each["all"] for each in sets.values()]
    rows = [(name, *(both(at(each, path), path == RATE) for each in counts)) for path, name in MAIN]
    yield from table("", ("", *map(_name, sets)), rows)


def _confusion(counts: Figure) -> Iterator[str]:
    verdicts = (*LABELS, UNKNOWN, MISSED)
    rows = [
        (truth, *(f"{said[verdict]:,}" if verdict in said else "" for verdict in verdicts))
        for truth, said in counts["confusion"].items()
    ]
    yield "<p>Near faces, their label by row, the verdict by column.</p>"
    yield from table("", ("", *verdicts), rows)


def _precisions(each: Figure) -> Iterator[str]:
    rows = [(label, both(each["near"]["ap50"][label]), both(each["all"]["ap50"][label])) for label in LABELS]
    yield from table("", ("AP50", "near faces", "all faces"), rows)


def _sources(sources: Figure) -> Iterator[str]:
    rows = [
        (escape(name), *(both(at(counts, path), path == RATE) for path, _ in BY_SOURCE))
        for name, counts in sources.items()
    ]
    yield from table("", ("source", *(name for _, name in BY_SOURCE)), rows)


def _slices(sets: Figure) -> Iterator[str]:
    yield '<h3 id="slices">By slice</h3><p>No label gives these: code tells them, by rules that err. They say where to '
    yield "look next, nothing about a person.</p>"
    for slice_, rule in RULES.items():
        rows = [
            (escape(value), _name(name), f"{each['faces']:,}", *(both(each[figure]) for figure in FIGURES))
            for name, slices in sets.items()
            for value, each in slices.get(slice_, {}).items()
        ]
        yield f"<h4>{slice_.capitalize()}</h4><p>{escape(rule)}</p>"
        yield from table("", ("", "", "faces", *FIGURES.values()), sorted(rows))


def _crops(crops: Figure) -> Iterator[str]:
    accepts = crops["false_accepts"]
    yield "<h3>The classifier alone</h3><p>Every labelled face of the test part, cut by its own box.</p>"
    yield '<div class="cards">'
    yield card("Bare called masked", accepts[WITHOUT_MASK], alarm=True)
    yield card("Covered called masked", accepts["covered"], alarm=True)
    yield card("Wrongly worn called masked", accepts[INCORRECT], alarm=True)
    yield card("Masked called otherwise", crops["false_rejects"])
    yield "</div>"


def _unknown(folder: Path, risks: Figure) -> Iterator[str]:
    if not risks:
        return
    yield "<h3>What UNKNOWN buys</h3><p>Each threshold of the score refuses some of the found faces as unknown, and "
    yield "leaves some of the others wrong.</p>"
    rows = [
        (_name(name), f"{each['threshold']:.2f}", *(both(each[key]) for key in ("refused", "wrong", "false_accepts")))
        for name, each in risks.items()
    ]
    yield from table("", ("", "threshold", "refused", "wrong, of the judged", "false accepts, of the judged"), rows)
    yield f'<div class="wide">{image(folder / "evaluation_risk.png", "What UNKNOWN buys")}</div>'


def _agreement(sets: Figure) -> Iterator[str]:
    if sets:
        yield "<h3>INT8 against float</h3><p>Near faces: the classifiers on the same crops; then with the locators, "
        yield "which crop a little otherwise. A drop is in points, positive where INT8 is worse.</p>"
        rows = [
            (
                _name(name),
                *(both(each[key]) for key in ("likeliest", "labels", "pipeline")),
                *(_points(each[key]) for key in ("accuracy_drop", "recall_drop")),
            )
            for name, each in sets.items()
        ]
        head = "same label", "same, with unknown", "same, together", "drop of accuracy", "drop of recall"
        yield from table("", ("", *head), rows)


def _points(drop: Figure) -> str:
    if drop["value"] is None:
        return worth(drop)
    basis = f"{drop['low']:.2f} to {drop['high']:.2f} · {drop['worse']} worse, {drop['better']} better of {drop['n']:,}"
    return f"{drop['value']:.2f}<br><small>{basis}</small>"


def _speed(speed: Figure | None) -> Iterator[str]:
    if speed:
        ratio = speed["ratio"]
        yield f"<h3>Speed</h3><p>On one core, in turn with {escape(speed['peer'])}: the locator takes "
        yield f"{speed['ours_ms']:.2f} ms, the other {speed['peer_ms']:.2f} ms, {ratio['value']:.1f} times as long "
        yield f"({ratio['low']:.1f} to {ratio['high']:.1f}; median of {ratio['n']} pairs).</p>"


def _suite(folder: Path, found: Figure | None) -> Iterator[str]:
    if not found:
        return
    yield '<h3 id="suite">Hard cases</h3><p>Made by code from test faces; covered ones are real. Called with_mask is a '
    yield "false accept, except of faces that wear their mask properly.</p>"
    rows = [
        (
            escape(name.replace("_", " ")),
            each["truth"],
            *(both(each["crops"][key]) for key in ("accepted", "unknown")),
            *(both(each["pictures"][key]) for key in ("found", "accepted", "unknown")),
        )
        for name, each in found.items()
    ]
    head = "crop called masked", "crop unknown", "found in the picture", "called masked there", "unknown there"
    yield from table("", ("", "truth", *head), rows)
    for name in found:
        shown = image(folder / f"suite_{name}.png", name, "sheet")
        yield f"<details><summary>{escape(name.replace('_', ' '))}</summary>"
        yield f'<div class="wide">{shown}</div></details>'


def _left_out(found: Figure | None) -> Iterator[str]:
    if not found:
        return
    yield "<h3>Leave one source out</h3><p>Small models, each trained without one source and tested on it: what the "
    yield "next door may be like. They are weaker than the bundle; see how far the sources lie apart.</p>"
    for part, content in found.items():
        rows = [
            (escape(source), *(both(at(figures, path), path == RATE) for path in LEFT_OUT[part]))
            for source, figures in sorted(content["sources"].items())
        ]
        names = (path.replace("_", " ").replace(".", ", ") for path in LEFT_OUT[part])
        yield from table("", (f"{part} without", *names), rows)
