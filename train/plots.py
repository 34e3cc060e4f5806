"""The report's pictures, as PNG files: curves by matplotlib (Agg, no window), contact sheets by Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import average_precision_score, precision_recall_curve

from edge.preprocess import face_input, resize
from edge.values import LABELS, Box, Rgb
from train.crops import Crop
from train.measure import THRESHOLDS, Floats, Numbers, calibration_error, reliability

# told apart by colour-blind people too (Okabe and Ito)
COLOURS = dict(zip(LABELS, ("#d55e00", "#009e73", "#cc9900"), strict=True))
BLUE, GREEN, RED, GREY = "#0072b2", "#2da44e", "#d1242f", "#6e7781"
STYLE = {
    "font.size": 11.0, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e1e4e8",
    "axes.axisbelow": True, "lines.linewidth": 1.8, "legend.frameon": False,
}  # fmt: skip

styled = matplotlib.rc_context(STYLE)

TILE, GAP, COLUMNS = 168, 12, 6  # pixels of a contact sheet
CAPTION, LINE = 13, 18


@styled
def confusion(file: Path, counts: Sequence[Sequence[int]]) -> None:
    """Counts, and below each its share of the row, which also gives the colour."""
    rows = np.array(counts)
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    canvas, (axes,) = canvas_of(1, (5.6, 4.8))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), part in np.ndenumerate(shares):
        text = f"{rows[row, column]:,}\n{100 * part:.1f} %"
        axes.text(column, row, text, ha="center", va="center", color="white" if part > 0.5 else "#1f2328")
    axes.set(xticks=range(3), yticks=range(3), xticklabels=LABELS, xlabel="verdict", ylabel="truth")
    axes.set_yticklabels(LABELS, rotation=90, va="center")
    axes.grid(False)
    save(canvas, file)


@styled
def precision_recall(file: Path, truth: Numbers, probabilities: NDArray[np.float32]) -> None:
    """One curve a label that occurs; the whole of it, and the corner where good networks differ."""
    canvas, panels = canvas_of(2, (10, 4.4))
    for k in np.unique(truth):
        label = LABELS[k]
        precision, recall, _ = precision_recall_curve(truth == k, probabilities[:, k])
        average = average_precision_score(truth == k, probabilities[:, k])
        for axes in panels:
            axes.plot(recall, precision, color=COLOURS[label], label=f"{label}: AP {average:.3f}")
    for axes, least in zip(panels, (0.0, 0.9), strict=True):
        edge = (1 - least) * 0.02
        axes.set(xlabel="recall", ylabel="precision", xlim=(least, 1 + edge), ylim=(least, 1 + edge))
    panels[0].legend(loc="lower left")
    panels[1].set_title("the upper right corner", fontsize=11)
    save(canvas, file)


@styled
def learning(file: Path, history: dict[str, list[float]], head_epochs: int | None) -> None:
    """Loss and, where there is one, accuracy by epoch; a dashed line where fine-tuning begins."""
    names = [name for name in ("loss", "accuracy") if history.get(name) or history.get(f"val_{name}")]
    canvas, panels = canvas_of(max(1, len(names)), (10, 4))
    for axes, name in zip(panels, names, strict=False):
        for key, colour, meaning in ((name, BLUE, "training"), (f"val_{name}", COLOURS[LABELS[0]], "validation")):
            values = history.get(key, [])
            if values:
                axes.plot(range(1, len(values) + 1), values, color=colour, label=meaning, marker="o", markersize=3.5)
        if head_epochs and head_epochs < len(history.get(name, [])):
            axes.axvline(head_epochs + 0.5, color=GREY, linestyle="--", linewidth=1, label="fine-tuning begins")
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    save(canvas, file)


@styled
def curves(file: Path, histories: Mapping[str, dict[str, list[float]]]) -> None:
    """Accuracy by epoch of several trainings: dotted on the training samples, whole lines on the validation part."""
    canvas, (axes,) = canvas_of(1, (8, 4.4))
    for (name, history), colour in zip(histories.items(), cycle((BLUE, RED, GREEN, GREY)), strict=False):
        for key, line in (("accuracy", ":"), ("val_accuracy", "-")):
            values = history.get(key, [])
            label = name if line == "-" else None
            axes.plot(range(1, len(values) + 1), values, line, color=colour, label=label)
    axes.set(xlabel="epoch", ylabel="accuracy (dotted: training samples)")
    axes.legend()
    save(canvas, file)


@styled
def calibration(file: Path, truth: Numbers, probabilities: NDArray[np.float32]) -> None:
    """Share right against mean score, with 95 % intervals, over the number of faces."""
    scores, right = zip(*reliability(truth, probabilities), strict=True)
    value, low, high, n = (np.array([each[key] for each in right]) for key in ("value", "low", "high", "n"))
    canvas = Canvas(figsize=(5.6, 5.4), layout="constrained")
    upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1, label="perfect")
    upper.errorbar(scores, value, yerr=(value - low, high - value), color=BLUE, marker="o", capsize=3, label="measured")
    error = calibration_error(truth, probabilities)
    upper.set(ylabel="share right", ylim=(0, 1.03))
    upper.set_title(f"expected calibration error {error:.3f}", fontsize=11)
    upper.legend(loc="upper left")
    lower.bar(scores, n, width=0.02, color=BLUE)
    lower.set(xlabel="score of the verdict", ylabel="faces", yscale="log", xlim=(0.3, 1.02), ylim=(0.5, 2 * n.max()))
    save(canvas, file)


@styled
def working_points(file: Path, recall: Floats, false: Floats, threshold: float) -> None:
    """Recall against false detections, and both against the threshold; the chosen threshold is marked."""
    chosen = int(np.abs(THRESHOLDS - threshold).argmin())
    canvas, (left, right) = canvas_of(2, (10, 4.4))
    left.plot(false, recall, color=BLUE)
    left.plot(false[chosen], recall[chosen], "o", color=RED, label=f"threshold {threshold:.3f}")
    left.set(xlabel="false detections per 100 pictures", ylabel="recall of near faces")
    widest = max(30.0, 2.5 * false[chosen])
    lowest = np.clip(np.nan_to_num(recall[chosen]) - 0.2, 0, 0.8)
    left.set(xlim=(-0.02 * widest, widest), ylim=(lowest, 1.005))
    left.legend(loc="lower right")
    right.plot(THRESHOLDS, recall, color=BLUE)
    right.set_xlabel("threshold")
    right.set_ylabel("recall of near faces", color=BLUE)
    right.set(xlim=(0, 1), ylim=(0, 1.02))
    right.axvline(threshold, color=RED, linestyle="--", linewidth=1)
    other = right.twinx()
    other.plot(THRESHOLDS, false, color=COLOURS[LABELS[0]])
    other.set_ylabel("false detections per 100 pictures", color=COLOURS[LABELS[0]])
    other.set_ylim(0, 2 * widest)
    other.grid(False)
    save(canvas, file)


@dataclass(frozen=True)
class Tile:
    """A square of a contact sheet: uint8 (N, N, 3), two lines below it, and a red frame where `alarm`."""

    rgb: Rgb
    lines: tuple[str, str]
    alarm: bool = False


def surroundings(rgb: Rgb, box: Box, colour: str) -> Rgb:
    """A box in the middle of a square twice as wide as its longer side, drawn: uint8 (TILE, TILE, 3).

    What lies beyond the picture is light grey.
    """
    longer = max(box.width, box.height)
    beyond = int(longer) + 1
    wide = cv2.copyMakeBorder(rgb, beyond, beyond, beyond, beyond, cv2.BORDER_CONSTANT, value=(225, 228, 232))
    tile = face_input(np.asarray(wide, np.uint8), Box(*(side + beyond for side in box)), Crop(TILE, 0.5)).copy()
    reach = np.array([box.width, box.height]) / longer * TILE / 4
    corners = np.round([TILE / 2 - reach, TILE / 2 + reach]).astype(int)
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return np.asarray(cv2.rectangle(tile, corners[0].tolist(), corners[1].tolist(), (red, green, blue), 2), np.uint8)


def contact_sheet(file: Path, tiles: Sequence[Tile]) -> None:
    """The tiles, numbered from 1, COLUMNS in a row."""
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    step, row_step = TILE + GAP, TILE + 2 * LINE + GAP
    sheet = Image.new("RGB", (columns * step + GAP, rows * row_step + GAP), "white")
    for k, tile in enumerate(tiles):
        _paste(sheet, tile, k + 1, (GAP + k % columns * step, GAP + k // columns * row_step))
    sheet.save(file, optimize=True)


def _paste(sheet: Image.Image, tile: Tile, number: int, corner: tuple[int, int]) -> None:
    x, y = corner
    pen, font = ImageDraw.Draw(sheet), _font()
    sheet.paste(Image.fromarray(resize(tile.rgb, TILE, TILE)), corner)
    if tile.alarm:
        pen.rectangle((x - 4, y - 4, x + TILE + 3, y + TILE + 3), outline=RED, width=4)
    badge = pen.textbbox((x + 4, y + 2), str(number), font=font)
    pen.rectangle((x, y, badge[2] + 4, badge[3] + 4), fill="white")
    pen.text((x + 4, y + 2), str(number), fill="#1f2328", font=font)
    for k, line in enumerate(tile.lines):
        text = _fitted(line, font, TILE)
        pen.text((x, y + TILE + 5 + k * LINE), text, fill=RED if tile.alarm and k == 0 else "#1f2328", font=font)


def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")), CAPTION)


def _fitted(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"


def canvas_of(panels: int, inches: tuple[float, float]) -> tuple[Canvas, Sequence[Any]]:
    canvas = Canvas(figsize=inches, layout="constrained")
    return canvas, canvas.subplots(1, panels, squeeze=False)[0]


def save(canvas: Canvas, file: Path) -> None:
    # no version or date inside, so that the same figures give the same file
    canvas.savefig(file, dpi=144, metadata={"Software": None})
