"""Faces that cannot be seen well: blurred, dark, against the light. rgb uint8 (H, W, 3), box in pixels of it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.values import Box, Rgb

Chance = np.random.Generator
Plane = NDArray[np.floating[Any]]


def strong_blur(rgb: Rgb, box: Box, chance: Chance) -> Rgb:
    """Out of focus or moved: a sigma, or a way, of 5 to 9 % or 15 to 30 % of the face's height."""
    if chance.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(rgb, (0, 0), chance.uniform(0.05, 0.09) * box.height), np.uint8)
    length = max(3, round(chance.uniform(0.15, 0.3) * box.height))
    line = np.zeros((length, length), np.float32)
    angle = chance.uniform(0, np.pi)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = np.full(2, (length - 1) / 2)
    start, end = (np.round(middle + each).astype(int).tolist() for each in (-reach, reach))
    cv2.line(line, start, end, 1.0, 1, cv2.LINE_AA)
    return np.asarray(cv2.filter2D(rgb, -1, line / line.sum(), borderType=cv2.BORDER_REFLECT), np.uint8)


def darkness(rgb: Rgb, box: Box, chance: Chance) -> Rgb:
    """So little light that the face's mean luma is 14 to 40 of 255, with the noise of a small sensor."""
    linear = (rgb.astype(np.float32) / 255) ** 2.2
    wanted = (chance.uniform(14, 40) / 255) ** 2.2
    dim = linear * wanted / max(1e-4, float(np.median(_face(linear, box))))
    noisy = dim + chance.normal(0, 1, rgb.shape) * np.sqrt(dim * 2e-4 + 2e-6)
    return _encoded(noisy)


def backlight(rgb: Rgb, box: Box, chance: Chance) -> Rgb:
    """A window or lamp behind the head: what is around it is white, the face dark under a veil of stray light."""
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    middle = box.centre[0]
    head = ((x - middle) / (0.62 * box.width)) ** 2 + ((y - box.centre[1]) / (0.68 * box.height)) ** 2
    body = ((x - middle) / (1.5 * box.width)) ** 2 + ((y - box.y_max - 1.3 * box.height) / (1.25 * box.height)) ** 2
    behind = cv2.GaussianBlur((np.minimum(head, body) > 1).astype(np.float32), (0, 0), 0.03 * box.height + 0.5)[
        ..., None
    ]
    linear = (rgb.astype(np.float32) / 255) ** 2.2
    dim = linear * (chance.uniform(30, 60) / 255) ** 2.2 / max(1e-4, float(np.median(_face(linear, box))))
    lamp = behind * (0.75 + linear * chance.uniform(1, 3))
    veil = cv2.GaussianBlur(lamp, (0, 0), 0.35 * box.height) * chance.uniform(0.01, 0.05)
    lit = dim * (1 - behind) + lamp + veil
    return _encoded(lit + chance.normal(0, 0.002, rgb.shape))


def _face(linear: Plane, box: Box) -> Plane:
    left, top, right, bottom = (max(0, round(side)) for side in box)
    return linear[top:bottom, left:right]


def _encoded(linear: Plane) -> Rgb:
    return np.asarray(255 * np.clip(linear, 0, 1) ** (1 / 2.2), np.uint8)
