from collections import Counter

import numpy as np
import pytest

from edge.values import INCORRECT, LABELS, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged
from train.evaluation.verdicts import MISSED, JudgedPicture, area_under, count, figures, verdict_figures
from train.readers import COVERED, FACE, LabelledBox

PLACE, FAR, ELSEWHERE = Box(10, 10, 30, 35), Box(60, 60, 66, 67), Box(60, 10, 80, 35)


def judged(box, label, score=0.9):
    return Judged(box, score, Classification(label, score, (0.1, 0.8, 0.1)))


def picture(truth=(), found=(), ignore=(), source="door"):
    """100 pixels high: a near face is 12 of them."""
    labelled = tuple(LabelledBox(label, box) for label, box in truth)
    return JudgedPicture("one.jpg", source, 100, labelled, tuple(ignore), tuple(found))


def counts(*pictures):
    return figures([count(each) for each in pictures])


def test_a_masked_face_called_masked_grants_its_picture():
    each = count(picture([(WITH_MASK, PLACE)], [judged(PLACE, WITH_MASK)]))
    assert (each.wanted, each.granted, [verdict.said for verdict in each.verdicts]) == (True, True, [WITH_MASK])


def test_a_missed_face_is_no_false_reject():
    found = counts(picture([(WITH_MASK, PLACE)]))
    assert found["recall"]["count"] == 0
    assert found["false_rejects"]["n"] == 0
    assert found["confusion"] == {WITH_MASK: {MISSED: 1}}


def test_a_face_called_unknown_is_rejected_and_refuses_its_picture():
    found = counts(picture([(WITH_MASK, PLACE)], [judged(PLACE, UNKNOWN, 0.55)]))
    assert (found["false_rejects"]["count"], found["unknown"]["count"], found["granted_rightly"]["count"]) == (1, 1, 0)


def test_a_covered_face_counts_as_bare_and_apart():
    found = counts(picture([(COVERED, PLACE)], [judged(PLACE, WITH_MASK)]))
    accepts = {label: (figure["count"], figure["n"]) for label, figure in found["false_accepts"].items()}
    assert accepts == {"all": (1, 1), WITHOUT_MASK: (1, 1), COVERED: (1, 1), INCORRECT: (0, 0)}
    assert found["granted_wrongly"]["count"] == 1


def test_a_face_of_unknown_state_counts_for_the_locator_alone():
    found = counts(picture([(FACE, PLACE)], [judged(PLACE, WITH_MASK)]))
    assert found["recall"]["count"] == 1
    assert found["class_accuracy"]["n"] == found["granted_rightly"]["n"] == found["granted_wrongly"]["n"] == 0
    assert count(picture([(FACE, PLACE)], [judged(PLACE, WITH_MASK)])).ranked[WITH_MASK] == []


def test_a_bare_face_beside_one_of_unknown_state_still_refuses_the_picture():
    assert count(picture([(FACE, PLACE), (WITHOUT_MASK, ELSEWHERE)])).wanted is False


def test_what_lies_on_an_ignore_box_is_neither_right_nor_wrong():
    found = counts(picture([(WITH_MASK, PLACE)], [judged(ELSEWHERE, WITHOUT_MASK)], [ELSEWHERE]))
    assert found["false_per_100"]["count"] == 0


def test_a_far_face_is_not_asked_for_and_what_is_found_on_it_not_false():
    each = count(picture([(WITH_MASK, FAR)], [judged(FAR, WITHOUT_MASK)]))
    assert (each.verdicts, each.false) == ((), ())
    assert len(count(each.picture, least_height=0.0).verdicts) == 1


def test_a_face_found_where_there_is_none_spoils_a_face_free_picture():
    found = counts(picture(found=[judged(PLACE, WITH_MASK)]), picture(), picture([(WITH_MASK, PLACE)]))
    assert (found["face_free_found"]["count"], found["face_free_found"]["n"]) == (1, 2)
    assert (found["false_per_100"]["count"], found["false_per_100"]["n"]) == (0, 1)


def test_nothing_counted_has_no_values():
    found = counts()
    assert found["recall"]["value"] is None and found["ap50"][WITH_MASK]["value"] is None


def test_verdicts_on_faces_are_counted_without_pictures():
    found = verdict_figures([(WITHOUT_MASK, WITH_MASK), (COVERED, WITHOUT_MASK), (WITH_MASK, UNKNOWN)])
    assert found["false_accepts"]["all"]["count"] == 1
    assert found["class_accuracy"]["count"] == 1
    assert found["false_rejects"]["count"] == 1


def test_average_precision_of_hand_counted_cases():
    ones = np.ones(3)
    assert area_under(np.array([1.0, 1.0, 0.0]), ones, 2) == 1.0
    # found at ranks 1 and 3: precision 1 up to half the faces, 2/3 up to all
    assert area_under(np.array([1.0, 0.0, 1.0]), ones, 2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert area_under(np.zeros(0), np.zeros(0), 2) == 0.0


def overlap(p, q):
    width, height = min(p[2], q[2]) - max(p[0], q[0]), min(p[3], q[3]) - max(p[1], q[1])
    shared = max(0, width) * max(0, height)
    return shared / ((p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - shared)


def plainly_counted(pictures, least_share):
    """The counting again, face by face in plain loops: verdicts, missed, false detections, pictures."""
    said, false, pictures_said = Counter(), 0, Counter()
    for each in pictures:
        boxes = [face.box for face in each.truth]
        found = []
        for one in sorted(each.found, key=lambda one: -one.classification.score):
            ignored = max((overlap(one.box, box) for box in each.ignore), default=0)
            if ignored < 0.3 or max((overlap(one.box, box) for box in boxes), default=0) > ignored:
                found.append(one)
        sure = [one for one in found if one.classification.score >= 0.5]
        least, used = least_share * each.height, set()
        near = [face for face in each.truth if face.box.height >= least]
        for face in near:
            options = [(overlap(one.box, face.box), k) for k, one in enumerate(sure) if k not in used]
            best, k = max(options, default=(0, -1))
            used |= {k} if best >= 0.4 else set()
            said[face.label, sure[k].classification.label if best >= 0.4 else MISSED] += 1
        for one in sure:
            apart = all(overlap(one.box, box) < 0.3 for box in boxes)
            false += apart and one.box.height >= least and bool(each.truth)
        deciding = [one for one in sure if one.box.height >= 0.75 * least]
        granted = bool(deciding) and {one.classification.label for one in deciding} == {WITH_MASK}
        if near:
            pictures_said[{face.label for face in near} == {WITH_MASK}, granted] += 1
    return said, false, pictures_said


def by_chance(chance):
    """A picture 100 pixels high with up to 5 faces, found shifted, twice, not at all, or where there are none."""

    def box():
        x, y, size = *chance.uniform(0, 80, 2), chance.uniform(6, 30)
        return Box(x, y, x + size, y + size * chance.uniform(1, 1.3))

    truth = [(LABELS[chance.integers(3)], box()) for _ in range(chance.integers(6))]
    ignore = [box() for _ in range(chance.integers(3))]
    places = [Box(*(np.array(place) + chance.uniform(-4, 4, 4))) for _, place in truth for _ in range(2)]
    places += ignore + [box() for _ in range(2)]
    labels = (*LABELS, UNKNOWN)
    found = [
        judged(each, labels[chance.integers(4)], chance.uniform(0.35, 1)) for each in places if chance.random() < 0.7
    ]
    return picture(truth, found, ignore)


@pytest.mark.parametrize("least", [0.12, 0.0])
def test_generated_detections_are_counted_as_by_plain_loops(least):
    chance = np.random.default_rng(4)
    pictures = [by_chance(chance) for _ in range(400)]
    said, false, pictures_said = plainly_counted(pictures, least)
    found = figures([count(each, least) for each in pictures])
    assert (
        Counter({(truth, verdict): n for truth, row in found["confusion"].items() for verdict, n in row.items()})
        == said
    )
    assert found["false_per_100"]["count"] == false
    assert found["granted_wrongly"]["count"] == pictures_said[False, True]
    assert found["granted_wrongly"]["n"] == pictures_said[False, True] + pictures_said[False, False]
    assert found["granted_rightly"]["count"] == pictures_said[True, True]
    assert found["granted_rightly"]["n"] == pictures_said[True, True] + pictures_said[True, False]


def test_the_interval_of_the_average_precision_holds_its_value():
    chance = np.random.default_rng(5)
    found = figures([count(by_chance(chance)) for _ in range(60)])
    for figure in found["ap50"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
