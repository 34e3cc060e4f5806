"""The report as one self-contained page: no scripts, nothing from outside, pictures embedded; light and dark."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from edge.values import INCORRECT, LABELS, WITHOUT_MASK
from train.measure import NEAR, Figure

NOTHING = "&ndash;"

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --card: #f6f8fa;
  --alarm: #c1121f; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --card: #161b22; --alarm: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1rem 4rem; max-width: 70rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { margin: 2rem 0 .25rem; } h4 { margin: .75rem 0 0; } p { margin: .25rem 0 .75rem; max-width: 45rem; }
a { color: inherit; }
.soft, figcaption, small { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13.5rem, 45%), 1fr)); gap: .75rem;
  margin: .5rem 0 1rem; }
.card { padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
.card b { display: block; font-size: 1.7rem; line-height: 1.3; } .card small { display: block; line-height: 1.4; }
.alarm { border-left: .3rem solid var(--alarm); }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } small span { white-space: nowrap; } .settings td + td { overflow-wrap: anywhere; }
img { display: block; max-width: 100%; height: auto; padding: .5rem; background: #fff; border-radius: .5rem;
  border: 1px solid var(--line); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem;
  align-items: start; }
.plots .broad { grid-column: 1 / -1; } figure { margin: 0; } figcaption { margin: .25rem 0 .5rem; max-width: 45rem; }
.wide img { max-width: none; width: 100%; min-width: 40rem; } img.sheet { max-width: 68rem; }
@media (max-width: 40rem) { table { font-size: .9rem; } th, td { padding-right: .6rem; } }
summary { cursor: pointer; } ol { overflow-wrap: anywhere; font-size: .9rem; }
@media print { .wide { overflow: visible; } }
"""

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
    """Write index.html into the report's folder from classifier.json, locator.json and their PNG files."""
    parts = {part: json.loads(file.read_text("utf-8")) for part in PLOTS if (file := folder / f"{part}.json").is_file()}
    body = [f"<h1>{escape(title)}</h1>", *_first_screen(parts), *_all_settings(parts)]
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
    yield '<p class="soft">Measured on the test split, which training never saw. In small print: the 95 % interval, as '
    yield "if every face and picture stood alone, and the count behind it.</p>"
    cards = {"classifier": _classifier_cards, "locator": _locator_cards}
    for part, content in parts.items():
        yield f'<strong><a href="#{part}">{part.capitalize()}</a></strong><div class="cards">'
        yield from cards[part](content["figures"])
        yield "</div>"


def _classifier_cards(figures: Figure) -> Iterator[str]:
    accepts = figures["false_accepts"]
    yield _card("False accepts: bare or incorrect called with_mask", accepts["all"], alarm=True)
    yield _card("of the bare faces", accepts[WITHOUT_MASK], alarm=True)
    yield _card("of the incorrectly worn", accepts[INCORRECT], alarm=True)
    yield _card("False rejects: masked called otherwise", figures["false_rejects"])
    yield _card("Accuracy", figures["accuracy"])
    yield _card("F1, mean of the labels", figures["macro"]["f1"])


def _locator_cards(figures: Figure) -> Iterator[str]:
    yield _card(f"Recall of near faces ({100 * NEAR:.0f} % of the height and more)", figures["recall"])
    yield _card("False detections per 100 pictures", figures["false_per_100"], rate=True, alarm=True)
    yield _card("Face-free pictures with a false detection", figures["face_free_with_false"], alarm=True)
    threshold = f"{figures['threshold']:.3f}"
    yield f'<div class="card">Threshold<b>{threshold}</b><small>the score from which a face counts</small></div>'


def _card(name: str, figure: Figure, rate: bool = False, alarm: bool = False) -> str:
    kind = "card alarm" if alarm else "card"
    return f'<div class="{kind}">{escape(name)}<b>{_value(figure, rate)}</b><small>{_basis(figure, rate)}</small></div>'


def _value(figure: Figure, rate: bool = False) -> str:
    value = figure["value"]
    if value is None:
        return NOTHING
    return f"{value:.1f}" if rate else f"{100 * value:.1f} %"


def _basis(figure: Figure, rate: bool = False) -> str:
    """The interval and the count behind it; in a rate, one picture may count several times."""
    if figure["value"] is None:
        return "none in the test split"
    scale, unit, link = (1, "", "in") if rate else (100, " %", "of")
    basis = f"{figure['count']:,} {link} {figure['n']:,}" if "count" in figure else f"{figure['n']:,} faces"
    interval = f"{scale * figure['low']:.1f} to {scale * figure['high']:.1f}{unit}"
    return f"<span>{interval}</span> · <span>{basis}</span>"


def _all_settings(parts: dict[str, Figure]) -> Iterator[str]:
    yield "<h2>Settings and data</h2>"
    for part, content in parts.items():
        # what tells two reports apart stands first
        rows = sorted(content["settings"].items(), key=lambda item: not item[0].startswith("data"))
        yield f"<h3>{part.capitalize()}</h3>"
        yield from _table("settings", (), ((_setting_name(name), _setting(value)) for name, value in rows))


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
        image = _image(folder / f"{part}_{name}.png", heading)
        # two panels side by side would be too small to read on a phone
        yield f'<div class="wide">{image}</div></figure>' if broad else f"{image}</figure>"
    yield "</div>"
    for name, heading, sentence in SHEETS[part]:
        yield f"<h3>{heading}</h3>"
        yield from _sheet(folder / f"{part}_{name}.png", heading, sentence, content[name])


def _classifier_tables(figures: Figure) -> Iterator[str]:
    rows = [(label, *_label_cells(figures["classes"][label])) for label in LABELS]
    rows.append(("mean", *(_both(figures["macro"][name]) for name in ("precision", "recall", "f1")), ""))
    yield "<h3>By label</h3>"
    yield from _table("", ("label", "precision", "recall", "F1", "average precision"), rows)
    yield "<h3>By source</h3><p>One source far below the others: its photos or its labels differ.</p>"
    sources = figures["sources"].items()
    by_source = ((escape(name), _both(each["accuracy"]), _both(each["false_accepts"])) for name, each in sources)
    yield from _table("", ("source", "accuracy", "false accepts"), by_source)


def _label_cells(figure: Figure) -> tuple[str, ...]:
    area = _value({"value": figure["average_precision"]})
    return *(_both(figure[name]) for name in ("precision", "recall", "f1")), area


def _locator_tables(figures: Figure) -> Iterator[str]:
    yield "<h3>By face height</h3>"
    yield f"<p>As a share of the picture's height; below {100 * NEAR:.0f}&nbsp;% a face is far: not counted above.</p>"
    heights = ((_height(each), _both(each["recall"])) for each in figures["heights"])
    yield from _table("", ("face height", "recall"), heights)
    yield "<h3>By source</h3><p>Near faces; false detections per 100 pictures of the source.</p>"
    sources = figures["sources"].items()
    rows = [(escape(name), _both(each["recall"]), _both(each["false_per_100"], True)) for name, each in sources]
    yield from _table("", ("source", "recall", "false detections"), rows)


def _height(step: Figure) -> str:
    least, below = step["least"], step["below"]
    text = f"{100 * least:.0f} % and more" if below is None else f"{100 * least:.0f} to {100 * below:.0f} %"
    return f'<span class="soft">{text}, far</span>' if least < NEAR else text


def _both(figure: Figure, rate: bool = False) -> str:
    return f"{_value(figure, rate)}<br><small>{_basis(figure, rate)}</small>"


def _table(kind: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows of finished HTML."""
    yield f'<div class="wide"><table class="{kind}">'
    if head:
        yield "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table></div>"


def _sheet(file: Path, heading: str, sentence: str, listed: Sequence[Figure]) -> Iterator[str]:
    if not listed:
        yield "<p>None in the test split.</p>"
        return
    yield f'<p>{sentence}</p><div class="wide">{_image(file, heading, "sheet")}</div>'
    yield "<details><summary>Names of these pictures</summary><ol>"
    yield from (f"<li>{escape(each['name'])} <small>{_detail(each)}</small></li>" for each in listed)
    yield "</ol></details>"


def _detail(each: Figure) -> str:
    verdict = f"{each['truth']} → {each['verdict']}" if "truth" in each else f"box {each['box']}"
    return f"{verdict}, {each['score']:.2f}, {escape(each['source'])}"


def _image(file: Path, meaning: str, kind: str = "") -> str:
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return f'<img class="{kind}" alt="{escape(meaning)}" src="data:image/png;base64,{data}">'
