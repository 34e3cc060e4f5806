"""The hard cases: bare faces with something before them, masks worn wrongly, blur, darkness and light from behind.

Made by `train.evaluation.drawings` from the test part, so from faces nobody trained on, the same each time; and the
real covered faces of the test part's tight pictures. Each goes through the classifier alone, cut by its own box, and
through the whole pipeline, locator and all.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.classify import MaskClassifier
from edge.contract import Bundle
from edge.interpreter import Network
from edge.judge import Judge
from edge.picture import read_picture
from edge.preprocess import face_input
from edge.values import UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Classification, Judged, Rgb
from train.crops import Crop, whole_box
from train.datasets import CROPS, FACES, SCENES, Picture
from train.evaluation.drawings import KINDS, LEAST_HEIGHT, LIGHTS, draw, drawable
from train.measure import MATCH, Figure, overlaps, share
from train.plots import Tile, contact_sheet
from train.readers import COVERED

MOST_TILES = 36
MASKED = "_masked"  # after the name of a light: the same for faces with a proper mask
NAMES = (COVERED, *KINDS, *(f"{light}{MASKED}" for light in LIGHTS))


@dataclass(frozen=True)
class HardFace:
    """A face of the suite; box: in pixels of the picture, None where it holds a face and nothing else."""

    picture: Picture
    box: Box | None


@dataclass(frozen=True)
class Said:
    """What became of a hard face; crop: what the classifier saw. whole: None where the pipeline found no face."""

    face: HardFace
    crop: Rgb
    alone: Classification
    whole: Judged | None


@dataclass(frozen=True)
class Models:
    """What is measured: the pipeline, and its classifier alone on crops framed as `crop`."""

    judge: Callable[[Rgb], Sequence[Judged]]
    classify: Callable[[Sequence[Rgb]], Sequence[Classification]]
    crop: Crop

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Models:
        """Raises BundleError."""
        contract = bundle.contract.classifier
        network = Network(bundle.classifier_file, contract.input, [contract.logits])
        classify = MaskClassifier(network, contract).classify
        return cls(Judge.from_bundle(bundle).judge, classify, Crop(contract.size, contract.margin))


def run(bundle: Bundle, test: Sequence[Picture], per_kind: int = 150, sheets: Path | None = None) -> Figure:
    """`measure` for a bundle's models. About two seconds a face and all its kinds. Raises BundleError."""
    return measure(Models.from_bundle(bundle), test, per_kind, sheets)


def measure(
    models: Models, test: Sequence[Picture], per_kind: int, sheets: Path | None = None, names: Sequence[str] = NAMES
) -> Figure:
    """Kind -> figures that can be written as JSON; those without a face are left out.

    {"truth": label, "crops": Counts, "pictures": Counts}, Counts = {"faces": n, "found", "accepted", "accepted_of_all",
    "unknown", "right"}; each but `faces` a figure with its 95 % interval. accepted: called with_mask; a false accept
    unless that is the truth. It, `unknown` and `right` are shares of the found faces (on crops all are found),
    `accepted_of_all` of all faces.

    test: the test part. per_kind: faces a kind at most, one of a group of near duplicates. sheets: a folder for
    suite_KIND.png, the wrong ones first, false accepts framed in red. names: which of NAMES, all by default.
    """
    bare, masked = bare_faces(test, per_kind), masked_faces(test, per_kind)
    covered = [HardFace(each, None) for each in test if (each.kind, each.label) == (CROPS, COVERED)]
    figures = {}
    for name in names:
        faces = covered if name == COVERED else masked if name.endswith(MASKED) else bare
        truth = WITH_MASK if name.endswith(MASKED) else KINDS.get(name, WITHOUT_MASK)
        if said := [_said(models, face, hard_picture(name, face)) for face in faces]:
            alone = [each.alone for each in said]
            whole = [each.whole.classification for each in said if each.whole]
            counts = {"crops": _counts(alone, len(said), truth), "pictures": _counts(whole, len(said), truth)}
            figures[name] = {"truth": truth} | counts
            if sheets:
                _sheet(sheets / f"suite_{name}.png", said, truth)
    return figures


def bare_faces(test: Sequence[Picture], most: int) -> list[HardFace]:
    """Bare faces that are `drawable`, one a group, those with most room about them in their picture first."""
    found = []
    for picture in test:
        boxes = _boxes(picture, WITHOUT_MASK)
        rgb = read_picture(picture.path) if boxes else None
        found += [(_room(rgb, box), HardFace(picture, box)) for box in boxes if rgb is not None and drawable(rgb, box)]
    return _one_a_group([face for _, face in sorted(found, key=lambda each: -each[0])], most)


def masked_faces(test: Sequence[Picture], most: int) -> list[HardFace]:
    """Properly masked faces of at least LEAST_HEIGHT pixels, one a group, drawn by lot."""
    faces = [HardFace(picture, box) for picture in test for box in _boxes(picture, WITH_MASK)]
    return _one_a_group(sorted(faces, key=lambda face: _seed("lot", face)), most)


def hard_picture(name: str, face: HardFace) -> Rgb:
    """The picture with one of NAMES drawn on the face, the same each time: uint8 (H, W, 3)."""
    rgb = read_picture(face.picture.path)
    if face.box is None:
        return rgb
    return draw(name.removesuffix(MASKED), rgb, face.box, np.random.default_rng(_seed(name, face)))


def _boxes(picture: Picture, label: str) -> list[Box]:
    if picture.kind not in (FACES, SCENES):
        return []
    return [each.box for each in picture.boxes if each.label == label and each.box.height >= LEAST_HEIGHT]


def _room(rgb: Rgb, box: Box) -> float:
    """How far the box stays from the picture's sides and lower border, in face heights, up to 0.5."""
    beside = min(box.x_min, rgb.shape[1] - box.x_max, rgb.shape[0] - box.y_max)
    return float(min(0.5, beside / box.height))


def _one_a_group(faces: Sequence[HardFace], most: int) -> list[HardFace]:
    first: dict[str, HardFace] = {}
    for face in faces:
        first.setdefault(face.picture.group, face)
    return list(first.values())[:most]


def _seed(name: str, face: HardFace) -> int:
    return zlib.crc32(f"{name} {face.picture.path.name} {face.box}".encode())


def _said(models: Models, face: HardFace, rgb: Rgb) -> Said:
    box = face.box or whole_box(rgb)
    crop = face_input(rgb, box, models.crop if face.box else Crop(models.crop.size, 0.0))
    (alone,) = models.classify([crop])
    judged = models.judge(rgb)
    overlap = overlaps([each.box for each in judged], [box])[:, 0]
    # of a picture of one face alone, whatever was found is that face
    found = len(judged) > 0 and (face.box is None or overlap.max() >= MATCH)
    return Said(face, crop, alone, judged[int(overlap.argmax())] if found else None)


def _counts(said: Sequence[Classification], faces: int, truth: str) -> Figure:
    labels = Counter(each.label for each in said)
    counted = {"accepted": WITH_MASK, "unknown": UNKNOWN, "right": truth}
    shares = {name: share(labels[label], len(said)) for name, label in counted.items()}
    every = {"found": share(len(said), faces), "accepted_of_all": share(labels[WITH_MASK], faces)}
    return {"faces": faces} | every | shares


def _sheet(file: Path, said: Sequence[Said], truth: str) -> None:
    order = sorted(said, key=lambda each: (-_wrong(each, truth), each.alone.label == truth))[:MOST_TILES]
    contact_sheet(file, [_tile(each, truth) for each in order])


def _wrong(said: Said, truth: str) -> int:
    """How many of its two verdicts are false accepts."""
    verdicts = (said.alone.label, said.whole.classification.label if said.whole else None)
    return 0 if truth == WITH_MASK else verdicts.count(WITH_MASK)


def _tile(said: Said, truth: str) -> Tile:
    whole = said.whole.classification if said.whole else None
    pipeline = f"detect: {whole.label} {whole.score:.2f}" if whole else "detect: no face"
    return Tile(said.crop, (f"{said.alone.label} {said.alone.score:.2f}", pipeline), _wrong(said, truth) > 0)
