"""A small data set made by code: rooms with coloured squares for faces, the colour telling the label."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK

SIDE, FACE = 128, 32
COLOURS = {WITHOUT_MASK: (255, 60, 60), WITH_MASK: (60, 60, 255), INCORRECT: (60, 255, 60)}
SCENES, NEGATIVES, CROPS = 42, 9, 7


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scenes/ with two faces each, negatives/ and crops/; every picture is a dark room of its own."""
    data = tmp_path_factory.mktemp("photos")
    chance = np.random.default_rng(5)
    rows = ["image,label,x_min,y_min,x_max,y_max"]
    for number in range(SCENES):
        rgb = room(chance, SIDE)
        for corner in chance.choice(SIDE // FACE * (SIDE // FACE), 2, replace=False):
            label = list(COLOURS)[chance.integers(3)]
            y, x = FACE * np.array(divmod(int(corner), SIDE // FACE))
            rgb[y : y + FACE, x : x + FACE] = COLOURS[label]
            rows.append(f"scene_{number:02}.png,{label},{x},{y},{x + FACE},{y + FACE}")
        save(data / "scenes" / "images" / f"scene_{number:02}.png", rgb)
    (data / "scenes" / "boxes.csv").write_text("\n".join(rows) + "\n")
    for number in range(NEGATIVES):
        save(data / "negatives" / f"room_{number}.png", room(chance, SIDE))
    for label, colour in COLOURS.items():
        for number in range(CROPS):
            rgb = room(chance, 48)
            save(data / "crops" / label / f"face_{number}.png", cv2.addWeighted(rgb, 0.3, full(colour), 1.0, 0))
    return data


def room(chance: np.random.Generator, side: int) -> np.ndarray:
    """Dark, smooth and different each time, uint8 (side, side, 3)."""
    return cv2.resize(chance.integers(0, 60, (6, 6, 3), np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)


def full(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((48, 48, 3), colour, np.uint8)


def save(file: Path, rgb: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), rgb[..., ::-1])
