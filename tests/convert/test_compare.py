from pathlib import Path

import numpy as np
import pytest

from convert import compare
from convert.compare import Duel, duel, duels, table
from edge.contract import Bundle
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK


def of(lost: int, won: int, faces: int = 1000) -> Duel:
    """Both right, but for so many of the faces."""
    shipped = np.ones(faces, bool)
    new = np.ones(faces, bool)
    new[:lost] = False
    shipped[lost : lost + won] = False
    return duel("verdicts right", shipped.tolist(), new.tolist())


def test_shares_and_what_tells_the_bundles_apart_are_counted():
    assert of(30, 10) == Duel("verdicts right", 0.99, 0.97, 1000, 30, 10)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (5, 0), (20, 10), (0, 50), (130, 100)])
def test_what_chance_does_is_no_fall(lost: int, won: int):
    assert of(lost, won).passed


@pytest.mark.parametrize(("lost", "won"), [(6, 0), (22, 8), (135, 100)])
def test_what_chance_hardly_does_is_one(lost: int, won: int):
    assert not of(lost, won).passed
    assert of(lost, won).refusal.startswith("verdicts right: ") and f"{lost} of 1000 lost" in of(lost, won).refusal


def test_each_figure_is_held_against_its_own(monkeypatch: pytest.MonkeyPatch):
    hits = {"old": {"faces found": [True] * 9 + [False]}, "new": {"faces found": [True] * 2 + [False] * 8}}
    monkeypatch.setattr(compare, "hits", lambda bundle, pictures: hits[bundle.folder.name])
    old, new = (Bundle(Path(name), None) for name in ("old", "new"))  # type: ignore[arg-type]
    (found,) = duels(old, new, [])
    assert (found.name, found.lost, found.won, found.passed) == ("faces found", 7, 0, False)


def test_the_table_names_the_shipped_bundle_and_marks_what_fell():
    head, _, good, bad = table([of(1, 0), of(40, 2)], "maskgate-2").splitlines()
    assert "maskgate-2" in head and "pass" in good and "FAIL" in bad


class Face:
    def __init__(self, label: int, covered: bool = False) -> None:
        self.label, self.covered = label, covered


@pytest.mark.parametrize(
    ("face", "said", "counts"),
    [
        (Face(0), WITHOUT_MASK, {"verdicts right": True, "without_mask not called with_mask": True}),
        (Face(0, covered=True), WITH_MASK, {"verdicts right": False, "covered not called with_mask": False}),
        (Face(2), "unknown", {"verdicts right": False, "incorrect not called with_mask": True}),
        (Face(1), INCORRECT, {"verdicts right": False, "with_mask called so": False}),
        (Face(1), "no_face", {"verdicts right": False, "with_mask called so": False}),
    ],
)
def test_a_verdict_counts_as_right_and_as_what_it_lets_through(face: Face, said: str, counts: dict[str, bool]):
    assert dict(compare._verdict(face, said)) == counts  # type: ignore[arg-type]
