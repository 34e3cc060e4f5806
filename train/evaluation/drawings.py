"""What people hold or wear before a bare face that is no proper mask, drawn by code to measure with, never to train.

`draw` takes the whole picture, rgb uint8 (H, W, 3), the face's box from brow to chin in its pixels, and a chance; it
gives a new picture. The face should be `drawable`, since the drawings go by where eyes, nose and mouth lie on average.
KINDS tells what a face with each drawing is called by right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edge.values import INCORRECT, WITHOUT_MASK, Box, Rgb
from train.evaluation.layer import Layer, Plane, Point, exposure, paste
from train.evaluation.lights import backlight, darkness, strong_blur
from train.evaluation.slices import PATCH, likeness_to_mirror, patch

Chance = np.random.Generator
Colour = Sequence[float]

LEAST_HEIGHT = 48  # pixels of a face that is drawn on
LIGHTS = {"strong_blur": strong_blur, "darkness": darkness, "backlight": backlight}
CLOTHS: tuple[Colour, ...] = (
    (196, 214, 228), (235, 235, 232), (38, 38, 42), (52, 66, 98), (120, 32, 40), (92, 104, 84), (178, 154, 122),
    (206, 150, 160), (96, 96, 100), (198, 160, 62), (60, 110, 116),
)  # fmt: skip
MASKS: tuple[Colour, ...] = (
    (150, 190, 218),
    (232, 236, 238),
    (34, 34, 38),
    (168, 206, 196),
    (64, 74, 104),
    (190, 60, 70),
)


def drawable(rgb: Rgb, box: Box) -> bool:
    """Whether a face is frontal, large enough and boxed from brow to chin, as far as code can tell.

    At least LEAST_HEIGHT high, 0.60 to 0.95 as wide, like its mirror image by 0.5, and the eyes, the darkest band of
    the upper half, at 0.32 to 0.46 of the height. By the landmarks of the YuNet detector, of 93 % of 576 such faces
    nose and mouth lie within 0.07 of 0.60 and 0.755, and the nose's tip within 0.2 eye distances of the middle.
    """
    if box.height < LEAST_HEIGHT or not 0.6 <= box.width / box.height <= 0.95:
        return False
    face = patch(rgb, box)
    return likeness_to_mirror(face) >= 0.5 and 0.32 <= _eye_row(face) <= 0.46


def _eye_row(face: Rgb) -> float:
    luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    rows = cv2.GaussianBlur(luma, (0, 0), 1.5)[:, 13:51].mean(axis=1, keepdims=True)
    darker = cv2.GaussianBlur(rows, (0, 0), 6) - rows
    return float((np.argmax(darker[12:36]) + 12.5) / PATCH)


def draw(kind: str, rgb: Rgb, box: Box, chance: Chance) -> Rgb:
    """The picture with one of KINDS drawn on or about a face: uint8 (H, W, 3)."""
    if kind in LIGHTS:
        return LIGHTS[kind](rgb, box, chance)
    layer = Layer()
    COVERS[kind](layer, box.width / box.height / 2, _skin(rgb, box), chance)
    return paste(rgb, box, layer, chance.normal(0, 3))


def _skin(rgb: Rgb, box: Box) -> Plane:
    """Colour of the skin between brow and cheek as it would be in good light: float32 (3,)."""
    face = patch(rgb, box)
    upper = face[14:36, 16:48].reshape(-1, 3).astype(np.float32)
    luma = upper.mean(axis=1)
    skin = np.median(upper[luma >= np.median(luma)], axis=0)
    return np.asarray(skin / exposure(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)), np.float32)


def _noise(layer: Layer, across: float, down: float, chance: Chance) -> Plane:
    """Smooth noise, mean 0 and deviation 1, with grains so wide and high in face heights: float32 (H, W)."""
    rows, columns = layer.cover.shape
    grains = chance.normal(size=(max(3, int(2.2 / down)), max(3, int(2.2 / across)))).astype(np.float32)
    wide = cv2.resize(grains, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray((wide - wide.mean()) / (wide.std() + 1e-6), np.float32)


def _hand(layer: Layer, wrist: Point, knuckles: Point, skin: Plane, chance: Chance) -> None:
    """The back of a hand from wrist to knuckles on its arm, four fingers beyond, and a thumb aside."""
    tone = skin * chance.uniform(0.9, 1.08) * (1.03, 0.98, 0.96)
    arm = np.array(knuckles) - wrist
    ahead = arm / np.hypot(*arm)
    # a right hand from one side, a left hand from the other
    aside = np.array([-ahead[1], ahead[0]]) * (1 if wrist[0] < 0 else -1)
    thumb = wrist + ahead * 0.04 + aside * 0.14
    inside, relief = layer.capsule(tuple(wrist - ahead * 0.9), wrist, 0.18, 0.14)
    parts = [
        (inside, relief * 0.6),
        *(_flat(layer.capsule(wrist, tuple(knuckles + aside * x), 0.13, 0.13)) for x in (-0.07, 0.07)),
    ]
    parts.append(layer.capsule(tuple(thumb), tuple(thumb + ahead * 0.26 + aside * 0.08), 0.065, 0.048))
    tips = []
    for finger, length in enumerate(np.array([0.3, 0.35, 0.33, 0.25]) * chance.uniform(0.85, 1.1)):
        side = (1.5 - finger) * chance.uniform(0.082, 0.094)
        base = knuckles + aside * side - ahead * 0.06
        tips.append(base + ahead * length + aside * (side * 0.3 + chance.normal(0, 0.012)))
        inside, relief = layer.capsule(tuple(base), tuple(tips[-1]), 0.056, 0.044)
        parts.append((inside, relief + 0.03 * inside))
    insides, reliefs = zip(*parts, strict=True)
    spots = 1 + 0.02 * _noise(layer, 0.03, 0.03, chance) + 0.03 * _noise(layer, 0.2, 0.2, chance)
    layer.put(np.max(insides, axis=0), np.clip(tone * spots[..., None], 0, 255), np.max(reliefs, axis=0))
    for tip in tips:
        nail, _ = layer.capsule(tuple(tip - ahead * 0.02), tuple(tip + ahead * 0.015), 0.024, 0.022)
        layer.put(nail * 0.4, np.clip(tone * 1.1 + 10, 0, 255), layer.relief)


def _flat(shape: tuple[Plane, Plane]) -> tuple[Plane, Plane]:
    """The back of a hand is no tube."""
    inside, relief = shape
    return inside, np.minimum(relief, 0.075)


def _shaded(shape: tuple[Plane, Plane], colour: Plane, flat: float = 1.0) -> tuple[Plane, Plane, Plane]:
    inside, relief = shape
    return inside, colour, relief * flat


def one_hand(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A hand before mouth and nose, from below or from one side."""
    side = chance.choice([-1, 1])
    wrist = (side * chance.uniform(0.25, 0.5), chance.uniform(1.05, 1.2))
    _hand(layer, wrist, (side * chance.uniform(0.02, 0.12), chance.uniform(0.76, 0.84)), skin, chance)


def two_hands(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """Two hands that meet before mouth and nose."""
    low, height = chance.uniform(1.08, 1.2), chance.uniform(0.76, 0.82)
    for side in chance.permutation([-1, 1]):
        wrist = (side * chance.uniform(0.38, 0.5), low)
        _hand(layer, wrist, (side * chance.uniform(0.14, 0.2), height), skin, chance)


def scarf(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A scarf or shawl up to the nose, over the shoulders; plain, striped or checked."""
    top, wide, dip = chance.uniform(0.5, 0.62), half + chance.uniform(0.06, 0.16), chance.uniform(-0.03, 0.08)
    edge = [(-wide, top - 0.1), (-0.2, top + dip * 0.6), (0, top + dip), (0.2, top + dip * 0.6), (wide, top - 0.1)]
    body = [(wide + 0.1, 0.95), (wide + 0.35, 1.35), (0.9, 1.75), (0, 1.85), (-0.9, 1.75), (-wide - 0.35, 1.35)]
    inside = layer.outline([*edge, *body, (-wide - 0.1, 0.95)])
    bend = layer.y + chance.uniform(0.1, 0.5) * layer.x**2 + 0.05 * _noise(layer, 0.5, 0.4, chance)
    folds = np.sin(bend * chance.uniform(22, 40)) * 0.012 + 0.02 * _noise(layer, 0.9, 0.12, chance)
    layer.put(inside, _cloth(layer, bend, chance), folds + 0.1 * np.cos(np.clip(layer.x / wide, -1.5, 1.5)))


def _cloth(layer: Layer, bend: Plane, chance: Chance) -> Plane:
    """Plain, striped or checked cloth whose rows follow `bend`: float32 (H, W, 3)."""
    first, second = (np.array(CLOTHS[k], np.float32) for k in chance.choice(len(CLOTHS), 2, replace=False))
    style, fine = chance.integers(3), chance.uniform(18, 60)
    stripes = (np.sin(bend * fine) > 0.3).astype(np.float32) if style else np.zeros_like(bend)
    if style == 2:
        stripes = (stripes + (np.sin(layer.x * fine) > 0.3)) / 2
    weave = 1 + 0.05 * _noise(layer, 0.012, 0.012, chance) + 0.04 * _noise(layer, 0.3, 0.2, chance)
    return np.asarray((first + (second - first) * stripes[..., None]) * weave[..., None], np.float32)


def beard(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A full beard with a moustache; the lips show."""
    hair = np.array([(28, 22, 20), (52, 38, 28), (96, 70, 48), (120, 116, 112), (200, 196, 190)][chance.integers(5)])
    full, wide = chance.uniform(1.06, 1.28), half - 0.01
    low = [(wide * 0.8, 0.9), (0.2, full - 0.04), (0, full), (-0.2, full - 0.04), (-wide * 0.8, 0.9)]
    inner = [(-wide, 0.5), (-wide + 0.06, 0.6), (-0.19, 0.72), (-0.07, 0.665), (0, 0.675), (0.07, 0.665), (0.19, 0.72)]
    inside = layer.outline([(wide, 0.5), *low, *inner, (wide - 0.06, 0.6)], 0.02)
    lips = layer.outline([(-0.11, 0.755), (0, 0.735), (0.11, 0.755), (0, 0.795)], 0.012)
    strands = _noise(layer, 0.008, 0.05, chance) * 0.5 + _noise(layer, 0.012, 0.02, chance) * 0.5
    thick = np.clip(0.9 + 0.25 * strands, 0, 1) * inside * (1 - 0.95 * lips)
    layer.put(np.asarray(thick, np.float32), hair * (1 + 0.15 * strands)[..., None], 0.002 * strands)


def paper(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A sheet of paper or a magazine held before mouth and nose."""
    top, wide, low = chance.uniform(0.48, 0.6), half + chance.uniform(-0.04, 0.2), chance.uniform(1.1, 1.4)
    tilt = chance.uniform(-0.05, 0.05)
    corners = [(-wide, top - tilt), (wide, top + tilt), (wide - tilt, low + tilt), (-wide - tilt, low - tilt)]
    inside = layer.outline([corner for corner in corners for _ in range(3)], 0.004)
    sheet = np.full((*layer.cover.shape, 3), chance.choice([248, 240, 225]), np.float32)
    lines = (np.sin((layer.y - tilt * layer.x) * 100) > 0.2) & (_noise(layer, 0.03, 0.02, chance) > -0.4)
    margin = (np.abs(layer.x) < wide - 0.06) & (layer.y > top + 0.08)
    sheet[lines & margin] *= chance.uniform(0.3, 0.8)
    if chance.random() < 0.4:
        sheet[layer.y < chance.uniform(top + 0.1, low)] = CLOTHS[chance.integers(len(CLOTHS))]
    layer.put(inside, sheet, 0.05 * np.cos(layer.x * 3 + chance.uniform(0, 3)))
    side = chance.choice([-1, 1])
    _fingers(layer, (side * (wide + 0.02), chance.uniform(0.95, 1.1)), -side, skin, chance)


def _fingers(layer: Layer, place: Point, side: float, skin: Plane, chance: Chance) -> None:
    """Four fingers that reach round something's edge from `place`, towards `side` (-1 left, 1 right)."""
    tone = np.clip(skin * chance.uniform(0.85, 1.05), 0, 255)
    for finger in range(4):
        y = place[1] + (finger - 1.5) * 0.082
        tip = place[0] + side * chance.uniform(0.13, 0.2), y - 0.02
        layer.put(*_shaded(layer.capsule((place[0] - side * 0.14, y + 0.03), tip, 0.048, 0.04), tone))


def cup(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A cup or mug at the lips, with the hand that holds it."""
    top, low = chance.uniform(0.56, 0.66), chance.uniform(1.02, 1.15)
    wide, narrow, x = chance.uniform(0.2, 0.27), chance.uniform(0.15, 0.19), chance.normal(0, 0.02)
    body = [(x - wide, top), (x + wide, top), (x + narrow, low), (x - narrow, low)]
    inside = layer.outline([corner for corner in body for _ in range(3)], 0.004)
    colour = np.array(CLOTHS[chance.integers(len(CLOTHS))], np.float32) * np.ones((*layer.cover.shape, 1), np.float32)
    if chance.random() < 0.5:
        colour[np.abs(layer.y - (top + low) / 2) < 0.09] = CLOTHS[chance.integers(len(CLOTHS))]
    layer.put(inside, colour, np.sqrt(np.clip(0.08 - (layer.x - x) ** 2, 0, 1)))
    rim, _ = layer.capsule((x - wide + 0.01, top), (x + wide - 0.01, top), 0.03, 0.03)
    layer.put(rim, chance.choice([(245, 245, 245), (30, 30, 30)]), 0.3)
    side = chance.choice([-1, 1])
    _fingers(layer, (x + side * narrow * 1.1, (top + low) / 2 + 0.06), -side, skin, chance)
    layer.put(*_shaded(layer.capsule((x + side * 0.75, 1.55), (x + side * 0.27, 0.95), 0.17, 0.13), skin * 0.95, 0.7))


def telephone(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A telephone's back before mouth and nose, as for a picture in the mirror, with the hand that holds it."""
    lean, side = chance.uniform(-0.12, 0.12), chance.choice([-1, 1])
    wide, top, low = chance.uniform(0.17, 0.23), chance.uniform(0.5, 0.58), chance.uniform(1.0, 1.12)
    start, end = (lean, top), (-lean, low)
    across = layer.x - (start[0] + (end[0] - start[0]) * (layer.y - top) / (low - top))
    body = [(start[0] - wide, top), (start[0] + wide, top), (end[0] + wide, low), (end[0] - wide, low)]
    inside = layer.outline([corner for corner in body for _ in range(3)], 0.006)
    shell = np.array([(24, 24, 28), (225, 225, 228), (70, 90, 120), (150, 30, 40), (190, 165, 140)][chance.integers(5)])
    gloss = 1 + 0.25 * np.exp(-((across + layer.y * 0.5 - 0.4) ** 2) / 0.01)
    layer.put(inside, np.clip(shell * gloss[..., None], 0, 255))
    for k in range(int(chance.integers(1, 4))):
        lens, _ = layer.capsule(
            (start[0] - wide + 0.07, top + 0.07 + 0.07 * k), (start[0] - wide + 0.07, top + 0.08 + 0.07 * k), 0.03, 0.03
        )
        layer.put(lens, (12, 12, 16))
    _fingers(layer, (side * wide, chance.uniform(0.85, 0.95)), -side, skin, chance)
    layer.put(*_shaded(layer.capsule((side * 0.6, 1.6), (side * (wide + 0.1), 0.98), 0.18, 0.13), skin * 0.95, 0.7))


def _mask(layer: Layer, outline: Sequence[Point], chance: Chance, pleats: float) -> None:
    """A mask within an outline, with `pleats` folds a face height, a seam along its edge and a hint of print."""
    tone = np.array(MASKS[chance.integers(len(MASKS))], np.float32) * chance.uniform(0.92, 1.05)
    colour = tone * (1 + 0.03 * _noise(layer, 0.015, 0.015, chance))[..., None]
    if chance.random() < 0.25:
        print_ = _noise(layer, 0.06, 0.06, chance) > 0.8
        colour[print_] = CLOTHS[chance.integers(len(CLOTHS))]
    inside = layer.outline(outline)
    round_ = 0.16 * np.sqrt(np.clip(1 - (layer.x / 0.5) ** 2, 0, 1))
    ridges = 0.006 * np.abs(np.sin((layer.y + 0.25 * layer.x**2) * pleats * np.pi)) + 0.004 * _noise(
        layer, 0.25, 0.1, chance
    )
    layer.put(inside, np.clip(colour, 0, 255), round_ + ridges)
    seam = np.clip(inside - cv2.erode(inside, np.ones((5, 5), np.uint8)), 0, 1)
    layer.colour *= (1 - 0.18 * seam)[..., None]


def _loops(layer: Layer, ends: Sequence[Point], half: float) -> None:
    """Ear loops from a mask's corners, given for the right side, to both ears."""
    for x, y in ends:
        for side in (-1, 1):
            inside, relief = layer.capsule((side * x, y), (side * (half + 0.03), 0.46), 0.008, 0.008)
            layer.put(inside, (226, 228, 230), relief)


def _worn(layer: Layer, half: float, top: float, low: float, rise: float, chance: Chance) -> None:
    """A mask from `top` in its middle, `rise` lower at its ends, to `low`."""
    wide = half - 0.02
    _loops(layer, [(wide - 0.03, top + rise + 0.03), (wide * 0.8, low - 0.08)], half)
    upper = [
        (-wide, top + rise),
        (-wide * 0.55, top + rise * 0.45),
        (0, top),
        (wide * 0.55, top + rise * 0.45),
        (wide, top + rise),
    ]
    lower = [
        (wide * 0.86, low - 0.12),
        (wide * 0.5, low - 0.02),
        (0, low),
        (-wide * 0.5, low - 0.02),
        (-wide * 0.86, low - 0.12),
    ]
    _mask(layer, [*upper, *lower], chance, chance.choice([0, 9, 12]))


def chin_mask(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A mask pulled down under the mouth and chin: mouth and nose are bare."""
    _worn(layer, half * 0.95, chance.uniform(0.9, 0.98), chance.uniform(1.12, 1.25), -0.04, chance)


def nose_out(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A mask over mouth and chin, its upper edge on the lip: the nose is bare."""
    _worn(layer, half, chance.uniform(0.675, 0.715), chance.uniform(1.02, 1.1), chance.uniform(-0.05, 0.02), chance)


def chin_out(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A mask too high or too small: it covers the nose and ends on the lips, the chin is bare."""
    _worn(layer, half, chance.uniform(0.44, 0.5), chance.uniform(0.74, 0.8), 0.06, chance)


def mask_in_hand(layer: Layer, half: float, skin: Plane, chance: Chance) -> None:
    """A mask held up beside the cheek of the bare face."""
    side = chance.choice([-1, 1])
    x, y = side * (half + chance.uniform(0.22, 0.32)), chance.uniform(0.5, 0.85)
    tilt, wide = chance.uniform(-0.06, 0.06), chance.uniform(0.26, 0.34)
    corners = [(x - wide, y - tilt), (x, y - 0.02), (x + wide, y + tilt), (x + wide * 0.9, y + 0.36 + tilt)]
    _mask(layer, [*corners, (x, y + 0.42), (x - wide * 0.9, y + 0.36 - tilt)], chance, 9)
    _fingers(layer, (x + side * wide, y + 0.1), -side, skin, chance)


COVERS: dict[str, Callable[[Layer, float, Plane, Chance], None]] = {
    each.__name__: each
    for each in (one_hand, two_hands, scarf, beard, paper, cup, telephone, chin_mask, nose_out, chin_out, mask_in_hand)
}
KINDS = {kind: INCORRECT if kind in ("nose_out", "chin_out") else WITHOUT_MASK for kind in (*COVERS, *LIGHTS)}
