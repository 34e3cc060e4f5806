"""Look at every picture before training: what is broken, mislabelled or nearly the same, and how the classes balance.

Nothing is left out silently: `Audit.left_out` names each such file with its reason, and `report` says the rest.
"""

from __future__ import annotations

import io
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.picture import is_cut_off
from edge.values import INCORRECT, LABELS, WITH_MASK, WITHOUT_MASK
from train.datasets import SCENES, Picture
from train.readers import COVERED, IGNORE, LabelledBox

SHORTEST_SIDE = 32  # pixels; a smaller picture holds no face worth learning
SMALL_FACE = 12  # pixels of a box's shorter side; such faces are counted, not left out
DISTANCE = 4  # of 64 bits; perceptual hashes that differ in no more are of nearly the same picture
FLAT = 3.0  # grey levels; the hash of a picture that varies less is noise

# in this order: "incorrect_with_mask" is incorrect
_NAMES = ((INCORRECT, "incorrect"), (WITHOUT_MASK, "without_?mask|no_?mask|unmasked"), (WITH_MASK, "with_?mask"))

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Look:
    """What decoding a picture showed.

    width, height: pixels, as stored.
    hash, mirrored: 64 bits each, of the picture and of its mirror image; None where it is too flat to have one.
    reason: why it cannot be used, else None.
    """

    width: int = 0
    height: int = 0
    hash: int | None = None
    mirrored: int | None = None
    reason: str | None = None


class Finding(NamedTuple):
    """A picture by its place among the pictures, and what is the matter with it."""

    place: int
    reason: str


@dataclass(frozen=True, slots=True)
class Audit:
    """pictures: those that can be used, with near-duplicate groups united; left_out: path and reason of the others;
    report: what was found, ready for JSON."""

    pictures: list[Picture]
    left_out: list[tuple[str, str]]
    report: dict[str, Any]


def audit(pictures: Sequence[Picture], names: Sequence[str], threads: int = 4) -> Audit:
    """Decode and judge every picture; `names` are their paths as the report shall name them."""
    with ThreadPoolExecutor(threads) as pool:
        looks = list(pool.map(look, pictures))
    pairs = near_pairs(looks)
    findings = [
        *(Finding(index, each.reason) for index, each in enumerate(looks) if each.reason),
        *broken_boxes(pictures, looks),
        *cross_labelled(pictures, pairs, names),
    ]
    reasons: dict[int, str] = {}
    for finding in findings:
        reasons.setdefault(finding.place, finding.reason)
    groups = unite([picture.group for picture in pictures], pairs, names)
    kept = [index for index in range(len(pictures)) if index not in reasons]
    used = [replace(pictures[index], group=groups[index]) for index in kept]
    misnamed = [(names[each.place], each.reason) for each in named_otherwise(pictures)]
    left_out = [(names[index], reason) for index, reason in sorted(reasons.items())]
    return Audit(used, left_out, _report(used, [looks[index] for index in kept], left_out, misnamed))


def look(picture: Picture) -> Look:
    """Decode one picture, at a fraction of its size where the format allows that: a cut-off file fails here."""
    try:
        data = picture.path.read_bytes()
        if is_cut_off(data):
            return Look(reason="unreadable: the picture is cut off")
        with Image.open(io.BytesIO(data)) as image:
            turned = image.getexif().get(0x0112, 1) >= 5
            width, height = image.size[::-1] if turned else image.size
            image.draft("L", (64, 64))
            small = ImageOps.exif_transpose(image).convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    except FileNotFoundError:
        return Look(reason="no such file")
    except Exception as error:  # a broken file makes a decoder raise anything at all
        return Look(reason=f"unreadable: {_why(error)}")
    if not cv2.haveImageReader(str(picture.path)):
        return Look(reason="unreadable: a format that OpenCV does not know")
    if min(width, height) < SHORTEST_SIDE:
        return Look(width, height, reason=f"tiny: {width}x{height}, wanted is {SHORTEST_SIDE} pixels a side")
    if np.asarray(small).std() < FLAT:
        return Look(width, height)
    return Look(width, height, phash(small), phash(ImageOps.mirror(small)))


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no picture, or an empty file"
    return (str(error).splitlines() or [type(error).__name__])[0]


def phash(grey: Image.Image) -> int:
    """Perceptual hash, 64 bits, as an integer."""
    return int.from_bytes(np.packbits(imagehash.phash(grey).hash).tobytes(), "big")


def near_pairs(looks: Sequence[Look], chunk: int = 512) -> list[tuple[int, int]]:
    """Places of pictures that are nearly the same or each other's mirror image, the smaller place first."""
    places = np.array([place for place, each in enumerate(looks) if each.hash is not None], np.intp)
    hashes = np.array([looks[place].hash for place in places], np.uint64)
    mirrored = np.array([looks[place].mirrored for place in places], np.uint64)
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(hashes), chunk):
        for others in (hashes, mirrored):
            rows, columns = _near(hashes[start : start + chunk], others[start:])
            later = columns > rows
            firsts, seconds = places[rows[later] + start], places[columns[later] + start]
            pairs.update(zip(firsts.tolist(), seconds.tolist(), strict=True))
    return sorted(pairs)


def _near(some: Hashes, others: Hashes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.nonzero(np.bitwise_count(some[:, None] ^ others[None, :]) <= DISTANCE)
    return rows, columns


def unite(groups: Sequence[str], pairs: Iterable[tuple[int, int]], names: Sequence[str]) -> list[str]:
    """One group for all that a chain of pairs or of equal group names joins; called after its first picture."""
    parent = list(range(len(groups)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    first: dict[str, int] = {}
    named = [(place, first.setdefault(group, place)) for place, group in enumerate(groups)]
    for one, other in [*named, *pairs]:
        parent[root(one)] = root(other)
    title: dict[int, str] = {}
    for place, name in enumerate(names):
        title[root(place)] = min(name, title.get(root(place), name))
    return [title[root(place)] for place in range(len(groups))]


def cross_labelled(
    pictures: Sequence[Picture], pairs: Iterable[tuple[int, int]], names: Sequence[str]
) -> list[Finding]:
    """Near duplicates that lie in folders of different labels: nobody can tell which is right, so neither is used."""
    findings = []
    for one, other in pairs:
        labels = pictures[one].label, pictures[other].label
        if None not in labels and labels[0] != labels[1]:
            findings.append(Finding(one, f"mislabelled? nearly the same as {names[other]}"))
            findings.append(Finding(other, f"mislabelled? nearly the same as {names[one]}"))
    return findings


def named_otherwise(pictures: Sequence[Picture]) -> list[Finding]:
    """Files whose name says another label than their folder, or whose box does; reported, yet used."""
    findings = []
    for index, picture in enumerate(pictures):
        if picture.label is None:
            continue
        said = {*_named(picture.path.stem), *(box.label for box in picture.boxes if box.label in LABELS)}
        other = said - {picture.label, WITHOUT_MASK if picture.label == COVERED else picture.label}
        if other:
            findings.append(Finding(index, f"in {picture.label}/, but its name or box says {min(other)}"))
    return findings


def _named(stem: str) -> list[str]:
    """The label that a file name says, if it says one."""
    name = re.sub(r"[\s-]+", "_", stem.lower())
    return [label for label, pattern in _NAMES if re.search(pattern, name)][:1]


def broken_boxes(pictures: Sequence[Picture], looks: Sequence[Look]) -> list[Finding]:
    """Pictures with a box of no size, or with one that lies wholly outside: the boxes belong to another picture."""
    findings = []
    for index, (picture, seen) in enumerate(zip(pictures, looks, strict=True)):
        for box in () if seen.reason else picture.boxes:
            if reason := _broken(box, seen):
                findings.append(Finding(index, reason))
    return findings


def _broken(labelled: LabelledBox, seen: Look) -> str | None:
    box = labelled.box
    corners = ",".join(f"{value:g}" for value in box)
    if box.width <= 0 or box.height <= 0:
        return f"box {corners} of {labelled.label} has no size"
    if box.x_min >= seen.width or box.y_min >= seen.height or box.x_max <= 0 or box.y_max <= 0:
        return f"box {corners} of {labelled.label} lies outside the picture of {seen.width}x{seen.height}"
    return None


def _report(
    pictures: Sequence[Picture],
    looks: Sequence[Look],
    left_out: Sequence[tuple[str, str]],
    misnamed: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    boxes = [box for picture in pictures for box in picture.boxes if box.label != IGNORE]
    return {
        "pictures": len(pictures),
        "left_out": [list(each) for each in left_out],
        "named_otherwise": [list(each) for each in misnamed],
        "balance": _balance(pictures),
        "dimensions": _dimensions(pictures, looks),
        "groups": _groups(pictures),
        "boxes": {
            "faces": len(boxes),
            "small_faces": sum(min(each.box.width, each.box.height) < SMALL_FACE for each in boxes),
            "beyond_the_border": _beyond(pictures, looks),
            "scenes_without_a_face": sum(each.kind == SCENES and not each.boxes for each in pictures),
        },
    }


def _balance(pictures: Sequence[Picture]) -> dict[str, dict[str, dict[str, int]]]:
    """By kind and source: pictures by their folder's label; for scenes boxes by their label."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for picture in pictures:
        labels = [box.label for box in picture.boxes] if picture.kind == SCENES else [picture.label or "no face"]
        counts[picture.kind][picture.source].update(["pictures", *labels])
    return {
        kind: {source: dict(sorted(each.items())) for source, each in sorted(sources.items())}
        for kind, sources in sorted(counts.items())
    }


def _dimensions(pictures: Sequence[Picture], looks: Sequence[Look]) -> dict[str, dict[str, list[float]]]:
    """By kind: smallest, median and largest width and height, pixels."""
    by_kind: dict[str, list[Look]] = defaultdict(list)
    for picture, seen in zip(pictures, looks, strict=True):
        by_kind[picture.kind].append(seen)
    return {
        kind: {"width": _spread([s.width for s in seen]), "height": _spread([s.height for s in seen])}
        for kind, seen in sorted(by_kind.items())
    }


def _spread(values: Sequence[int]) -> list[float]:
    return [min(values), statistics.median(values), max(values)]


def _groups(pictures: Sequence[Picture]) -> dict[str, Any]:
    members: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        members[picture.group].append(picture.path.name)
    largest = max(members.values(), key=len, default=[])
    return {
        "groups": len(members),
        "of_more_than_one": sum(len(each) > 1 for each in members.values()),
        "pictures_in_them": sum(len(each) for each in members.values() if len(each) > 1),
        "largest": largest,
    }


def _beyond(pictures: Sequence[Picture], looks: Sequence[Look], slack: float = 1.0) -> int:
    """Boxes that reach out of their picture by more than `slack` pixels: allowed, but many mean a wrong scale."""
    return sum(
        min(each.box.x_min, each.box.y_min, seen.width - each.box.x_max, seen.height - each.box.y_max) < -slack
        for picture, seen in zip(pictures, looks, strict=True)
        for each in picture.boxes
    )
