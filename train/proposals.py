"""What the shipped locator takes for faces in the photos: where it is wrong, and how it frames those it finds.

Its false detections are the hard negatives of both trainings. Far from all of them are false: photographs of streets
hold faces that nobody labelled, and the surer the locator is of one, the likelier it is such a face (looked at: of
those from 0.5 up in `scenes` about half, of those below 0.3 one in ten). So in scenes only the unsure ones count as
background, and the others as places that nobody judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.picture import read_picture
from edge.values import Box, Face, Rgb
from train.augment import Chance
from train.boxes import Locate
from train.datasets import NEGATIVES, SCENES, Picture
from train.measure import best_overlap
from train.readers import IGNORE, LabelledBox

LEAST_SCORE = 0.1
UNSURE = 0.3  # in scenes a detection from here up may be a face that nobody labelled
LEAST_HEIGHT = 16.0  # pixels
SAME = 0.5  # overlap (IoU) from which a detection frames a labelled face
AHEAD = 128  # pictures read before they are needed
TRIES = 8  # to find a place apart from faces

Proposals = Mapping[Path, Sequence[Face]]


def propose(pictures: Sequence[Picture], locate: Locate) -> dict[Path, Sequence[Face]]:
    """What `locate` finds in each picture, by the picture's path."""
    found: dict[Path, Sequence[Face]] = {}
    with ThreadPoolExecutor() as readers:
        for k in range(0, len(pictures), AHEAD):
            paths = [picture.path for picture in pictures[k : k + AHEAD]]
            found |= {path: locate(rgb) for path, rgb in zip(paths, readers.map(read_picture, paths), strict=True)}
    return found


def false_places(picture: Picture, found: Sequence[Face]) -> list[Box]:
    """The detections of a scene or a face-free picture that are background and looked like a face."""
    if picture.kind not in (SCENES, NEGATIVES):
        return []
    least_unsure = UNSURE if picture.kind == SCENES else np.inf
    return [face.box for face in _apart(picture, found) if face.score < least_unsure]


@dataclass(frozen=True, slots=True)
class Background:
    """A picture, and the boxes in it that hold a face or may hold one."""

    picture: Picture
    faces: tuple[Box, ...]

    def place(self, rgb: Rgb, chance: Chance) -> Box | None:
        """A square anywhere in the picture that shows no face, rather small than large; None if none is found soon."""
        height, width = rgb.shape[:2]
        most = min(height, width)
        for _ in range(TRIES):
            side = min(most, LEAST_HEIGHT + (most - LEAST_HEIGHT) * chance.random() ** 2)
            x, y = chance.uniform(0, width - side), chance.uniform(0, height - side)
            box = Box(x, y, x + side, y + side)
            if all(_held(box, face) < 0.1 and _held(face, box) < 0.1 for face in self.faces):
                return box
        return None


def backgrounds(pictures: Sequence[Picture], proposals: Proposals) -> list[Background]:
    """The scenes and the face-free pictures; in scenes whatever the locator found may be a face too."""
    found = {each.path: proposals.get(each.path, ()) if each.kind == SCENES else () for each in pictures}
    return [
        Background(each, (*(labelled.box for labelled in each.boxes), *(face.box for face in found[each.path])))
        for each in pictures
        if each.kind in (SCENES, NEGATIVES)
    ]


def with_unjudged(pictures: Sequence[Picture], proposals: Proposals) -> list[Picture]:
    """The pictures; in scenes each sure detection of something unlabelled becomes a box to ignore."""
    return [_with_unjudged(picture, proposals.get(picture.path, ())) for picture in pictures]


def _with_unjudged(picture: Picture, found: Sequence[Face]) -> Picture:
    if picture.kind != SCENES:
        return picture
    unjudged = [LabelledBox(IGNORE, face.box) for face in _apart(picture, found) if face.score >= UNSURE]
    return replace(picture, boxes=(*picture.boxes, *unjudged))


def seen_box(box: Box, found: Sequence[Face]) -> Box | None:
    """How the locator frames the face that is labelled with `box`; None if it does not find it."""
    overlap = best_overlap([face.box for face in found], [box])
    return found[int(overlap.argmax())].box if len(found) and overlap.max() >= SAME else None


def _apart(picture: Picture, found: Sequence[Face]) -> Iterator[Face]:
    """The detections, not tiny ones, of which no labelled box holds a tenth or more."""
    for face in found:
        if face.box.height >= LEAST_HEIGHT and all(_held(face.box, each.box) < 0.1 for each in picture.boxes):
            yield face


def _held(inner: Box, outer: Box) -> float:
    """The share of `inner` that lies in `outer`, 0 to 1."""
    width = min(inner.x_max, outer.x_max) - max(inner.x_min, outer.x_min)
    height = min(inner.y_max, outer.y_max) - max(inner.y_min, outer.y_min)
    return max(0.0, width) * max(0.0, height) / (inner.width * inner.height)
