import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from edge.values import INCORRECT, LABELS, WITH_MASK, WITHOUT_MASK, Box, Face
from train.measure import (
    LocatedPicture,
    Sample,
    best_overlap,
    choose_threshold,
    classifier_figures,
    curve,
    false_at,
    locator_figures,
    match_near_faces,
    overlaps,
    per_100,
    recall_at,
    share,
)

FACE, FAR_FACE, ELSEWHERE = Box(10, 10, 30, 35), Box(60, 60, 66, 67), Box(60, 10, 80, 35)


def picture(truth=(), found=(), ignore=(), source="door"):
    """100 x 100 pixels: a near face is 12 pixels high."""
    faces = tuple(Face(box, score) for box, score in found)
    return LocatedPicture("one.jpg", source, np.zeros((100, 100, 3), np.uint8), tuple(truth), tuple(ignore), faces)


def moved(box, x):
    return Box(box.x_min + x, box.y_min, box.x_max + x, box.y_max)


def test_overlaps_agree_with_the_box_itself():
    boxes = [FACE, FAR_FACE, moved(FACE, 5), Box(0, 0, 100, 100)]
    expected = [[a.iou(b) for b in boxes] for a in boxes]
    assert overlaps(boxes, boxes) == pytest.approx(np.array(expected))


def test_overlaps_of_nothing_are_nothing():
    assert overlaps([], [FACE]).shape == (0, 1)
    assert best_overlap([FACE], []).tolist() == [0]


def test_a_face_is_found_from_the_score_of_its_detection_down():
    matches = [match_near_faces(picture([FACE], [(moved(FACE, 2), 0.7)]))]
    assert recall_at(matches, 0.7)["count"] == 1
    assert recall_at(matches, 0.71)["count"] == 0


def test_a_detection_beside_a_face_is_neither_found_nor_false():
    beside = moved(FACE, 9)
    assert 0.3 <= FACE.iou(beside) < 0.4
    match = match_near_faces(picture([FACE], [(beside, 0.9)]))
    assert match.found_from.tolist() == [0] and match.false == ()


def test_one_detection_finds_one_of_two_faces():
    match = match_near_faces(picture([FACE, moved(FACE, 4)], [(moved(FACE, 2), 0.9)]))
    assert match.found_from.tolist() == [0.9, 0]


def test_a_detection_where_no_face_is_counts_as_false():
    matches = [match_near_faces(picture([FACE], [(ELSEWHERE, 0.8), (FACE, 0.6)])), match_near_faces(picture())]
    assert false_at(matches, 0.8) | {"low": 0, "high": 0} == {"value": 50, "low": 0, "high": 0, "count": 1, "n": 2}
    assert false_at(matches, 0.81)["count"] == 0


def test_a_far_face_is_neither_missed_nor_false_when_found():
    match = match_near_faces(picture([FAR_FACE], [(FAR_FACE, 0.9)]))
    assert match.faces == () and match.false == ()


def test_a_near_detection_on_a_far_face_is_not_false():
    face = Box(60, 60, 70, 71)
    assert match_near_faces(picture([face], [(Box(60, 60, 70, 73), 0.9)])).false == ()


def test_a_small_detection_where_no_face_is_does_not_count():
    assert match_near_faces(picture([], [(FAR_FACE, 0.9)])).false == ()


def test_a_detection_on_an_ignored_place_is_not_false():
    assert match_near_faces(picture([], [(ELSEWHERE, 0.9)], ignore=[ELSEWHERE])).false == ()


def test_an_ignored_place_beside_a_face_does_not_hide_its_detection():
    match = match_near_faces(picture([FACE], [(moved(FACE, 1), 0.9)], ignore=[moved(FACE, 6)]))
    assert match.found_from.tolist() == [0.9]


def counted_plainly(picture, threshold):
    """The definition, word for word and one threshold at a time: faces found, false detections."""
    least = 0.12 * picture.rgb.shape[0]

    def best(face, boxes):
        return max((face.box.iou(box) for box in boxes), default=0)

    judged = [
        face
        for face in picture.found
        if face.score >= threshold
        and (best(face, picture.ignore) < 0.3 or best(face, picture.truth) > best(face, picture.ignore))
    ]
    used = set()
    for box in (box for box in picture.truth if box.height >= least):
        overlap, index = max(((f.box.iou(box), k) for k, f in enumerate(judged) if k not in used), default=(0, -1))
        if overlap >= 0.4:
            used.add(index)
    false = [face for face in judged if best(face, picture.truth) < 0.3 and face.box.height >= least]
    return len(used), len(false)


def crowd(chance):
    def box(near=None):
        if near is not None:
            return Box(*(np.array(near) + chance.normal(0, 0.12 * near.height, 4)))
        x, y, width, height = chance.uniform((0, 0, 6, 6), (70, 70, 40, 50))
        return Box(x, y, x + width, y + height)

    truth, ignore = [[box() for _ in range(chance.integers(0, most))] for most in (6, 3)]
    boxes = [box(face) for face in [*truth, *ignore] for _ in range(3)] + [box() for _ in range(8)]
    return picture(truth, [(each, float(chance.uniform(0.05, 1))) for each in boxes], ignore)


def test_counting_once_for_all_thresholds_equals_counting_at_each():
    chance = np.random.default_rng(3)
    pictures = [crowd(chance) for _ in range(60)]
    matches = [match_near_faces(each) for each in pictures]
    for threshold in (0.05, 0.3, 0.6, 0.9):
        plain = np.sum([counted_plainly(each, threshold) for each in pictures], axis=0)
        assert [recall_at(matches, threshold)["count"], false_at(matches, threshold)["count"]] == plain.tolist()


def test_the_curve_agrees_with_single_thresholds_and_only_falls():
    chance = np.random.default_rng(4)
    matches = [match_near_faces(crowd(chance)) for _ in range(20)]
    recall, false = curve(matches)
    assert recall[450] == recall_at(matches, 0.5)["value"]
    assert false[450] == false_at(matches, 0.5)["value"]
    assert (np.diff(recall) <= 0).all() and (np.diff(false) <= 0).all()


def test_the_chosen_threshold_is_the_lowest_that_keeps_to_the_limit():
    pictures = [picture([], [(ELSEWHERE, score)]) for score in (0.2, 0.412, 0.9)] + [picture()] * 97
    assert choose_threshold(pictures, 3) == 0.05
    assert choose_threshold(pictures, 2) == 0.201
    assert choose_threshold(pictures, 1.9) == 0.413
    assert choose_threshold(pictures, 0) == 0.901


def test_the_chosen_threshold_is_one_where_none_keeps_to_the_limit():
    assert choose_threshold([picture([], [(ELSEWHERE, 1.0)])], 0) == 1.0


def test_without_near_faces_there_is_no_recall():
    matches = [match_near_faces(picture([], [(ELSEWHERE, 0.9)]))]
    assert recall_at(matches, 0.5)["value"] is None
    assert np.isnan(curve(matches)[0]).all()


def test_locator_figures_by_source_height_and_face_free_pictures():
    pictures = [
        picture([FACE, FAR_FACE], [(FACE, 0.9), (FAR_FACE, 0.9)], source="hall"),
        picture([FACE], [(ELSEWHERE, 0.9)], source="hall"),
        picture([], [(ELSEWHERE, 0.9)]),
        picture(),
    ]
    figures = locator_figures(pictures, [match_near_faces(each) for each in pictures], 0.5)
    assert (figures["recall"]["count"], figures["recall"]["n"]) == (1, 2)
    assert figures["false_per_100"]["value"] == 50
    assert (figures["face_free_with_false"]["count"], figures["face_free_with_false"]["n"]) == (1, 2)
    assert figures["sources"]["hall"]["recall"]["value"] == 0.5
    assert figures["sources"]["door"]["false_per_100"]["value"] == 50
    by_height = {step["least"]: (step["recall"]["count"], step["recall"]["n"]) for step in figures["heights"]}
    assert by_height == {0.04: (1, 1), 0.08: (0, 0), 0.12: (0, 0), 0.2: (1, 2), 0.35: (0, 0), 0.6: (0, 0)}


def test_the_interval_of_a_proportion_is_wilsons():
    figure = share(8, 10)
    assert (figure["low"], figure["high"]) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert share(0, 100)["low"] == 0 and share(0, 100)["high"] == pytest.approx(0.0370, abs=1e-4)
    assert share(0, 0)["value"] is None


def test_the_interval_of_a_rate_is_poissons():
    figure = per_100(10, 200)
    assert (figure["value"], figure["low"], figure["high"]) == pytest.approx((5, 2.398, 9.195), abs=1e-3)
    assert per_100(0, 100)["high"] == pytest.approx(3.689, abs=1e-3)


def judged(confusion):
    """Faces and probabilities that give a confusion matrix."""
    pairs = [(truth, said) for (truth, said), count in np.ndenumerate(np.array(confusion)) for _ in range(count)]
    samples = [
        Sample(f"{k}.jpg", "ab"[k % 2], truth, np.zeros((8, 8, 3), np.uint8)) for k, (truth, _) in enumerate(pairs)
    ]
    return samples, np.float32(0.05 + 0.85 * np.eye(3)[[said for _, said in pairs]])


CONFUSION = [[45, 3, 2], [1, 38, 1], [0, 4, 6]]


def test_a_known_confusion_gives_known_figures():
    figures = classifier_figures(*judged(CONFUSION))
    assert figures["confusion"] == CONFUSION
    assert (figures["accuracy"]["count"], figures["accuracy"]["n"]) == (89, 100)
    accepts = {name: (each["count"], each["n"]) for name, each in figures["false_accepts"].items()}
    assert accepts == {"all": (7, 60), WITHOUT_MASK: (3, 50), INCORRECT: (4, 10)}
    assert (figures["false_rejects"]["count"], figures["false_rejects"]["n"]) == (2, 40)
    assert figures["classes"][WITH_MASK]["precision"]["value"] == 38 / 45
    assert figures["classes"][INCORRECT]["recall"]["value"] == 6 / 10
    assert figures["classes"][INCORRECT]["f1"]["value"] == pytest.approx(2 * 6 / (9 + 10))
    assert figures["expected_calibration_error"] == pytest.approx(0.01, abs=1e-6)


def test_means_and_their_intervals_are_scikit_learns():
    samples, probabilities = judged(CONFUSION)
    figures = classifier_figures(samples, probabilities)
    truth, said = [sample.truth for sample in samples], probabilities.argmax(axis=1)
    means = precision_recall_fscore_support(truth, said, average="macro")[:3]
    macro = figures["macro"]
    assert [macro[name]["value"] for name in ("precision", "recall", "f1")] == pytest.approx(list(means))
    for each in (*macro.values(), *(figures["classes"][label]["f1"] for label in LABELS)):
        assert each["low"] < each["value"] < each["high"]
        assert each["high"] - each["low"] < 0.6


def test_sources_add_up_to_the_whole():
    figures = classifier_figures(*judged(CONFUSION))
    sources = figures["sources"]
    assert sorted(sources) == ["a", "b"]
    assert sum(each["accuracy"]["n"] for each in sources.values()) == 100
    assert sum(each["accuracy"]["count"] for each in sources.values()) == 89
    assert sum(each["false_accepts"]["count"] for each in sources.values()) == 7


def test_a_data_set_of_two_folders_is_measured_on_two_labels():
    figures = classifier_figures(*judged([[9, 1, 0], [0, 10, 0], [0, 0, 0]]))
    assert figures["macro"]["recall"]["value"] == pytest.approx(0.95)
    incorrect = figures["classes"][INCORRECT]
    assert incorrect["average_precision"] is None
    assert [incorrect[name]["value"] for name in ("precision", "recall", "f1")] == [None] * 3
