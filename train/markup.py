"""Pieces of the report's page: figures as text, cards, tables, contact sheets, each as finished HTML."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from train.measure import Figure

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


def card(name: str, figure: Figure, rate: bool = False, alarm: bool = False) -> str:
    kind = "card alarm" if alarm else "card"
    return f'<div class="{kind}">{escape(name)}<b>{worth(figure, rate)}</b><small>{basis(figure, rate)}</small></div>'


def worth(figure: Figure, rate: bool = False) -> str:
    value = figure["value"]
    if value is None:
        return NOTHING
    return f"{value:.1f}" if rate else f"{100 * value:.1f} %"


def basis(figure: Figure, rate: bool = False) -> str:
    """The interval and the count behind it; in a rate, one picture may count several times."""
    if figure["value"] is None:
        return "nothing to count"
    scale, unit, link = (1, "", "in") if rate else (100, " %", "of")
    count = f"{figure['count']:,} {link} {figure['n']:,}" if "count" in figure else f"{figure['n']:,} faces"
    interval = f"{scale * figure['low']:.1f} to {scale * figure['high']:.1f}{unit}"
    return f"<span>{interval}</span> · <span>{count}</span>"


def both(figure: Figure, rate: bool = False) -> str:
    return f"{worth(figure, rate)}<br><small>{basis(figure, rate)}</small>"


def table(kind: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows of finished HTML."""
    yield f'<div class="wide"><table class="{kind}">'
    if head:
        yield "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table></div>"


def sheet(file: Path, heading: str, sentence: str, listed: Sequence[Figure]) -> Iterator[str]:
    if not listed:
        yield "<p>None in the test split.</p>"
        return
    yield f'<p>{sentence}</p><div class="wide">{image(file, heading, "sheet")}</div>'
    yield "<details><summary>Names of these pictures</summary><ol>"
    yield from (f"<li>{escape(each['name'])} <small>{_detail(each)}</small></li>" for each in listed)
    yield "</ol></details>"


def _detail(each: Figure) -> str:
    verdict = f"{each['truth']} → {each['verdict']}" if "truth" in each else f"box {each['box']}"
    return f"{verdict}, {each['score']:.2f}, {escape(each['source'])}"


def image(file: Path, meaning: str, kind: str = "") -> str:
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return f'<img class="{kind}" alt="{escape(meaning)}" src="data:image/png;base64,{data}">'
