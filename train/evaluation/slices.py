"""Which kind of face the models fail on: every face falls into one value of each slice, told by code, not by people.

The rules are crude. Each stands with its function, with how many faces it was right of by eye, of 56 drawn by chance
among those it chose, of the validation and test part. A slice tells where to look next; it is no statement about
a person. Where a rule cannot tell (the mask's colour of a bare face), the slice is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import resize
from edge.values import INCORRECT, LABELS, WITH_MASK, Box, Rgb
from train.measure import Figure, share
from train.readers import COVERED

Plane = NDArray[np.float32]
Part = tuple[float, float, float, float]

PATCH = 64  # pixels a side
TIGHT_TOP = 0.3  # of a tight picture's height: so far above it the face's box would begin
LEAST_FACES = 30  # fewer say nothing of a slice
HEIGHTS = (0.08, 0.12, 0.2, 0.4)
RULES = {
    "height": "the box's height as a share of the picture's",
    "brightness": "mean luma of the face: dark below 70, bright from 170 (of 255)",
    "blur": "detail of 1/64 of the face against detail of 1/32: blurred below 0.5, sharp from 0.65",
    "head turn": "likeness of the face's edges to their mirror image: turned below 0.40",
    "mask": "colour and pattern of the middle of the lower face; only faces with a mask",
    "glasses": "dark lines over the bridge of the nose and below both eyes, in a face that is not turned",
    "beard": "upper lip, chin and jaw darker than the cheeks; only bare faces",
    "skin": "typology angle of the skin from brow to cheek as it appears in its light: dark below 10, light from 41",
}


@dataclass(frozen=True)
class SlicedFace:
    """A labelled face and what became of it.

    label: one of LABELS, `covered` (counted as bare) or `face` (state unknown: for the locator's recall alone).
    slices: what `assign` gave. verdict: one of LABELS or UNKNOWN; of no meaning where the face was not found.
    """

    label: str
    slices: Mapping[str, str]
    found: bool
    verdict: str | None


def assign(rgb: Rgb, box: Box | None, label: str) -> dict[str, str]:
    """Slice -> value of one face; 1 ms.

    rgb: the whole picture, uint8 (H, W, 3). box: from brow to chin in its pixels; None where the picture holds a face
    from brow to chin and nothing else. label: as in SlicedFace.
    """
    face = patch(rgb, box)
    grey = _grey(face)
    turned = likeness_to_mirror(face) < 0.40
    slices = {
        "height": "the whole picture" if box is None else _height(box.height / rgb.shape[0]),
        "brightness": _step(float(grey.mean()), (70, 170), ("dark", "medium", "bright")),
        "blur": _step(sharpness(face), (0.5, 0.65), ("blurred", "medium", "sharp")),
        "head turn": "turned" if turned else "frontal",
        "glasses": "glasses" if not turned and glasses(face) > 0.6 else "none seen",
    }
    angle = skin(face)
    if angle is not None:
        slices["skin"] = _step(angle, (10, 41), ("appears dark", "medium", "appears light"))
    if label in (WITH_MASK, INCORRECT):
        slices["mask"] = mask_colour(face)
    elif label == LABELS[0]:
        slices["beard"] = "beard or shadow" if beard(face) > 0.5 else "none seen"
    return slices


def patch(rgb: Rgb, box: Box | None) -> Rgb:
    """The face's box, stretched to a square: uint8 (PATCH, PATCH, 3); beyond the picture's border, its pixels repeat.

    On average the eyes lie at 0.39 of its height, the nose's tip at 0.60, the mouth at 0.75.
    """
    height, width = rgb.shape[:2]
    box = box or Box(0, -TIGHT_TOP * height, width, height)
    left, top, right, bottom = map(round, box)
    inside = rgb[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not inside.size:
        return np.zeros((PATCH, PATCH, 3), np.uint8)
    above, below, before, after = (max(0, each) for each in (-top, bottom - height, -left, right - width))
    framed = cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE)
    return resize(framed, PATCH, PATCH)


def sharpness(face: Rgb) -> float:
    """Strength of the finest detail of a patch against that twice as coarse: root mean square of the Laplacians.

    Contrast and light cancel out. Faces of few pixels are blurred, as they are for the classifier.
    """
    grey = _grey(face)
    coarse = cv2.resize(grey, (PATCH // 2, PATCH // 2), interpolation=cv2.INTER_AREA)
    fine, rough = (cv2.Laplacian(each, cv2.CV_32F)[2:-2, 2:-2] for each in (grey, coarse))
    return float(np.sqrt((fine**2).mean() / ((rough**2).mean() + 4)))


def likeness_to_mirror(face: Rgb) -> float:
    """Correlation, -1 to 1, of a patch's gradients with those of its mirror image about the best axis near its middle.

    Against the landmarks of the YuNet detector on 2,266 faces (turned: nose tip off the eyes' middle by over 0.2 of
    their distance): area under the curve 0.79 bare, 0.73 masked. Below 0.40, 34 % are turned so and the median is
    0.14; above, 11 % and 0.06. Bent heads, hair over one side and light from one side are the rest.
    """
    small = _grey(np.asarray(cv2.GaussianBlur(resize(face, 32, 32), (0, 0), 1.0), np.uint8))
    across, down = (np.asarray(cv2.Sobel(small, cv2.CV_32F, *order), np.float32)[3:29] for order in ((1, 0), (0, 1)))
    edges: Plane = np.stack([down, across])
    mirrored: Plane = np.stack([down[:, ::-1], -across[:, ::-1]])
    return max(_correlation(edges, mirrored, shift) for shift in range(-3, 4))


def _correlation(a: Plane, b: Plane, shift: int) -> float:
    side = a.shape[2]
    a, b = a[:, :, max(0, shift) : side + min(0, shift)], b[:, :, max(0, -shift) : side + min(0, -shift)]
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1))


def mask_colour(face: Rgb) -> str:
    """`light` (light blue or green, white), `black`, `printed` or `other` of the lower face's middle, in CIE L*a*b*.

    Printed: what remains beside smooth shading is over 12 (root mean square). Black: L* below 32 with little colour.
    Right: light 52, black 52, other 45, printed 34 of 56; a mask's edge or a valve passes for a print.
    """
    lab = _part(_lab(face), (0.6, 0.9, 0.28, 0.72))
    pattern = np.sqrt(((lab - cv2.GaussianBlur(lab, (0, 0), 5)) ** 2).sum(axis=2).mean())
    lightness, a, b = np.median(lab.reshape(-1, 3), axis=0)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    if pattern > 12:
        return "printed"
    if lightness < 32 and chroma < 18:
        return "black"
    return "light" if lightness > 45 and (chroma < 12 or 170 < hue < 290) else "other"


def glasses(face: Rgb) -> float:
    """Strength of dark lines across the bridge and below both eyes, over the contrast of the eyes.

    From 0.6 on it was right for 29 of 56: heavy frames; a mask's upper edge and knitted brows are the rest. Rimless and
    thin frames and sunglasses are mostly not seen.
    """
    grey = cv2.GaussianBlur(_grey(face), (0, 0), 0.6)
    lines = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((7, 1), np.uint8)) - grey
    places: list[tuple[Part, float]] = [
        ((0.32, 0.48, 0.45, 0.56), 40), ((0.46, 0.58, 0.2, 0.42), 50), ((0.46, 0.58, 0.58, 0.8), 50),
    ]  # fmt: skip
    found = [max(0.1, np.percentile(_part(lines, place).max(axis=0), level)) for place, level in places]
    return float(np.cbrt(np.prod(found)) / (_part(grey, (0.3, 0.55, 0.15, 0.85)).std() + 8))


def beard(face: Rgb) -> float:
    """How much darker and greyer upper lip, chin and jaw are than the cheeks below the eyes.

    From 0.5 on it was right for 26 of 56, stubble and moustaches counted; the rest are shadows from above or aside.
    """
    lab = _lab(face)
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    cheeks: list[Part] = [(0.5, 0.6, 0.22, 0.38), (0.5, 0.6, 0.62, 0.78)]
    lip, chin = (0.64, 0.7, 0.42, 0.58), (0.87, 0.95, 0.4, 0.6)
    jaws = (0.74, 0.88, 0.24, 0.34), (0.74, 0.88, 0.66, 0.76)
    light = _median(lightness, cheeks) + 5
    middle, sides = (min(1 - _median(lightness, [each]) / light for each in group) for group in ((lip, chin), jaws))
    grey = 1 - _median(chroma, [lip, chin]) / (_median(chroma, cheeks) + 5)
    return float(middle + 0.5 * min(sides, 0.4) + 0.3 * np.clip(grey, -0.5, 0.5))


def skin(face: Rgb) -> float | None:
    """Individual typology angle (Chardon 1991), degrees, of the lighter skin between brow and cheek; None without skin.

    Skin: reddish and yellowish pixels. Light and camera are part of it: below 10, about 20 of 56 were dark-skinned, the
    others in shadow, many of them under a hat: read it as skin that appears dark, for whatever reason.
    """
    lab = _part(_lab(face), (0.1, 0.56, 0.18, 0.82)).reshape(-1, 3)
    seen = lab[(lab[:, 1] > 4) & (lab[:, 2] > 6)]
    if len(seen) < 80:
        return None
    return float(np.degrees(np.arctan2(np.percentile(seen[:, 0], 80) - 50, np.median(seen[:, 2]))))


def by_slice(faces: Iterable[SlicedFace]) -> Figure:
    """Slice -> value -> {"faces", "recall", "false_accepts", "false_rejects"}, each share with its 95 % interval.

    recall: faces the locator found. false_accepts: called with_mask, of the found faces that are not properly masked.
    false_rejects: called anything else, of the found faces that are.
    """
    gathered: dict[str, dict[str, list[SlicedFace]]] = {slice_: {} for slice_ in RULES}
    for face in faces:
        for slice_, value in face.slices.items():
            gathered[slice_].setdefault(value, []).append(face)
    return {
        slice_: {value: _figures(members) for value, members in sorted(values.items())}
        for slice_, values in gathered.items()
        if values
    }


def worst(figures: Figure) -> dict[str, Figure | None]:
    """Of each figure the value of a slice that may be worst: {"slice", "value", "figure"}, or None where none counts.

    The lowest lower bound of `recall`, the highest upper bound of `false_accepts` and `false_rejects`, among values
    with at least LEAST_FACES faces.
    """
    return {name: _worst(figures, name) for name in ("recall", "false_accepts", "false_rejects")}


def _worst(figures: Figure, name: str) -> Figure | None:
    told = [
        {"slice": slice_, "value": value, "figure": each[name]}
        for slice_, values in figures.items()
        for value, each in values.items()
        if each[name]["n"] >= LEAST_FACES
    ]
    return max(
        told, key=lambda each: -each["figure"]["low"] if name == "recall" else each["figure"]["high"], default=None
    )


def _figures(faces: Sequence[SlicedFace]) -> dict[str, Any]:
    found = [face for face in faces if face.found]
    proper = [face for face in found if face.label == WITH_MASK]
    improper = [face for face in found if face.label in (*LABELS, COVERED) and face.label != WITH_MASK]
    return {
        "faces": len(faces),
        "recall": share(len(found), len(faces)),
        "false_accepts": share(sum(face.verdict == WITH_MASK for face in improper), len(improper)),
        "false_rejects": share(sum(face.verdict != WITH_MASK for face in proper), len(proper)),
    }


def _height(share_of_picture: float) -> str:
    names = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in pairwise(HEIGHTS)]
    return _step(
        share_of_picture, HEIGHTS, (f"below {100 * HEIGHTS[0]:.0f} %", *names, f"from {100 * HEIGHTS[-1]:.0f} %")
    )


def _step(value: float, edges: Sequence[float], names: Sequence[str]) -> str:
    return names[int(np.searchsorted(edges, value, side="right"))]


def _grey(rgb: Rgb) -> Plane:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _lab(face: Rgb) -> Plane:
    return np.asarray(cv2.cvtColor(face.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _part(plane: Any, part: Part) -> Any:
    """Rows and columns of a patch, given as shares of its side: top, bottom, left, right."""
    top, bottom, left, right = (int(each * PATCH) for each in part)
    return np.ascontiguousarray(plane[top:bottom, left:right])


def _median(plane: Plane, parts: Sequence[Part]) -> float:
    return float(np.median(np.concatenate([_part(plane, part).ravel() for part in parts])))
