import pytest

from convert.__main__ import gate_refusals
from convert.gate import (
    Figure,
    Finds,
    Located,
    Verdicts,
    classifier_figures,
    locator_figures,
    shared,
    table,
)
from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Face


def verdicts(faces: int, changed: int = 0, said: str = UNKNOWN) -> Verdicts:
    """So many faces of each label, all right before; after, the first `changed` bare ones are called `said`."""
    truth = [label for label in LABELS for _ in range(faces)]
    after = [said] * changed + truth[changed:]
    return Verdicts(truth, list(truth), after)


def failed(figures: list[Figure]) -> list[str]:
    return [figure.name for figure in figures if not figure.passed]


def test_a_classifier_that_says_the_same_passes():
    assert failed(classifier_figures(verdicts(300))) == []


def test_every_limit_is_where_it_is_said_to_be():
    # of 3 x 1000 faces 15 are half a point of accuracy, 10 a point of a label's recall
    assert failed(classifier_figures(verdicts(1000, 10))) == []
    assert failed(classifier_figures(verdicts(1000, 11))) == ["classifier recall of without_mask"]
    assert "classifier accuracy" not in failed(classifier_figures(verdicts(1000, 15)))
    assert "classifier accuracy" in failed(classifier_figures(verdicts(1000, 16)))
    assert "classifier verdict agreement" not in failed(classifier_figures(verdicts(1000, 30)))
    assert "classifier verdict agreement" in failed(classifier_figures(verdicts(1000, 31)))


def test_verdicts_that_change_without_costing_accuracy_are_seen():
    truth = [WITH_MASK] * 1000
    before = [UNKNOWN] * 20 + [WITH_MASK] * 980
    after = [WITH_MASK] * 20 + [UNKNOWN] * 20 + [WITH_MASK] * 960
    assert failed(classifier_figures(Verdicts(truth, before, after))) == ["classifier verdict agreement"]


def test_permuted_labels_fail_everything():
    said = verdicts(100)
    said.after = [LABELS[(LABELS.index(label) + 1) % 3] for label in said.after]
    assert len(failed(classifier_figures(said))) == 5


def test_a_label_without_test_faces_has_no_figure():
    said = Verdicts([WITH_MASK, WITHOUT_MASK], [WITH_MASK, WITHOUT_MASK], [WITH_MASK, WITHOUT_MASK])
    assert not any(INCORRECT in figure.name for figure in classifier_figures(said))


def test_of_a_small_class_one_face_may_be_lost_but_not_two():
    assert "classifier recall of without_mask" not in failed(classifier_figures(verdicts(40, 1)))
    assert "classifier recall of without_mask" in failed(classifier_figures(verdicts(40, 2)))


def test_nothing_measured_is_not_passed():
    assert failed(classifier_figures(Verdicts())) == ["classifier accuracy", "classifier verdict agreement"]
    assert len(failed(locator_figures(Located()))) == 3


@pytest.mark.parametrize(
    ("after", "same", "name"),
    [
        (Finds(1000, 950, 50), 1000, None),
        (Finds(1000, 941, 50), 1000, None),
        (Finds(1000, 939, 50), 1000, "locator recall of near faces"),
        (Finds(1000, 950, 62), 1000, "locator precision of near faces"),
        (Finds(1000, 950, 50), 979, "locator box agreement"),
    ],
)
def test_a_locator_fails_by_what_it_lost(after: Finds, same: int, name: str | None):
    located = Located(Finds(1000, 950, 50), after, 1000, same)
    assert failed(locator_figures(located)) == ([name] if name else [])


def test_a_better_int8_model_passes():
    assert Figure("x", 0.9, 0.95, 1000, 1.0).passed


def test_boxes_agree_when_they_overlap_and_far_faces_do_not_count():
    near, moved, far = Box(0, 0, 100, 100), Box(10, 0, 110, 100), Box(200, 200, 210, 210)
    before = [Face(near, 0.9), Face(far, 0.8)]
    assert shared(before, [Face(moved, 0.7)], 50) == (1, 1)
    assert shared(before, [Face(Box(60, 0, 160, 100), 0.7)], 50) == (1, 0)
    assert shared(before, [], 50) == (1, 0)
    assert shared([], before, 50) == (0, 0)


def test_the_table_marks_what_failed_and_the_refusal_names_it():
    figures = [Figure("good one", 0.9, 0.9, 500, 1.0), Figure("bad one", 0.9, 0.8, 50, 1.0)]
    good, bad = table(figures).splitlines()[2:]
    assert "pass" in good and "FAIL" in bad and "2.00 (one sample)" in bad and "10.00" in bad
    assert gate_refusals(figures) == ["bad one: drop of 10.00 points, at most 2.00, 50 samples"]
