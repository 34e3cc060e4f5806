"""The evaluation as Markdown: what `train.evaluation.evaluate` gives, for the bundle's report and its model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from train.evaluation.tables import RATE, left_out_rows, main_table, markdown, text

OTHERS = {
    "risk": "Refused as unknown, and what is wrong of the rest",
    "agreement": "INT8 against float",
    "speed": "Speed beside a peer's locator",
}
POINTS = "drop"  # ends the names of figures that are differences, in percentage points

Named = dict[str, Any]


def evaluation_tables(evaluation: Named) -> list[str]:
    """Sections of Markdown: the main figures, then whatever else was evaluated."""
    sections = [
        _main(evaluation),
        _suite(evaluation.get("suite") or {}),
        *(_slices(name, each) for name, each in (evaluation.get("slices") or {}).items()),
        *(_rest(title, evaluation.get(key)) for key, title in OTHERS.items()),
        *(_left_out(part, each) for part, each in (evaluation.get("leave_one_out") or {}).items()),
    ]
    return [section for section in sections if section]


def _main(evaluation: Named) -> str:
    lines = [
        "## What it is worth",
        "",
        "Near faces (at least 12 % of the picture's height), INT8, through the device's own code and at the bundle's "
        "own thresholds; with 95 % intervals. Test: whole pictures of the test part; faces: its pictures of a single "
        "face; benchmark: a public set that nothing was trained or chosen on.",
        "",
        main_table(evaluation),
    ]
    if worst := worst_slices(evaluation):
        lines += ["", f"The worst slices: {'; '.join(worst)}."]
    return "\n".join(lines)


def worst_slices(evaluation: Named) -> list[str]:
    """The worst slice of each figure, such as "recall, head turn profile: 70.0 % (...)"."""
    worst: Named = evaluation.get("worst") or {}
    return [
        f"{_spoken(name)}, {each['slice']} {each['value']}: {text(each['figure'])}"
        for name, each in worst.items()
        if each
    ]


def _suite(suite: Named) -> str:
    """The hard cases: a row each."""
    head = ("case", "should be", "crops called with_mask", "found in the picture", "called with_mask there, of all")
    rows = []
    for case, each in suite.items():
        crops, pictures = each["crops"], each["pictures"]
        figures = crops["accepted"], pictures["found"], pictures["accepted_of_all"]
        rows.append((_spoken(case), each["truth"], *map(text, figures)))
    return _section("Hard cases, real and made", [head, *rows])


def _slices(name: str, slices: Named) -> str:
    """By slice and value of a set."""
    head = ("slice", "value", "faces", "found", "false accepts", "false rejects")
    rows = [
        (slice_, value, str(each["faces"]), *(text(each[key]) for key in ("recall", "false_accepts", "false_rejects")))
        for slice_, values in slices.items()
        for value, each in values.items()
    ]
    return _section(f"By slice: {name}", [head, *rows])


def _left_out(part: str, found: Named) -> str:
    """Small models, each trained without one source and tested on it: a row a source."""
    return _section(f"Small {part}s, trained without one source and tested on it", left_out_rows(part, found))


def _rest(title: str, figures: object) -> str:
    return _section(title, [("", ""), *flattened(figures)])


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    """A table, its head first; nothing without more than a head."""
    return f"## {title}\n\n{markdown(rows)}" if len(rows) > 1 else ""


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def flattened(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every figure in a nest of dicts as text, named by the keys that lead to it; what nobody counted is left out."""
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        path = f"{name}, {key}" if name else str(key)
        if not is_figure(inner):
            yield from flattened(inner, path)
        elif inner["value"] is not None:
            yield _spoken(path), _points(inner) if str(key).endswith(POINTS) else text(inner, key == RATE)


def is_figure(value: object) -> bool:
    """Whether this is a value with its interval."""
    return isinstance(value, Mapping) and {"value", "low", "high"} <= value.keys()


def _points(figure: Named) -> str:
    low, value, high = (f"{figure[key]:.2f}" for key in ("low", "value", "high"))
    return f"{value} points ({low} to {high}; {figure['n']:,})"
