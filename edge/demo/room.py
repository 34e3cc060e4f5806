"""The demo's empty room: a wall with a window and a framed picture, both photographs that scikit-learn carries.

They are CC BY 2.0; their authors stand in scikit-learn's datasets/images/README.txt.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.values import Rgb

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 640, 480
WALL, PANEL, PAINT, WOOD = (206, 200, 190), (150, 158, 160), (240, 239, 234), (92, 66, 48)
RAIL = 336
"""Row of the rail between the wall and its panelled lower part."""


def empty_room() -> Floats:
    """The room without anybody, a little out of focus as behind a person: float32 (480, 640, 3), 0 to 255."""
    from sklearn.datasets import load_sample_image

    room = np.empty((HEIGHT, WIDTH, 3), np.float32)
    room[:] = WALL
    room[RAIL:] = PANEL
    cv2.rectangle(room, (0, RAIL - 8), (WIDTH, RAIL), PAINT, -1)
    for left in range(-40, WIDTH, 130):
        _panel(room, left)
    _hang(room, load_sample_image("china.jpg"), (38, 44, 250, 232), 12, PAINT)
    _bars(room, (38, 44, 250, 232))
    _hang(room, load_sample_image("flower.jpg"), (452, 88, 592, 182), 8, WOOD)
    return np.asarray(cv2.GaussianBlur(room * _light(), (0, 0), 1.3), np.float32)


def _hang(
    room: Floats, picture: Rgb, place: tuple[int, int, int, int], frame: int, colour: tuple[int, int, int]
) -> None:
    """A framed picture, with the shadow of its frame, at `place`: x_min, y_min, x_max, y_max."""
    x_min, y_min, x_max, y_max = place
    shadow = np.zeros(room.shape[:2], np.float32)
    shadow[y_min - frame + 5 : y_max + frame + 7, x_min - frame + 4 : x_max + frame + 6] = 0.4
    room *= 1 - cv2.GaussianBlur(shadow, (0, 0), 5)[..., np.newaxis]
    cv2.rectangle(room, (x_min - frame, y_min - frame), (x_max + frame - 1, y_max + frame - 1), colour, -1)
    room[y_min:y_max, x_min:x_max] = cv2.resize(
        picture[:, : picture.shape[0] * (x_max - x_min) // (y_max - y_min)],
        (x_max - x_min, y_max - y_min),
        interpolation=cv2.INTER_AREA,
    )


def _bars(room: Floats, window: tuple[int, int, int, int]) -> None:
    """The window's glazing bars and its sill."""
    x_min, y_min, x_max, y_max = window
    cv2.line(room, ((x_min + x_max) // 2, y_min), ((x_min + x_max) // 2, y_max), PAINT, 5)
    cv2.line(room, (x_min, (y_min + y_max) // 2), (x_max, (y_min + y_max) // 2), PAINT, 5)
    cv2.rectangle(room, (x_min - 20, y_max + 10), (x_max + 20, y_max + 22), PAINT, -1)


def _panel(room: Floats, left: int) -> None:
    """One raised panel of the wall's lower part: its lit and its shaded edges."""
    for shift, shade in ((0, 0.84), (2, 1.12)):
        colour = tuple(c * shade for c in PANEL)
        cv2.rectangle(room, (left + shift, RAIL + 24 + shift), (left + 106 + shift, HEIGHT - 30 + shift), colour, 2)


def _light() -> Floats:
    """Brighter near the window at the left, darker in the corners: float32 (480, 640, 1)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    near_window = np.exp(-(((x - 150) / 380) ** 2) - ((y - 170) / 300) ** 2)
    return np.asarray(0.74 + 0.3 * near_window, np.float32)[..., np.newaxis]
