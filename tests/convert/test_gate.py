from pathlib import Path

import numpy as np
import pytest

from convert.__main__ import gate_refusals
from convert.gate import (
    Figure,
    Finds,
    Located,
    Verdicts,
    Verified,
    classifier_figures,
    locator_figures,
    measure_classifier,
    measure_locator,
    shared,
    table,
    verified_figures,
)
from edge.classify import MaskClassifier
from edge.contract import ClassifierContract, Tensor
from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Face, Judged, Rgb
from train.datasets import Picture, read_pictures


def sure(label: str, score: float = 0.9) -> Classification:
    """A classification as a device makes it with a threshold of 0.5."""
    rest = (1 - score) / 2
    without, with_mask, incorrect = (score if each == label else rest for each in LABELS)
    return Classification(label if score >= 0.5 else UNKNOWN, score, (without, with_mask, incorrect))


def unsure(label: str) -> Classification:
    return sure(label, 0.4)


def verdicts(faces: int, changed: int = 0, said: str = INCORRECT) -> Verdicts:
    """So many faces of each label, all right before; after, the first `changed` bare ones are called `said`."""
    truth = [label for label in LABELS for _ in range(faces)]
    after = [said] * changed + truth[changed:]
    return Verdicts(truth, list(map(sure, truth)), list(map(sure, after)))


def failed(figures: list[Figure]) -> list[str]:
    return [figure.name.removeprefix("classifier ") for figure in figures if not figure.passed]


def test_a_classifier_that_says_the_same_passes():
    assert failed(classifier_figures(verdicts(300))) == []


def test_every_limit_is_where_it_is_said_to_be():
    # of 3 x 1000 faces 9 are 0.3 points of accuracy, 15 half a point of agreement, 10 a point of a label's recall
    assert failed(classifier_figures(verdicts(1000, 9))) == []
    assert failed(classifier_figures(verdicts(1000, 10))) == ["accuracy"]
    assert "recall of without_mask" not in failed(classifier_figures(verdicts(1000, 10)))
    assert "recall of without_mask" in failed(classifier_figures(verdicts(1000, 11)))
    assert "verdict agreement" not in failed(classifier_figures(verdicts(1000, 15)))
    assert "verdict agreement" in failed(classifier_figures(verdicts(1000, 16)))


def test_verdicts_that_change_without_costing_accuracy_are_seen():
    truth = [WITH_MASK] * 1000
    bare, masked = sure(WITHOUT_MASK), sure(WITH_MASK)
    before = [bare] * 20 + [masked] * 980
    after = [masked] * 20 + [bare] * 20 + [masked] * 960
    assert failed(classifier_figures(Verdicts(truth, before, after))) == ["verdict agreement", "agreement with unknown"]


def test_unknown_leaves_accuracy_alone_but_is_seen():
    truth = [WITH_MASK] * 1000
    before = [sure(WITH_MASK)] * 1000
    assert failed(classifier_figures(Verdicts(truth, before, [unsure(WITH_MASK)] * 20 + before[20:]))) == []
    said = Verdicts(truth, before, [unsure(WITH_MASK)] * 21 + before[21:])
    assert failed(classifier_figures(said)) == ["agreement with unknown"]


def test_improper_faces_that_are_no_longer_refused_are_seen():
    # all were called with_mask before, but not surely enough
    truth = [INCORRECT] * 1000
    before = [unsure(WITH_MASK)] * 1000
    assert failed(classifier_figures(Verdicts(truth, before, [sure(WITH_MASK)] * 10 + before[10:]))) == []
    said = Verdicts(truth, before, [sure(WITH_MASK)] * 11 + before[11:])
    assert failed(classifier_figures(said)) == ["improper faces refused"]


def test_permuted_labels_fail_everything():
    said = verdicts(100)
    said.after = [sure(LABELS[(LABELS.index(each.label) + 1) % 3]) for each in said.after]
    assert len(failed(classifier_figures(said))) == 7


def test_a_label_without_test_faces_has_no_figure():
    both = [WITH_MASK, WITHOUT_MASK]
    said = Verdicts(both, list(map(sure, both)), list(map(sure, both)))
    assert not any(INCORRECT in figure.name for figure in classifier_figures(said))


def test_of_a_small_class_one_face_may_be_lost_but_not_two():
    assert "recall of without_mask" not in failed(classifier_figures(verdicts(40, 1)))
    assert "recall of without_mask" in failed(classifier_figures(verdicts(40, 2)))


def test_nothing_measured_is_not_passed():
    assert failed(classifier_figures(Verdicts())) == ["accuracy", "verdict agreement"]
    assert len(failed(locator_figures(Located()))) == 3
    assert gate_refusals(locator_figures(Located()))[0].endswith("nothing in the test part to measure it on")


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


class Colours:
    """Stands for a network: logits from how much red, blue and green a crop has, in that order or another."""

    def __init__(self, order: tuple[int, int, int] = (0, 2, 1)) -> None:
        self.order = list(order)

    def invoke(self, rgb: Rgb) -> list[np.ndarray]:
        return [rgb.mean((0, 1))[np.newaxis, self.order].astype(np.float32)]


def colour_classifier(*order: int) -> MaskClassifier:
    return MaskClassifier(Colours(*([order] if order else [])), CROPS)


CROPS = ClassifierContract("", "", 24, "RGB", Tensor((), 1, 0), Tensor((), 1, 0), LABELS, 0.0, 1.0, 0.5)


def test_labels_in_another_order_are_refused(photos: Path):
    pictures = read_pictures(photos)
    said = measure_classifier(pictures, CROPS, colour_classifier(), colour_classifier())
    assert failed(classifier_figures(said)) == [] and len(said.truth) > 80
    said = measure_classifier(pictures, CROPS, colour_classifier(), colour_classifier(2, 1, 0))
    assert len(failed(classifier_figures(said))) == 7


class Squares:
    """Stands for a locator: knows each scene's faces by heart, except some."""

    def __init__(self, pictures: list[Picture], forgets: int = 0, invents: int = 0) -> None:
        scenes = [picture for picture in pictures if picture.kind in ("scenes", "negatives")]
        faces = [[Face(each.box, 0.9) for each in picture.boxes] for picture in scenes]
        for number in range(forgets):
            faces[-1 - number].pop()
        for number in range(invents):
            faces[number].append(Face(Box(500, 500, 540, 540), 0.9))
        self.faces = iter(faces)

    def locate(self, rgb: Rgb) -> list[Face]:
        return next(self.faces)


@pytest.mark.parametrize(
    ("forgets", "invents", "names"),
    [
        (0, 0, []),
        (1, 1, []),
        (2, 0, ["locator recall of near faces", "locator box agreement"]),
        (0, 3, ["locator precision of near faces"]),
    ],
)
def test_a_locator_that_forgets_or_invents_is_refused(forgets: int, invents: int, names: list[str], photos: Path):
    pictures = read_pictures(photos)
    located = measure_locator(pictures, Squares(pictures), Squares(pictures, forgets, invents))
    assert (located.before.faces, located.before.found, located.before.false) == (84, 84, 0)
    assert failed(locator_figures(located)) == names


class Proposals:
    """Stands for a judge: one face, as sure as it is told."""

    def judge(self, rgb: Rgb) -> list[Judged]:
        return [Judged(Box(0, 0, 10, 10), 0.4, sure(WITH_MASK))]


def test_verified_finds_carry_the_score_of_both_networks():
    found = Verified(Proposals()).locate(np.zeros((8, 8, 3), np.uint8))  # type: ignore[arg-type]
    assert found == [Face(Box(0, 0, 10, 10), 0.4)]


def test_of_verified_finds_only_what_there_is_is_measured():
    names = [figure.name for figure in verified_figures(Located(Finds(0, 0, 3), Finds(0, 0, 4), 3, 3))]
    assert names == ["verified precision of near faces"]
    assert verified_figures(Located()) == []
