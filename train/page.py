"""The report as one self-contained page: no scripts, nothing from outside, pictures embedded; light and dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from edge.values import INCORRECT, LABELS, WITHOUT_MASK
from train.evaluation.page import evaluation_part, evaluation_screen
from train.markup import STYLE, both, card, image, sheet, table, worth
from train.measure import NEAR, Figure

PLOTS = {
    "classifier": (
        ("confusion", False, "Confusion", "How often each truth got each verdict; the percentages are of the row."),
        ("calibration", False, "Calibration", "Points below the line: surer than right. Bars: faces, logarithmic."),
        ("precision_recall", True, "Precision and recall", "Over all thresholds, one label against the others."),
        ("learning", True, "Learning", "A validation loss that rises while the other falls means learning by heart."),
    ),
    "locator": (
        ("curve", True, "Working points", "What each threshold finds, and what it sees that is not there."),
        ("learning", True, "Learning", "A validation loss that rises while the other falls means learning by heart."),
    ),
}
"""Of each plot: the end of its file's name, whether it takes the whole width, its heading and how to read it."""

SHEETS = {
    "classifier": (
        (
            "mistakes",
            "Worst mistakes",
            "The surest first, false accepts (red frame) before the rest. Look for wrong labels: a sure mistake is "
            "often one in the data. Then for what they share: one source, one kind of mask, turned or dark faces.",
        ),
    ),
    "locator": (
        (
            "misses",
            "Worst misses",
            "Near faces that were not found, the largest first; the frame is the labelled box. Look for boxes that fit "
            "badly, and for what the missed have in common: profiles, faces cut by the border, darkness.",
        ),
        (
            "false",
            "Surest false detections",
            "Look for real faces that nobody labelled, to be labelled or marked `ignore`; what is left shows which "
            "pictures without faces the training lacks.",
        ),
    ),
}
"""Of each contact sheet: the end of its file's name and its list in the JSON file; heading; what to look for."""


def write_page(folder: Path, title: str = "maskgate: training report") -> Path:
    """Write index.html into the report's folder from the JSON files there, evaluation.json too, and their PNG files."""
    parts = {part: json.loads(file.read_text("utf-8")) for part in PLOTS if (file := folder / f"{part}.json").is_file()}
    evaluation = folder / "evaluation.json"
    judged = json.loads(evaluation.read_text("utf-8")) if evaluation.is_file() else None
    body = [f"<h1>{escape(title)}</h1>", *(evaluation_screen(judged) if judged else ())]
    body += [*_first_screen(parts), *_all_settings(parts)]
    if judged:
        body += evaluation_part(folder, judged)
    for part in parts:
        body += _part(folder, part, parts[part])
    head = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    page = folder / "index.html"
    page.write_text(
        f"{head}<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n",
        encoding="utf-8",
    )
    return page


def _first_screen(parts: dict[str, Figure]) -> Iterator[str]:
    if not parts:
        return
    yield '<p class="soft">Measured on the test split, which training never saw. In small print: the 95 % interval, as '
    yield "if every face and picture stood alone, and the count behind it.</p>"
    cards = {"classifier": _classifier_cards, "locator": _locator_cards}
    for part, content in parts.items():
        yield f'<strong><a href="#{part}">{part.capitalize()}</a></strong><div class="cards">'
        yield from cards[part](content["figures"])
        yield "</div>"


def _classifier_cards(figures: Figure) -> Iterator[str]:
    accepts = figures["false_accepts"]
    yield card("False accepts: bare or incorrect called with_mask", accepts["all"], alarm=True)
    yield card("of the bare faces", accepts[WITHOUT_MASK], alarm=True)
    yield card("of the incorrectly worn", accepts[INCORRECT], alarm=True)
    yield card("False rejects: masked called otherwise", figures["false_rejects"])
    yield card("Accuracy", figures["accuracy"])
    yield card("F1, mean of the labels", figures["macro"]["f1"])


def _locator_cards(figures: Figure) -> Iterator[str]:
    yield card(f"Recall of near faces ({100 * NEAR:.0f} % of the height and more)", figures["recall"])
    yield card("False detections per 100 pictures", figures["false_per_100"], rate=True, alarm=True)
    yield card("Face-free pictures with a false detection", figures["face_free_with_false"], alarm=True)
    threshold = f"{figures['threshold']:.3f}"
    yield f'<div class="card">Threshold<b>{threshold}</b><small>the score from which a face counts</small></div>'


def _all_settings(parts: dict[str, Figure]) -> Iterator[str]:
    if parts:
        yield "<h2>Settings and data</h2>"
    for part, content in parts.items():
        # what tells two reports apart stands first
        rows = sorted(content["settings"].items(), key=lambda item: not item[0].startswith("data"))
        yield f"<h3>{part.capitalize()}</h3>"
        yield from table("settings", (), ((_setting_name(name), _setting(value)) for name, value in rows))


def _setting_name(name: str) -> str:
    return "data fingerprint" if name == "data" else escape(name.replace("_", " "))


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(name))}: {_setting(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_setting, value))
    return escape(str(value))


def _part(folder: Path, part: str, content: Figure) -> Iterator[str]:
    yield f'<h2 id="{part}">{part.capitalize()}</h2>'
    tables = {"classifier": _classifier_tables, "locator": _locator_tables}
    yield from tables[part](content["figures"])
    yield '<h3>Plots</h3><div class="plots">'
    for name, broad, heading, sentence in PLOTS[part]:
        yield f'<figure class="{"broad" if broad else ""}"><h4>{heading}</h4><figcaption>{sentence}</figcaption>'
        shown = image(folder / f"{part}_{name}.png", heading)
        # two panels side by side would be too small to read on a phone
        yield f'<div class="wide">{shown}</div></figure>' if broad else f"{shown}</figure>"
    yield "</div>"
    for name, heading, sentence in SHEETS[part]:
        yield f"<h3>{heading}</h3>"
        yield from sheet(folder / f"{part}_{name}.png", heading, sentence, content[name])


def _classifier_tables(figures: Figure) -> Iterator[str]:
    rows = [(label, *_label_cells(figures["classes"][label])) for label in LABELS]
    rows.append(("mean", *(both(figures["macro"][name]) for name in ("precision", "recall", "f1")), ""))
    yield "<h3>By label</h3>"
    yield from table("", ("label", "precision", "recall", "F1", "average precision"), rows)
    yield "<h3>By source</h3><p>One source far below the others: its photos or its labels differ.</p>"
    sources = figures["sources"].items()
    by_source = ((escape(name), both(each["accuracy"]), both(each["false_accepts"])) for name, each in sources)
    yield from table("", ("source", "accuracy", "false accepts"), by_source)


def _label_cells(figure: Figure) -> tuple[str, ...]:
    area = worth({"value": figure["average_precision"]})
    return *(both(figure[name]) for name in ("precision", "recall", "f1")), area


def _locator_tables(figures: Figure) -> Iterator[str]:
    yield "<h3>By face height</h3>"
    yield f"<p>As a share of the picture's height; below {100 * NEAR:.0f}&nbsp;% a face is far: not counted above.</p>"
    heights = ((_height(each), both(each["recall"])) for each in figures["heights"])
    yield from table("", ("face height", "recall"), heights)
    yield "<h3>By source</h3><p>Near faces; false detections per 100 pictures of the source.</p>"
    sources = figures["sources"].items()
    rows = [(escape(name), both(each["recall"]), both(each["false_per_100"], True)) for name, each in sources]
    yield from table("", ("source", "recall", "false detections"), rows)


def _height(step: Figure) -> str:
    least, below = step["least"], step["below"]
    text = f"{100 * least:.0f} % and more" if below is None else f"{100 * least:.0f} to {100 * below:.0f} %"
    return f'<span class="soft">{text}, far</span>' if least < NEAR else text
