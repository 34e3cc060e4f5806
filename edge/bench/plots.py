"""The bench's plots, by matplotlib (the demo extra): PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from edge.bench.measure import CAPTURE, STAGES

# told apart by colour-blind people too (Okabe and Ito)
COLOURS = "#999999", "#56b4e9", "#cc79a7", "#0072b2", "#882255", "#f0e442", "#e69f00", "#009e73", "#d55e00"
BLUE, ORANGE = COLOURS[3], COLOURS[6]
STYLE = {
    "font.size": 10.0, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e1e4e8",
    "axes.axisbelow": True, "lines.linewidth": 1.8, "legend.frameon": False,
}  # fmt: skip

styled = matplotlib.rc_context(STYLE)
Rows = Sequence[dict[str, Any]]


@styled
def stages(file: Path, runs: Rows) -> None:
    """A bar a scene: the median of each stage, one upon the other; without the capture."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    names = [f"{run['width']}\nx{run['height']}\n{run['faces']}" for run in runs]
    floor = [0.0] * len(runs)
    for stage, colour in zip(STAGES, COLOURS, strict=True):
        if stage == CAPTURE:
            continue
        heights = [run["stages_ms"][stage]["p50"] for run in runs]
        axes.bar(names, heights, bottom=floor, color=colour, label=stage)
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    axes.set(ylabel="milliseconds, medians", xlabel="frame, and faces in it")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _save(figure, file)


@styled
def growth(file: Path, faces: Rows, sizes: Rows, hours: Rows) -> None:
    """Cost by faces, by size, and over hours."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    first.plot([row["faces"] for row in faces], [row["frame_ms"] for row in faces], "o-", color=BLUE)
    first.set(xlabel="faces in a frame of 640x480", ylabel="milliseconds a frame", ylim=(0, None))
    pixels = sorted(sizes, key=lambda row: int(row["width"] * row["height"]))
    million = [row["width"] * row["height"] / 1e6 for row in pixels]
    second.plot(million, [row["frame_ms"] for row in pixels], "o-", color=BLUE, label="frame, one face")
    second.plot(million, [row["capture_ms"] for row in pixels], "o--", color=ORANGE, label="decoding its JPEG")
    second.set(xlabel="million pixels of the frame", ylim=(0, None))
    second.legend()
    _over_hours(third, hours)
    _save(figure, file)


def _over_hours(axes: Any, hours: Rows) -> None:
    other = axes.twinx()
    for each, key, colour, label in ((axes, "frame_ms", BLUE, "ms a frame"), (other, "megabytes", ORANGE, "MB")):
        values = [row[key] for row in hours]
        each.plot([row["hours"] for row in hours], values, color=colour, label=label)
        each.set_ylim(0, 1.2 * max(values))  # a level line shall not lie on the frame
    axes.set_xlabel("hours of the scene's time")
    other.set_ylabel("megabytes resident, of the bench")
    other.grid(False)
    axes.legend(handles=[*axes.lines, *other.lines], loc="lower right")


def _save(figure: Figure, file: Path) -> None:
    # no version or date inside, so that the same figures give the same file
    figure.savefig(file, dpi=110, metadata={"Software": None})
