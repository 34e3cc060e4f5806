"""What UNKNOWN buys: how many faces are refused as unjudgeable, and how much is left wrong, at every threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.values import LABELS, WITH_MASK
from train.evaluation.verdicts import Verdict, known, likeliest
from train.measure import Figure, share
from train.plots import BLUE, COLOURS, RED, canvas_of, save, styled

POINTS = 200  # of the curve at most


def risk(verdicts: Sequence[Verdict], threshold: float) -> Figure:
    """Risk of `train.evaluation.evaluate`, of the found faces whose label is known.

    A face whose score is below the threshold is refused. Of the others are wrong: the likeliest label is not the true
    one; false accepts: improper faces whose likeliest label is with_mask, of all that are judged.
    """
    told = [(known(each.truth.label), each.found.classification) for each in verdicts if each.found]
    faces = [(truth, said) for truth, said in told if truth is not None]
    scores = np.array([said.score for _, said in faces])
    called = np.array([likeliest(said) for _, said in faces], dtype=str)
    truth = np.array([each for each, _ in faces], dtype=str)
    wrong = called != truth
    accepted = wrong & (called == WITH_MASK)
    curve = [_point(float(at), scores, wrong, accepted) for at in _thresholds(scores)]
    judged = scores >= threshold
    return {
        "threshold": threshold,
        "refused": share((~judged).sum(), len(faces)),
        "wrong": share(wrong[judged].sum(), judged.sum()),
        "false_accepts": share(accepted[judged].sum(), judged.sum()),
        "curve": curve,
    }


def _point(at: float, scores: np.ndarray, wrong: np.ndarray, accepted: np.ndarray) -> list[float]:
    judged = scores >= at
    return [at, 1 - float(judged.mean()), float(wrong[judged].mean()), float(accepted[judged].mean())]


def _thresholds(scores: np.ndarray) -> np.ndarray:
    """The scores that occur, thinned evenly to POINTS."""
    each = np.unique(scores)
    return np.asarray(each[np.unique(np.linspace(0, len(each) - 1, POINTS).astype(int))] if len(each) else each)


@styled
def plot_risk(file: Path, risks: dict[str, Figure]) -> None:
    """A panel for each set: what is left wrong over what is refused; the bundle's own threshold is marked."""
    canvas, panels = canvas_of(len(risks), (5 * len(risks), 4.2))
    for axes, (name, each) in zip(panels, risks.items(), strict=True):
        _, refused, wrong, accepted = 100 * np.array(each["curve"]).reshape(-1, 4).T
        at = 100 * (each["refused"]["value"] or 0.0)
        for values, key, colour, meaning in (
            (wrong, "wrong", BLUE, "wrong"),
            (accepted, "false_accepts", COLOURS[LABELS[0]], "false accepts"),
        ):
            axes.plot(refused, values, color=colour, label=meaning)
            axes.plot(at, 100 * (each[key]["value"] or 0.0), "o", color=RED)
        axes.plot([], [], "o", color=RED, label=f"the bundle's threshold {each['threshold']:.2f}")
        axes.set(xlabel="faces refused as unknown, %", ylabel="of the judged, %", title=name)
        axes.set(xlim=(0, max(20.0, 2 * at)), ylim=(0, None))
        axes.legend()
    save(canvas, file)
