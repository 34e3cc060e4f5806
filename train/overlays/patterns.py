"""Cloth, paper and the like: colours and prints for drawings."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augment import Chance
from train.overlays.drawing import Colours, Plane, Scene, cloudy, one_of, step

Palette = tuple[tuple[tuple[float, float, float], float], ...]

MASK_COLOURS: Palette = (
    ((0.62, 0.80, 0.92), 5), ((0.45, 0.70, 0.88), 2), ((0.93, 0.94, 0.95), 5), ((0.08, 0.08, 0.09), 5),
    ((0.12, 0.16, 0.30), 2), ((0.92, 0.68, 0.75), 1.5), ((0.60, 0.82, 0.72), 1.5), ((0.25, 0.45, 0.35), 1),
    ((0.72, 0.10, 0.14), 1.5), ((0.48, 0.49, 0.50), 2), ((0.28, 0.29, 0.31), 1.5), ((0.80, 0.72, 0.60), 1.5),
    ((0.88, 0.84, 0.40), 0.7), ((0.50, 0.32, 0.62), 1), ((0.85, 0.45, 0.15), 0.6), ((0.15, 0.35, 0.70), 1.2),
)  # fmt: skip
"""Red, green, blue with a weight each; pale blue, white and black are the commonest."""

Print = Callable[[Plane, Plane, Chance], Plane]
"""Which share of the second colour a pixel has: of coordinates in face heights, turned by chance."""


def pick(palette: Palette, chance: Chance) -> Colours:
    """One colour, (3, 1, 1), with some scatter."""
    return _flat(np.array(one_of(palette, chance)) * chance.uniform(0.85, 1.12) + chance.normal(0, 0.03, 3))


def grey(level: float) -> Colours:
    """A grey, (3, 1, 1)."""
    return _flat(np.full(3, level))


def any_colour(chance: Chance) -> Colours:
    """Any colour at all, (3, 1, 1)."""
    return _flat(chance.uniform(0.04, 0.95, 3))


def _flat(colour: NDArray[np.float64]) -> Colours:
    return colour.clip(0.03, 0.97).astype(np.float32).reshape(3, 1, 1)


def skin(scene: Scene, chance: Chance) -> Colours:
    """The colour, (3, 1, 1), of the face's own forehead and cheeks, as a surface in the scene's light."""
    on_skin = (np.abs(scene.x) < 0.6) & (scene.y > 0.12) & (scene.y < 0.6)
    seen = scene.rgb[on_skin] if on_skin.any() else scene.rgb.reshape(-1, 3)
    light = float(scene.light[on_skin].mean()) if on_skin.any() else 1.0
    middle = np.median(seen[::9], axis=0) / (255 * max(light, 0.1)) / scene.tint.ravel()
    return _flat(middle * chance.uniform(0.95, 1.3))


def cloth(scene: Scene, chance: Chance, plain: float = 0.6, palette: Palette = MASK_COLOURS) -> Colours:
    """(3, S, S): plain with the chance `plain`, else printed with a second colour, now and then a third."""
    colour = skin(scene, chance) if chance.random() < 0.04 else pick(palette, chance)
    whole: Colours = np.tile(colour, (1, scene.size, scene.size))
    if chance.random() < plain:
        return whole
    angle = chance.choice([0, 0, np.pi / 2, np.pi / 4]) + chance.normal(0, 0.1)
    wide = scene.x * np.float32(scene.face.width / scene.face.height / 2)
    across = (wide * np.cos(angle) + scene.y * np.sin(angle)).astype(np.float32)
    down = (scene.y * np.cos(angle) - wide * np.sin(angle)).astype(np.float32)
    for _ in range(1 + (chance.random() < 0.4)):
        share = PRINTS[chance.choice(len(PRINTS))](across, down, chance)
        whole += (any_colour(chance) - whole) * share
    return whole


def stripes(across: Plane, down: Plane, chance: Chance) -> Plane:
    often, wide = chance.uniform(5, 25), chance.uniform(-0.6, 0.6)
    return step(np.sin(across * np.float32(2 * np.pi * often)), wide - 0.2, wide + 0.2)


def checks(across: Plane, down: Plane, chance: Chance) -> Plane:
    often = np.float32(2 * np.pi * chance.uniform(4, 14))
    return 0.5 * step(np.sin(across * often), -0.15, 0.15) + 0.5 * step(np.sin(down * often), -0.15, 0.15)


def dots(across: Plane, down: Plane, chance: Chance) -> Plane:
    often, radius = np.float32(chance.uniform(6, 20)), chance.uniform(0.2, 0.42)
    row = np.floor(down * often)
    x = (across * often + 0.5 * (row % 2)) % 1 - 0.5
    y = (down * often) % 1 - 0.5
    return step(np.sqrt(x * x + y * y), radius + 0.1, radius - 0.1)


def flowers(across: Plane, down: Plane, chance: Chance) -> Plane:
    often, petals = np.float32(chance.uniform(3.5, 9)), int(chance.integers(4, 8))
    x = (across * often + 0.37 * np.floor(down * often)) % 1 - 0.5
    y = (down * often) % 1 - 0.5
    edge = np.float32(0.3) * (1 + 0.45 * np.cos(np.arctan2(y, x) * petals))
    return step(np.sqrt(x * x + y * y) - edge, 0.06, -0.06)


def camouflage(across: Plane, down: Plane, chance: Chance) -> Plane:
    cells = int(chance.integers(6, 20))
    return step(cloudy(across.shape[0], cells, cells, chance), 0.1, 0.25)


def heather(across: Plane, down: Plane, chance: Chance) -> Plane:
    size = across.shape[0]
    return (0.35 + 0.35 * cloudy(size, size // 2, size // 2, chance)).clip(0, 1)


def gradient(across: Plane, down: Plane, chance: Chance) -> Plane:
    return step(down, chance.uniform(0.3, 0.6), chance.uniform(0.8, 1.1))


def halves(across: Plane, down: Plane, chance: Chance) -> Plane:
    return step(across, -0.01, 0.01)


def letters(across: Plane, down: Plane, chance: Chance) -> Plane:
    """A word, as large as a name or as a slogan, somewhere in the lower half of the crop."""
    size = across.shape[0]
    sheet = np.zeros((size, size), np.uint8)
    word = "".join(chr(65 + letter) for letter in chance.integers(0, 26, int(chance.integers(1, 7))))
    at = int(size * chance.uniform(0.2, 0.55)), int(size * chance.uniform(0.65, 0.85))
    font = int(chance.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX]))
    scale = size / 128 * chance.uniform(0.3, 0.9)
    cv2.putText(sheet, word, at, font, scale, 255, max(1, round(2 * scale)), cv2.LINE_AA)
    return (sheet / 255).astype(np.float32)


def grin(across: Plane, down: Plane, chance: Chance) -> Plane:
    """A drawn mouth or muzzle with lines for teeth."""
    y = (down - 0.78) / np.float32(chance.uniform(0.05, 0.1)) - across * across * np.float32(chance.uniform(-20, 20))
    x = across / np.float32(chance.uniform(0.15, 0.3))
    teeth = np.cos(across * np.float32(2 * np.pi * chance.uniform(12, 25))) > 0.8
    return step(x * x + y * y, 1.1, 0.9) * np.where(teeth | (np.abs(y) < 0.12), 0.2, 1.0).astype(np.float32)


PRINTS: tuple[Print, ...] = (
    stripes, checks, dots, flowers, camouflage, heather, gradient, halves, letters, grin,
)  # fmt: skip
