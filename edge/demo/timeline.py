"""A picture of a whole run: key frames, the state, each face's votes and the output lines, over time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from edge.draw import LABEL_COLOURS, STATE_COLOURS, Colour
from edge.values import Decision, Rgb, State

LINE_COLOURS = {"green": "#1eaa3c", "yellow": "#ebc828", "red": "#d72828"}
OTHER_LINE = "#3b6fb5"
INK, GRID = "#2b3036", "#e3e6e9"
MOST_KEY_FRAMES = 7


@dataclass(frozen=True)
class Span:
    """A stretch of time, in seconds, and what held then."""

    start: float
    end: float
    value: str

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2


def state_spans(decisions: Sequence[Decision], end: float) -> list[Span]:
    """Each state with its time, in order; the last lasts until `end`."""
    runs = [next(run) for _, run in groupby(decisions, key=lambda decision: decision.state)]
    ends = [run.time for run in runs[1:]] + [end]
    return [Span(run.time, until, run.state) for run, until in zip(runs, ends, strict=False)]


def line_spans(outputs: Iterable[Mapping[str, Any]], end: float) -> dict[str, list[Span]]:
    """When each output line was active, from the records of simulated outputs: time, line, active; in order."""
    spans: dict[str, list[Span]] = {}
    since: dict[str, float] = {}
    for record in outputs:
        name = record["line"]
        spans.setdefault(name, [])
        if record["active"]:
            since.setdefault(name, record["time"])
        elif name in since:
            spans[name].append(Span(since.pop(name), record["time"], name))
    for name, start in since.items():
        spans[name].append(Span(start, end, name))
    return spans


def key_spans(spans: Sequence[Span]) -> list[Span]:
    """The spans worth a picture: the longest few, in order."""
    longest = sorted(spans, key=lambda span: span.start - span.end)[:MOST_KEY_FRAMES]
    return sorted(longest, key=lambda span: span.start)


def read_records(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def draw_timeline(
    file: Path,
    decisions: Sequence[Decision],
    lines: Mapping[str, Sequence[Span]],
    pictures: Sequence[tuple[Span, Rgb]],
    end: float,
) -> None:
    """Write the timeline as a PNG.

    decisions: one a frame. lines: each output line with the times it was active. pictures: key frames, in order, with
    the span that each stands for. end: seconds.
    """
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(16, 8.4), dpi=110, facecolor="white", layout="constrained")
    top, charts = figure.subfigures(2, 1, height_ratios=[0.3, 0.7])
    bands, votes, outputs = charts.subplots(3, 1, sharex=True, height_ratios=[0.55, 1.5, 0.35 + 0.28 * len(lines)])
    _draw_states(bands, state_spans(decisions, end))
    _draw_votes(votes, decisions)
    _draw_lines(outputs, lines)
    outputs.set_xlim(0, end)
    outputs.set_xlabel("seconds", color=INK)
    _draw_pictures(top, bands, pictures)
    figure.savefig(file)


def _draw_states(axes: Any, spans: Sequence[Span]) -> None:
    """The state as coloured bands, named where there is room."""
    for span in spans:
        axes.axvspan(span.start, span.end, color=_shade(STATE_COLOURS[State(span.value)]), linewidth=0)
        if span.end - span.start > 0.15 * len(span.value):
            axes.text(span.middle, 0.5, span.value, ha="center", va="center", color="white", weight="bold", size=13)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    _tidy(axes, "state")


def _draw_votes(axes: Any, decisions: Sequence[Decision]) -> None:
    """Of each face, the weight of its label among its votes."""
    named: set[str] = set()
    for face in sorted({track.id for decision in decisions for track in decision.tracks}):
        points = [(d.time, t.score, t.label) for d in decisions for t in d.tracks if t.id == face]
        for label, run in groupby(points, key=lambda point: point[2]):
            times, scores, _ = zip(*run, strict=True)
            shown = None if label in named else label
            axes.plot(
                times, scores, color=_shade(LABEL_COLOURS[label]), linewidth=3, solid_capstyle="round", label=shown
            )
            named.add(label)
        axes.annotate(f"face {face} ", points[0][:2], ha="right", va="center", color=INK)
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0, 0.5, 1])
    if named:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    _tidy(axes, "weight of the\nface's label")


def _draw_lines(axes: Any, lines: Mapping[str, Sequence[Span]]) -> None:
    """When each output line was active."""
    for row, (name, spans) in enumerate(lines.items()):
        colour = LINE_COLOURS.get(name, OTHER_LINE)
        axes.axhline(row, color=GRID, linewidth=9, solid_capstyle="butt", zorder=0)
        axes.broken_barh([(span.start, span.end - span.start) for span in spans], (row - 0.33, 0.66), color=colour)
    axes.set_yticks(range(len(lines)), list(lines))
    axes.set_ylim(len(lines) - 0.4, -0.6)
    _tidy(axes, "lines\nswitched on ")


def _draw_pictures(top: Any, bands: Any, pictures: Sequence[tuple[Span, Rgb]]) -> None:
    """The key frames in a row, each tied to its place in time."""
    from matplotlib.patches import ConnectionPatch

    if not pictures:
        return
    for axes, (span, rgb) in zip(top.subplots(1, len(pictures), squeeze=False)[0], pictures, strict=True):
        colour = _shade(STATE_COLOURS[State(span.value)])
        axes.imshow(rgb)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(f"{span.value}  {span.start:.1f} - {span.end:.1f} s", color=INK, size=11)
        for side in axes.spines.values():
            side.set(color=colour, linewidth=4)
        tie = ConnectionPatch((0.5, 0), (span.middle, 1), "axes fraction", "data", axesA=axes, axesB=bands)
        tie.set(color=colour, linewidth=1.5)
        top.figure.add_artist(tie)


def _tidy(axes: Any, name: str) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", color=INK, size=11, labelpad=12)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _shade(colour: Colour) -> tuple[float, float, float]:
    """A colour of 0 to 255 as matplotlib takes it, 0 to 1."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
