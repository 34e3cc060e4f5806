"""Face masks of many shapes and prints drawn on bare faces: worn properly, worn wrongly, pulled under the chin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.values import Box, Rgb
from train.augment import Chance
from train.overlays.drawing import (
    Drawing,
    Plane,
    Points,
    Scene,
    cloudy,
    ellipse,
    fill,
    look_at,
    one_of,
    smooth,
    step,
    stroke,
)
from train.overlays.patterns import any_colour, cloth, grey

Relief = Callable[[Plane, Plane, Chance], Plane]
"""Light and shade, around 0: of x in face coordinates, and of 0 at the mask's upper to 1 at its lower edge."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A shape of mask.

    outline: its right half from the top of the nose to the chin; x in face coordinates, y from 0 at its upper to 1 at
        its lower edge. The ear loops are fixed at CORNERS of it.
    plain: how often it has no print.
    """

    outline: Points
    relief: Relief
    plain: float


CORNERS = [3, 4]


def pleats(x: Plane, part: Plane, chance: Chance) -> Plane:
    folds, skew = int(chance.integers(2, 5)), np.float32(chance.uniform(-0.05, 0.05))
    saw = step((part * folds + skew * x) % 1, 0.15, 1.0) - np.float32(0.5)
    wire = step(np.abs(part - np.float32(0.07)), 0.035, 0.0)
    return saw * step(part, 0.12, 0.25) * step(part, 0.98, 0.8) - wire


def seam_down(x: Plane, part: Plane, chance: Chance) -> Plane:
    brighter = np.float32(chance.choice([-0.5, 0.5]))
    return np.tanh(x * 4) * brighter - step(np.abs(x), 0.05, 0.0)


def seam_across(x: Plane, part: Plane, chance: Chance) -> Plane:
    return step(np.abs(part - np.float32(0.5)), 0.08, 0.0) - step(part, 0.5, 0.56)


def dome(x: Plane, part: Plane, chance: Chance) -> Plane:
    return np.exp(-((x * np.float32(2.2)) ** 2) - ((part - np.float32(0.4)) * 3) ** 2)


_SURGICAL = (0, 0), (0.2, 0.03), (0.55, 0.15), (0.9, 0.18), (0.9, 0.64), (0.68, 0.9), (0.3, 1), (0, 1)
_FOLDED = (0, -0.02), (0.15, 0.03), (0.5, 0.24), (0.94, 0.3), (0.93, 0.46), (0.62, 0.82), (0.2, 1), (0, 1.02)
_CUP = (0, 0), (0.18, 0.03), (0.45, 0.2), (0.78, 0.42), (0.78, 0.62), (0.6, 0.85), (0.3, 0.98), (0, 1)
_DUCKBILL = (0, 0), (0.25, 0.06), (0.6, 0.24), (0.85, 0.36), (0.8, 0.6), (0.5, 0.9), (0.3, 0.98), (0, 1)
_CLOTH = (0, 0), (0.2, 0.04), (0.5, 0.18), (0.97, 0.12), (0.98, 0.42), (0.75, 0.8), (0.35, 0.98), (0, 1)

KINDS: tuple[tuple[Kind, float], ...] = (
    (Kind(_SURGICAL, pleats, plain=0.9), 7),
    (Kind(_FOLDED, seam_down, plain=0.85), 2),
    (Kind(_CUP, dome, plain=0.9), 1.5),
    (Kind(_DUCKBILL, seam_across, plain=0.9), 1),
    (Kind(_CLOTH, seam_down, plain=0.4), 2),
    (Kind(_CLOTH, dome, plain=0.4), 2),
)


def proper_mask(rgb: Rgb, face: Box, chance: Chance) -> Rgb:
    """A mask from the bridge of the nose to under the chin."""
    return _worn(look_at(rgb, face, chance), (chance.uniform(0.41, 0.5), chance.uniform(0.98, 1.08)), 0.0, chance)


def incorrect_mask(rgb: Rgb, face: Box, chance: Chance) -> Rgb:
    """A mask below the nose (65 %), over no more than its tip (15 %), or above a bare chin (20 %)."""
    scene, way = look_at(rgb, face, chance), chance.random()
    if way < 0.2:
        top = chance.uniform(0.41, 0.5)
        return _worn(scene, (top, chance.uniform(0.74, 0.83)), 0.0, chance)
    top = chance.uniform(0.64, 0.68) if way < 0.35 else chance.uniform(0.68, 0.77)
    return _worn(scene, (top, top + chance.uniform(0.36, 0.55)), chance.uniform(0.02, 0.16), chance)


def chin_mask(rgb: Rgb, face: Box, chance: Chance) -> Rgb:
    """A mask under the chin, or (one in seven) hanging from one ear; nose and mouth are bare."""
    scene = look_at(rgb, face, chance)
    if chance.random() < 1 / 7:
        return _hanging(scene, chance)
    top = chance.uniform(0.88, 0.97)
    return _worn(scene, (top, top + chance.uniform(0.18, 0.4)), chance.uniform(0.14, 0.28), chance)


def _worn(scene: Scene, span: tuple[float, float], sag: float, chance: Chance) -> Rgb:
    """A mask between two heights; by `sag` its middle hangs lower than its sides."""
    kind = one_of(KINDS, chance)
    half = _shaken(kind.outline, span, sag, chance)
    both = np.concatenate([half, (half * (-1, 1))[-2:0:-1]])
    shape = fill(scene.size, scene.place(smooth(both)))
    drawing, part = Drawing(scene), (scene.y - np.float32(span[0])) / np.float32(span[1] - span[0])
    part = part + np.float32(sag / (span[1] - span[0])) * scene.x**2
    drawing.lay(shape, cloth(scene, chance, kind.plain))
    drawing.shade(_shading(kind, scene, part, chance))
    if chance.random() < 0.25:
        _hem(drawing, both, shape, chance)
    if kind.relief is not pleats and chance.random() < 0.2:
        _valve(drawing, shape, part, chance)
    if chance.random() < 0.6:
        _loops(drawing, half[CORNERS], chance)
    return drawing.paste(chance)


def _shaken(outline: Points, span: tuple[float, float], sag: float, chance: Chance) -> NDArray[np.float64]:
    half = np.array(outline, np.float64)
    half[:, 0] *= chance.uniform(0.9, 1.08)
    half[1:-1] += chance.normal(0, 0.015, (len(half) - 2, 2))
    half[:, 1] = span[0] + half[:, 1] * (span[1] - span[0]) - sag * half[:, 0] ** 2
    return half


def _shading(kind: Kind, scene: Scene, part: Plane, chance: Chance) -> Plane:
    """Light and shade of the mask's form, around 1: a cylinder lit from a side, a shaded chin, creases, its relief."""
    curve, slant, chin = chance.uniform(0.1, 0.3), chance.uniform(-0.12, 0.12), chance.uniform(0.05, 0.3)
    form = np.float32(1.04) - np.float32(curve) * scene.x**2 + np.float32(slant) * scene.x
    creases = cloudy(scene.size, int(chance.integers(3, 9)), int(chance.integers(5, 20)), chance)
    form = form - np.float32(chin) * step(part, 0.45, 1.05) + np.float32(chance.uniform(0.02, 0.1)) * creases
    relief = np.float32(chance.uniform(0.06, 0.28)) * kind.relief(scene.x, part, chance)
    return np.asarray(form + relief, np.float32)


def _hem(drawing: Drawing, outline: NDArray[np.float64], shape: Plane, chance: Chance) -> None:
    """A border in another colour, or a darker one."""
    scene = drawing.scene
    edge = smooth(outline)
    line = scene.place(np.concatenate([edge, edge[:1]]))
    border = stroke(scene.size, [line], scene.face.height * chance.uniform(0.02, 0.05))
    colours = any_colour(chance) if chance.random() < 0.5 else drawing.colours * np.float32(0.8)
    drawing.lay(border * shape * np.float32(0.8), colours)


def _valve(drawing: Drawing, shape: Plane, part: Plane, chance: Chance) -> None:
    """A round exhalation valve on one side of the middle."""
    scene, radius = drawing.scene, np.float32(chance.uniform(0.12, 0.2))
    x = (scene.x - np.float32(chance.choice([-0.38, 0.0, 0.38]))) / radius
    y = (part - np.float32(chance.uniform(0.5, 0.65))) / (radius * np.float32(1.4))
    disc = ellipse(x, y, 0.2) * shape
    drawing.lay(disc, grey(chance.choice([0.15, 0.6, 0.92])))
    drawing.shade(1 - np.float32(0.35) * disc * (np.abs(np.sin(y * np.float32(4.5))) < 0.35))


def _loops(drawing: Drawing, corners: NDArray[np.float64], chance: Chance) -> None:
    """Bands from both corners of either side to the ear, or around the head."""
    scene, ear = drawing.scene, (chance.uniform(1.0, 1.15), chance.uniform(0.42, 0.51))
    colour = grey(chance.choice([0.85, 0.85, 0.1])) if chance.random() < 0.9 else any_colour(chance)
    width = scene.face.height * chance.uniform(0.003, 0.014)
    bands = [np.array([corner, (corner + ear) / 2 + (0, 0.01), ear]) for corner in corners]
    lines = [scene.place(band * (side, 1)) for band in bands for side in (-1, 1)]
    drawing.lay(stroke(scene.size, lines, width), colour)


def _hanging(scene: Scene, chance: Chance) -> Rgb:
    """A mask that hangs from one ear, beside the cheek."""
    side, x, y = chance.choice([-1, 1]), chance.uniform(0.95, 1.1), chance.uniform(0.62, 0.8)
    wide, high = chance.uniform(0.2, 0.4), chance.uniform(0.35, 0.5)
    lean = chance.normal(0, 0.06)
    corners = [
        (x - wide / 2, y),
        (x + wide / 2, y + 0.03),
        (x + wide / 2 + lean, y + high),
        (x - wide / 2 + lean, y + high),
    ]
    drawing = Drawing(scene)
    drawing.lay(fill(scene.size, scene.place(smooth(np.array(corners) * (side, 1), 1))), cloth(scene, chance, 0.8))
    drawing.shade(_shading(KINDS[0][0], scene, (scene.y - np.float32(y)) / np.float32(high), chance))
    band = scene.place(np.array([(x, y), (1.0, 0.45)]) * (side, 1))
    drawing.lay(stroke(scene.size, [band], 1.2), grey(0.85))
    return drawing.paste(chance)
