"""Things that hide a mouth and are no face mask, drawn on bare faces: hands, scarves, cups, paper, beards."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.values import Box, Rgb
from train.augment import Chance
from train.overlays.drawing import (
    Colours,
    Drawing,
    Plane,
    Points,
    Scene,
    capsule,
    cloudy,
    ellipse,
    fill,
    look_at,
    one_of,
    smooth,
    step,
    stroke,
)
from train.overlays.patterns import MASK_COLOURS, Palette, any_colour, cloth, grey, letters, pick, skin

Cover = Callable[[Drawing, Chance], None]

HAIR: Palette = (
    ((0.06, 0.05, 0.05), 4), ((0.20, 0.12, 0.07), 3), ((0.50, 0.35, 0.18), 1.5), ((0.55, 0.54, 0.52), 1.5),
    ((0.80, 0.79, 0.76), 1), ((0.45, 0.20, 0.08), 0.7),
)  # fmt: skip


def cover(rgb: Rgb, face: Box, chance: Chance) -> Rgb:
    """One of COVERS over the mouth, often over the nose too."""
    drawing = Drawing(look_at(rgb, face, chance))
    one_of(COVERS, chance)(drawing, chance)
    return drawing.paste(chance)


def hand(drawing: Drawing, chance: Chance) -> None:
    """A hand from one side, its fingers across the mouth."""
    side = float(chance.choice([-1, 1]))
    palm = side * chance.uniform(0.3, 0.9), chance.uniform(0.72, 0.95)
    _hand(drawing, palm, _towards(side, chance.uniform(-0.3, 0.9)), chance.uniform(0.85, 1.15), chance)


def hands(drawing: Drawing, chance: Chance) -> None:
    """Two hands that meet before the mouth."""
    high, lean = chance.uniform(0.8, 1.0), chance.uniform(0.2, 1.2)
    for side in (-1, 1):
        palm = side * chance.uniform(0.35, 0.75), high + chance.normal(0, 0.03)
        _hand(drawing, palm, _towards(side, lean), 1.0, chance)


def fist(drawing: Drawing, chance: Chance) -> None:
    """A fist before the mouth, as one coughs."""
    x, y, wide = chance.normal(0, 0.2), chance.uniform(0.74, 0.9), chance.uniform(0.09, 0.12)
    colour = skin(drawing.scene, chance)
    _limb(drawing, [(x, y + 0.12), (x + chance.uniform(-1, 1), y + 0.9)], 0.17, colour)
    for finger in range(4):
        at = x + (finger - 1.5) * wide * 2.1
        _limb(drawing, [(at, y - 0.05), (at + 0.02, y + 0.12)], wide / 1.7, colour)
    _limb(drawing, [(x - 0.3, y + 0.18), (x + 0.15, y + 0.12)], wide / 1.6, colour)


def scarf(drawing: Drawing, chance: Chance) -> None:
    """Wound cloth from nose, mouth or cheeks downwards, wider than the face, in folds."""
    _drape(drawing, chance.uniform(0.4, 0.72), chance.uniform(1.0, 1.6), chance.uniform(0.08, 0.26), chance)


def veil(drawing: Drawing, chance: Chance) -> None:
    """Thin cloth drawn tight over the nose, hanging down; the head may be wrapped in the same."""
    scene = drawing.scene
    if chance.random() < 0.4:
        slot = ellipse(scene.x / np.float32(chance.uniform(0.8, 0.95)), (scene.y - 0.36) / np.float32(0.2), 0.15)
        head = ellipse(scene.x / np.float32(1.3), (scene.y - 0.75) / np.float32(1.2), 0.05)
        drawing.lay(head * (1 - slot), cloth(scene, chance, 0.9))
        drawing.shade(_folds(scene, 0.12, chance))
        return
    _drape(drawing, chance.uniform(0.42, 0.56), chance.uniform(0.95, 1.15), chance.uniform(0.03, 0.12), chance)


def collar(drawing: Drawing, chance: Chance) -> None:
    """A high collar or a jumper pulled up to the lips, some with a zip."""
    scene, top = drawing.scene, chance.uniform(0.58, 0.74)
    dip = chance.uniform(-0.02, 0.12)
    half = [
        (0.0, top + dip),
        (0.4, top + dip * 0.6),
        (0.95, top - 0.06),
        (1.1, top),
        (1.25, 1.1),
        (1.7, 1.4),
        (1.9, 2.2),
    ]
    _sheet(drawing, [*half, *((-x, y) for x, y in reversed(half[1:]))], cloth(scene, chance, 0.8), rounds=1)
    drawing.shade(_folds(scene, 0.15, chance))
    if chance.random() < 0.5:
        zip_line = stroke(scene.size, [scene.place([(0, top + dip), (0.03, 2.2)])], scene.face.height * 0.025)
        drawing.lay(zip_line * drawing.cover, grey(chance.choice([0.1, 0.55, 0.8])))


def sleeve(drawing: Drawing, chance: Chance) -> None:
    """An arm or a bent elbow before the mouth."""
    side, y = float(chance.choice([-1, 1])), chance.uniform(0.74, 0.92)
    line = [(side * 2.2, y + chance.uniform(0.1, 0.8)), (side * -0.3, y), (side * -2.0, y + chance.uniform(-0.2, 1.2))]
    colours = skin(drawing.scene, chance) if chance.random() < 0.2 else cloth(drawing.scene, chance, 0.7)
    for start, end in pairwise(line):
        _limb(drawing, [start, end], chance.uniform(0.2, 0.3), colours)
    drawing.shade(_folds(drawing.scene, 0.12, chance))


def cup(drawing: Drawing, chance: Chance) -> None:
    """A cup or a glass at the lips, held from one side."""
    scene, x, y = drawing.scene, chance.normal(0, 0.1), chance.uniform(0.66, 0.76)
    wide, deep, slant = chance.uniform(0.32, 0.55), chance.uniform(0.35, 0.6), chance.uniform(0.65, 0.95)
    body = [(x - wide, y), (x + wide, y), (x + wide * slant, y + deep), (x - wide * slant, y + deep)]
    _sheet(drawing, body, cloth(scene, chance, 0.6), rounds=0)
    across = (scene.x - np.float32(x)) / np.float32(wide)
    drawing.shade(1.05 - 0.35 * across**2 + 0.25 * np.exp(-(((across + 0.4) * 6) ** 2)))
    rim = ellipse(across, (scene.y - np.float32(y)) / np.float32(0.05), 0.2)
    drawing.lay(rim, pick(MASK_COLOURS, chance) * np.float32(0.8))
    _holding(drawing, (x, y + deep * 0.6), chance)


def phone(drawing: Drawing, chance: Chance) -> None:
    """A telephone held up or spoken into."""
    scene, at = drawing.scene, (chance.normal(0, 0.25), chance.uniform(0.74, 0.95))
    colour = grey(chance.choice([0.04, 0.08, 0.3, 0.85])) if chance.random() < 0.8 else any_colour(chance)
    wide, high, lean = chance.uniform(0.3, 0.5), chance.uniform(0.3, 0.45), chance.normal(0, 0.5)
    if chance.random() < 0.4:
        wide, high = high * 1.6, wide * 0.45
    _sheet(drawing, _tilted(scene, at, wide, high, lean), colour, rounds=0)
    drawing.shade((1.0 + 0.3 * (scene.x - np.float32(at[0])) + 0.2 * (at[1] - scene.y)).astype(np.float32))
    eye = at[0] - 0.6 * wide, at[1] - 0.7 * high
    lens = ellipse(
        (scene.x - np.float32(eye[0])) / np.float32(0.1), (scene.y - np.float32(eye[1])) / np.float32(0.04), 0.3
    )
    drawing.lay(lens * drawing.cover, grey(0.02))
    _holding(drawing, (at[0], at[1] + 0.1), chance)


def paper(drawing: Drawing, chance: Chance) -> None:
    """A sheet, a card or a book before the mouth, often with lines of writing."""
    scene, wide, high = drawing.scene, chance.uniform(0.6, 1.5), chance.uniform(0.25, 0.7)
    at = chance.normal(0, 0.25), chance.uniform(0.5, 0.68) + high
    white = chance.random() < 0.6
    colours = grey(chance.uniform(0.8, 0.95)) if white else cloth(scene, chance, 0.7)
    _sheet(drawing, _tilted(scene, at, wide, high, chance.normal(0, 0.15)), colours, rounds=0)
    if chance.random() < 0.6:
        lines = step(np.sin(scene.y * np.float32(chance.uniform(60, 140))), 0.3, 0.7)
        words = lines * (cloudy(scene.size, 24, 24, chance) > -0.4) * (np.abs(scene.x - np.float32(at[0])) < 0.8 * wide)
        drawing.lay(words.astype(np.float32) * drawing.cover * np.float32(0.7), grey(0.15))
    elif chance.random() < 0.5:
        drawing.lay(letters(scene.x, scene.y, chance) * drawing.cover, any_colour(chance))
    drawing.shade((1 + 0.08 * cloudy(scene.size, 2, 2, chance)).astype(np.float32))
    if chance.random() < 0.5:
        _holding(drawing, (at[0] + chance.choice([-1, 1]) * wide * 0.8, at[1]), chance)


def microphone(drawing: Drawing, chance: Chance) -> None:
    """A microphone before the lips, in a hand or on a stand."""
    scene, side = drawing.scene, float(chance.choice([-1, 1]))
    at, lean = (chance.normal(0, 0.12), chance.uniform(0.74, 0.86)), side * chance.uniform(0.1, 0.8)
    end = at[0] + lean, at[1] + 0.8
    _limb(drawing, [at, end], 0.06, grey(chance.choice([0.06, 0.3])))
    _limb(drawing, [at, at], chance.uniform(0.11, 0.17), grey(chance.choice([0.06, 0.15, 0.5])))
    grid = np.sin(scene.x * np.float32(60)) * np.sin(scene.y * np.float32(90))
    drawing.shade((1 + 0.4 * grid).astype(np.float32))
    if chance.random() < 0.6:
        _holding(drawing, (at[0] + lean * 0.45, at[1] + 0.33), chance)


def food(drawing: Drawing, chance: Chance) -> None:
    """Something round or layered at the lips: fruit, bread, a burger, a ball."""
    scene, at = drawing.scene, (chance.normal(0, 0.15), chance.uniform(0.74, 0.86))
    x = (scene.x - np.float32(at[0])) / np.float32(chance.uniform(0.3, 0.6))
    y = (scene.y - np.float32(at[1])) / np.float32(chance.uniform(0.1, 0.22))
    drawing.lay(ellipse(x, y), any_colour(chance))
    for _ in range(int(chance.integers(0, 4))):
        middle = np.float32(chance.uniform(-0.6, 0.6))
        band = step(np.abs(y - middle - 0.2 * cloudy(scene.size, 6, 2, chance)), 0.25, 0.1)
        drawing.lay(band * drawing.cover, any_colour(chance))
    drawing.shade(
        (1.1 - 0.4 * (x * x + y * y).clip(0, 1) + 0.1 * cloudy(scene.size, 20, 20, chance)).astype(np.float32)
    )
    _holding(drawing, (at[0], at[1] + 0.12), chance)


def beard(drawing: Drawing, chance: Chance) -> None:
    """A full beard around bare lips, or hiding them."""
    scene, low = drawing.scene, chance.uniform(1.05, 1.35)
    cheeks = 0.58 + 0.14 * np.cos(scene.x * np.float32(1.5)) + 0.03 * cloudy(scene.size, 12, 12, chance)
    shape = step(scene.y - cheeks, -0.04, 0.1) * step(np.abs(scene.x), 1.02, 0.8)
    shape = shape * step(scene.y + np.float32(0.25) * scene.x**2, low, low - 0.08)
    lips = ellipse(scene.x / np.float32(0.36), (scene.y - 0.765) / np.float32(0.045), 0.4)
    shape = shape * (1 - lips * np.float32(chance.uniform(0.2, 1)))
    _hair(drawing, shape * np.float32(chance.uniform(0.75, 1)), chance)


def hair(drawing: Drawing, chance: Chance) -> None:
    """Long hair blown or held across mouth and nose."""
    scene = drawing.scene
    y = scene.y - np.float32(chance.uniform(0.72, 0.85)) - np.float32(chance.uniform(-0.3, 0.3)) * scene.x
    ragged = 0.05 * cloudy(scene.size, 10, 3, chance)
    _hair(drawing, step(np.abs(y + ragged), chance.uniform(0.13, 0.25), 0.08), chance, lying=True)


def fan(drawing: Drawing, chance: Chance) -> None:
    """An open fan from the nose down."""
    scene, radius = drawing.scene, chance.uniform(0.6, 0.85)
    hinge, spread = (chance.normal(0, 0.3), chance.uniform(1.2, 1.4)), chance.uniform(0.7, 1.2)
    angles = np.linspace(-spread, spread, 12) + chance.normal(0, 0.15)
    arc = np.stack([hinge[0] + 2 * radius * np.sin(angles), hinge[1] - radius * np.cos(angles)], axis=1)
    _sheet(drawing, np.concatenate([arc, [hinge]]), cloth(scene, chance, 0.5), rounds=0)
    around = np.arctan2((scene.x - np.float32(hinge[0])) / 2, np.float32(hinge[1]) - scene.y)
    drawing.shade((0.9 + 0.15 * np.sign(np.sin(around * np.float32(chance.uniform(25, 45))))).astype(np.float32))


COVERS: tuple[tuple[Cover, float], ...] = (
    (hand, 4), (hands, 2), (fist, 1), (scarf, 4), (veil, 3), (collar, 2), (sleeve, 1.5), (cup, 1.5), (phone, 1.5),
    (paper, 2), (microphone, 1), (food, 1), (beard, 2), (hair, 1), (fan, 0.7),
)  # fmt: skip


def _towards(side: float, lean: float) -> NDArray[np.float64]:
    """The direction of fingers that come from a side: across the face, and upwards by `lean`."""
    way = np.array([-side, -lean])
    return np.asarray(way / np.hypot(*way))


def _hand(drawing: Drawing, palm: tuple[float, float], way: NDArray[np.float64], size: float, chance: Chance) -> None:
    """Forearm, palm, four fingers and a thumb. palm: face coordinates. way: unit vector along the fingers."""
    colour = skin(drawing.scene, chance)
    high = np.array([2 * drawing.scene.face.height / drawing.scene.face.width, 1.0]) * size
    aside = np.array([-way[1], way[0]]) * np.sign(-way[0] or 1)

    def at(along: float, across: float) -> tuple[float, float]:
        x, y = np.array(palm) + (along * way + across * aside) * high
        return float(x), float(y)

    _limb(drawing, [at(-0.2, 0), at(-1.2, chance.uniform(0, 0.4))], 0.13 * size, colour)
    _limb(drawing, [at(-0.12, 0.02), at(0.08, 0)], 0.2 * size, colour)
    spread, bend = chance.uniform(0.0, 0.06), chance.normal(0, 0.04)
    for finger, length in enumerate((0.30, 0.38, 0.40, 0.36)):
        across = (1.5 - finger) * 0.1
        _limb(drawing, [at(0.1, across), at(0.1 + length, across * (1 + spread * 10) + bend)], 0.05 * size, colour)
    if chance.random() < 0.5:
        _limb(drawing, [at(-0.05, -0.16), at(0.2, -0.34)], 0.055 * size, colour)
    drawing.shade((1 + 0.06 * cloudy(drawing.scene.size, 10, 10, chance)).astype(np.float32))


def _holding(drawing: Drawing, at: tuple[float, float], chance: Chance) -> None:
    """Fingers around a thing, from one side; three times in four."""
    if chance.random() < 0.25:
        return
    side, colour = float(chance.choice([-1, 1])), skin(drawing.scene, chance)
    reach, thick = chance.uniform(0.1, 0.3), chance.uniform(0.04, 0.055)
    for finger in range(int(chance.integers(2, 5))):
        y = at[1] + finger * thick * 1.9
        _limb(drawing, [(at[0] + side * 0.6, y + 0.06), (at[0] + side * reach * (1 + 0.2 * finger), y)], thick, colour)
    _limb(drawing, [(at[0] + side * 0.65, at[1] + 0.15), (at[0] + side * 1.2, at[1] + 0.9)], 0.13, colour)


def _limb(drawing: Drawing, line: Points, radius: float, colours: Colours) -> None:
    """A rounded bar between two points; radius in face heights."""
    start, end = drawing.scene.place(line)
    shape, round_ = capsule(drawing.scene.size, start, end, radius * drawing.scene.face.height)
    drawing.lay(shape, colours * (np.float32(0.7) + np.float32(0.35) * round_))


def _sheet(drawing: Drawing, corners: Points | NDArray[np.float64], colours: Colours, rounds: int) -> None:
    drawing.lay(fill(drawing.scene.size, drawing.scene.place(smooth(corners, rounds))), colours)


def _tilted(scene: Scene, at: tuple[float, float], wide: float, high: float, lean: float) -> NDArray[np.float64]:
    """Corners of a rectangle. wide, high: half its sides, in face coordinates; lean: radians."""
    shape = scene.face.height / scene.face.width * 2
    corners = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / (shape, 1)
    cos, sin = np.cos(lean), np.sin(lean)
    return np.asarray((corners @ np.array([[cos, sin], [-sin, cos]])) * (shape, 1) + at)


def _drape(drawing: Drawing, top: float, wide: float, depth: float, chance: Chance) -> None:
    lean, rise = chance.normal(0, 0.05), chance.uniform(-0.05, 0.1)
    edge = [(x * wide, top - rise * (1 - x * x) + lean * x + chance.normal(0, 0.015)) for x in np.linspace(-1, 1, 7)]
    flare = wide + chance.uniform(0.0, 0.7)
    _sheet(
        drawing,
        [*edge, (flare, 1.2), (flare + 0.2, 2.2), (-flare - 0.2, 2.2), (-flare, 1.2)],
        cloth(drawing.scene, chance, 0.7),
        rounds=1,
    )
    drawing.shade(_folds(drawing.scene, depth, chance))


def _folds(scene: Scene, depth: float, chance: Chance) -> Plane:
    """Light and shade of folded cloth, around 1."""
    tilt, often = chance.uniform(-0.8, 0.8), chance.uniform(6, 25)
    bent = scene.y + np.float32(tilt) * scene.x + np.float32(0.15) * cloudy(scene.size, 3, 3, chance)
    folds = np.sin(bent * np.float32(often)) * (0.6 + 0.4 * cloudy(scene.size, 3, 3, chance))
    shade = 1 + np.float32(depth) * folds - np.float32(0.15) * scene.x**2
    return np.asarray(shade.clip(0.3, 1.3), np.float32)


def _hair(drawing: Drawing, shape: Plane, chance: Chance, lying: bool = False) -> None:
    size = drawing.scene.size
    fine, coarse = (size // 2, size // 10) if not lying else (size // 12, size // 2)
    strands = cloudy(size, fine, coarse, chance) + 0.5 * cloudy(size, 8, 8, chance)
    drawing.lay(shape, pick(HAIR, chance))
    drawing.shade((1 + np.float32(chance.uniform(0.15, 0.4)) * strands).clip(0.3, 2.5).astype(np.float32))
