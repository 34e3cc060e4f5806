"""The main figures of an evaluation as one Markdown table, as readable on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edge.values import INCORRECT, WITHOUT_MASK
from train.measure import Figure
from train.readers import COVERED

MAIN = (
    ("recall", "near faces found"),
    ("false_per_100", "false detections per 100 pictures"),
    ("face_free_found", "face-free pictures with a face found"),
    ("false_accepts.without_mask", "bare called masked"),
    ("false_accepts.covered", "of them covered by something else"),
    ("false_accepts.incorrect", "wrongly worn called masked"),
    ("false_rejects", "masked called otherwise"),
    ("unknown", "found faces called unknown"),
    ("granted_wrongly", "pictures granted wrongly"),
    ("granted_rightly", "pictures granted rightly"),
)
"""The figures of Counts that stand first, by their path, and what they are called."""

RATE = "false_per_100"
ALARMING = ("false_per_100", "face_free_found", *(f"false_accepts.{x}" for x in (WITHOUT_MASK, COVERED, INCORRECT)))


CLASSIFIER, LOCATOR = "classifier", "locator"
LEFT_OUT = {
    CLASSIFIER: (
        "class_accuracy",
        *(f"false_accepts.{x}" for x in (WITHOUT_MASK, COVERED, INCORRECT)),
        "false_rejects",
    ),
    LOCATOR: ("recall", "false_per_100", "face_free_with_false"),
}
"""The figures that are shown of models that were trained without a source, by their path."""


def at(counts: Figure, path: str) -> Figure:
    """The figure at a path such as "false_accepts.covered"."""
    for key in path.split("."):
        counts = counts[key]
    return counts


def text(figure: Figure, rate: bool = False) -> str:
    """A figure with its interval and what it rests on: "97.2 % (95.8 to 98.1; 826 of 850)"."""
    if figure["value"] is None:
        return "-"
    scale, unit = (1, "") if rate else (100, " %")
    low, value, high = (f"{scale * figure[key]:.1f}" for key in ("low", "value", "high"))
    basis = f"{figure['count']:,} {'in' if rate else 'of'} {figure['n']:,}" if "count" in figure else f"{figure['n']:,}"
    return f"{value}{unit} ({low} to {high}; {basis})"


def main_table(found: Figure) -> str:
    """The figures of MAIN, a column each set, of near faces, with their 95 % intervals."""
    near = [each["near"] for each in found["sets"].values()]
    rows = [(name, *(text(at(counts, path), path == RATE) for counts in near)) for path, name in MAIN]
    return markdown([("", *found["sets"]), *rows])


def left_out_rows(part: str, found: Figure) -> list[tuple[str, ...]]:
    """What leaving each source out gave of the classifier or the locator: the head, then a row a source."""
    columns = LEFT_OUT[part]
    names = (path.replace("_", " ").replace(".", ", ") for path in columns)
    sources = sorted(found["sources"].items())
    rows = [(source, *(text(at(figures, path), path == RATE) for path in columns)) for source, figures in sources]
    return [(f"{part} without", *names), *rows]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, the first of them the head, in columns of even width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)
