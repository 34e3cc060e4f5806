"""The operating point: a bundle's temperature and thresholds, chosen on the validation part with the INT8 models.

The locator proposes at a low threshold; the classifier, which sees more of each face, helps to tell what is none; a
verdict that is not sure enough is unknown. A classifier that cannot tell what is no face leaves the locator the
threshold that training chose for it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.gate import Finder
from convert.parts import Part, alone, int8_classifier, int8_locator
from convert.photos import faces_of, frames_of, located
from edge.classify import MaskClassifier, softmax
from edge.contract import ClassifierContract, LocatorContract
from edge.judge import Judge, face_score
from edge.locate import FaceLocator
from edge.values import LABELS, NO_FACE, WITH_MASK, Face, Judged
from train.calibration import fit_temperature
from train.datasets import NEGATIVES, SCENES, Picture
from train.measure import THRESHOLDS, LocatedPicture, Matched, curve, match_near_faces, recall_at

MOST_PROPOSALS_PER_100 = 40.0
MOST_FALSE_PER_100 = 6.0
MOST_FACE_FREE = 0.02  # of the face-free pictures, with a face found in them
MOST_REFUSED = 0.01  # of the properly masked faces, as unknown
WEIGHTS = (0.0, 0.15, 0.3, 0.5, 1.0)
LEAST_SCORE, MOST_SCORE = 0.5, 0.9  # below, a label is no likelier than not; above, scores are too crude to tell
CHOSEN = (
    f"On the validation part, with the INT8 models. The locator's: the lowest with at most "
    f"{MOST_PROPOSALS_PER_100:g} false proposals per 100 pictures. Of a face, whose score adds the log odds of both "
    f"networks, the classifier's with the weight that finds most faces: the lowest with at most "
    f"{MOST_FALSE_PER_100:g} false detections per 100 pictures, and with a face found in at most "
    f"{100 * MOST_FACE_FREE:g} % of the face-free ones. Of a verdict: the highest that calls at most "
    f"{100 * MOST_REFUSED:g} % of the properly masked faces unknown, {LEAST_SCORE:g} to {MOST_SCORE:g}. A classifier "
    f"that cannot tell what is no face leaves the locator the threshold that training chose for it alone."
)

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in a picture, held against its near faces; `empty`: it holds no face at all, near or far."""

    matched: Matched
    empty: bool


def operated(
    locator: Part[LocatorContract], classifier: Part[ClassifierContract], pictures: Sequence[Picture]
) -> tuple[Part[LocatorContract], Part[ClassifierContract]]:
    """Both parts with temperature and thresholds chosen on `pictures`, neither trained nor tested on."""
    print("both: choosing the thresholds on the validation part", flush=True)
    find, tell = alone(locator), calibrated(classifier, pictures)
    if NO_FACE in tell.labels and any(picture.kind in (SCENES, NEGATIVES) for picture in pictures):
        network = int8_locator(locator)
        all_of_them = FaceLocator(network, msgspec.structs.replace(find, score_threshold=float(THRESHOLDS[0])))
        least = lowest(seen(pictures, all_of_them), MOST_PROPOSALS_PER_100)
        find = msgspec.structs.replace(find, score_threshold=least)
        judge = Judge(FaceLocator(network, find), MaskClassifier(int8_classifier(classifier), tell), tell)
        weight, least = verifying(pictures, judge)
        tell = msgspec.structs.replace(tell, face_weight=weight, face_threshold=least)
    return replace(locator, contract=find), replace(classifier, contract=tell)


def verifying(pictures: Sequence[Picture], judge: Judge) -> tuple[float, float]:
    """How much the classifier has to say about what is a face, one of WEIGHTS, and the least score of a face.

    The pair that finds most near faces within the limits; of equal ones that with the larger weight.
    judge: with neither weight nor threshold.
    """
    judged = [(picture, rgb, judge.judge(rgb)) for picture, rgb in frames_of(pictures)]
    best = (-1.0, 0.0, 0.0)  # recall, weight, threshold
    for weight in WEIGHTS:
        some = [_seen(located(picture, rgb, list(_weighed(faces, weight)))) for picture, rgb, faces in judged]
        least = lowest(some, MOST_FALSE_PER_100, MOST_FACE_FREE)
        recall = recall_at([each.matched for each in some], least)["value"] or 0.0
        best = max(best, (recall, weight, least))
    return best[1:]


def _weighed(faces: Iterable[Judged], weight: float) -> Iterator[Face]:
    for each in faces:
        yield Face(each.box, face_score(each.face_score, each.classification.face, weight))


def calibrated(classifier: Part[ClassifierContract], pictures: Sequence[Picture]) -> ClassifierContract:
    """The classifier's contract with a temperature and a score from which on a verdict is not unknown; no verifying."""
    contract = msgspec.structs.replace(classifier.contract, face_threshold=0.0, face_weight=0.0)
    logits, truth = label_logits(classifier, pictures)
    if not len(truth):
        return contract
    temperature = fit_temperature(logits, truth)
    score = choose_score(softmax(logits / np.float32(temperature)), truth)
    return msgspec.structs.replace(contract, temperature=temperature, score_threshold=score)


def label_logits(classifier: Part[ClassifierContract], pictures: Sequence[Picture]) -> tuple[Floats, Numbers]:
    """Of each labelled face the INT8 logits of LABELS, float32 (n, labels), and the number of its label, int64 (n,).

    Only labels that the classifier knows; what it says of no_face is left out, so that the rest tells of the labels
    under the condition that there is a face, as `edge.classify` does.
    """
    network, contract = int8_classifier(classifier), classifier.contract
    known = min(len(contract.labels), len(LABELS))
    pairs = [
        (network.invoke(crop)[0][0, :known], face.label)
        for face, crop in faces_of(pictures, contract)
        if face.label < known
    ]
    logits = np.array([logits for logits, _ in pairs], np.float32).reshape(-1, known)
    return logits, np.array([label for _, label in pairs], np.int64)


def choose_score(probabilities: Floats, truth: Numbers) -> float:
    """The highest score that makes at most MOST_REFUSED of the properly masked faces unknown, in steps of 0.001.

    LEAST_SCORE to MOST_SCORE.
    """
    scores = np.sort(probabilities[truth == LABELS.index(WITH_MASK)].max(axis=1))
    if not len(scores):
        return LEAST_SCORE
    first_kept = scores[int(MOST_REFUSED * len(scores))]
    return min(MOST_SCORE, max(LEAST_SCORE, float(np.floor(1000 * first_kept)) / 1000))


def seen(pictures: Sequence[Picture], finder: Finder) -> list[Seen]:
    """What is found in every scene and every face-free picture."""
    return [_seen(located(picture, rgb, finder.locate(rgb))) for picture, rgb in frames_of(pictures)]


def _seen(picture: LocatedPicture) -> Seen:
    return Seen(match_near_faces(picture), not picture.truth and not picture.ignore)


def lowest(pictures: Sequence[Seen], most_false_per_100: float, most_face_free: float = 1.0) -> float:
    """The lowest of THRESHOLDS that keeps to both limits; the highest where none does."""
    _, false = curve([each.matched for each in pictures])
    kept = (false <= most_false_per_100 + 1e-9) & (_face_free(pictures) <= most_face_free + 1e-9)
    return float(THRESHOLDS[kept.argmax()]) if kept.any() else float(THRESHOLDS[-1])


def _face_free(pictures: Iterable[Seen]) -> NDArray[np.float64]:
    """The share of the face-free pictures with a face found in them at each of THRESHOLDS; 0 without any."""
    surest = [max((face.score for face in each.matched.false), default=0.0) for each in pictures if each.empty]
    hits = np.array(surest)[:, np.newaxis] >= THRESHOLDS
    return hits.mean(axis=0) if surest else np.zeros(len(THRESHOLDS))
