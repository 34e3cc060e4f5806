"""The people of the demo: public-domain portraits that installed packages carry, cut out of their backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.demo.mask import Layer, MaskShape
from edge.picture import read_picture
from edge.values import Rgb

Points = tuple[tuple[int, int], ...]

BAND = 11
"""Pixels on each side of the drawn outline within which the person's true outline is looked for."""


@dataclass(frozen=True)
class Portrait:
    """What is known of one stored portrait; all coordinates in its pixels, x and y.

    outline: roughly around the person. eyes: the point between them. mask: how a mask sits on this face.
    """

    outline: Points
    eyes: tuple[float, float]
    mask: MaskShape


ASTRONAUT = Portrait(
    outline=(
        *((153, 95), (155, 65), (172, 38), (205, 18), (240, 15), (275, 32), (296, 60), (301, 88), (292, 110)),
        *((278, 128), (268, 140), (260, 158), (257, 174), (285, 190), (303, 222), (305, 240), (335, 258), (355, 290)),
        *((362, 345), (395, 344), (430, 350), (470, 385), (490, 440), (500, 512), (40, 512), (22, 480), (20, 430)),
        *((28, 370), (40, 300), (60, 262), (95, 225), (116, 212), (112, 190), (125, 168), (150, 152), (183, 148)),
        *((182, 135), (172, 120), (158, 108)),
    ),
    eyes=(224.0, 102.0),
    mask=MaskShape(
        top=((182, 121), (203, 118), (223, 108), (245, 118), (267, 124)),
        bottom=((182, 150), (200, 172), (224, 185), (247, 174), (267, 152)),
        ears=((173, 117), (275, 124)),
    ),
)

OFFICER = Portrait(
    outline=(
        *((160, 182), (150, 140), (152, 112), (175, 85), (180, 55), (215, 35), (260, 23), (300, 35), (345, 62)),
        *((352, 88), (370, 100), (372, 140), (368, 180), (377, 195), (374, 225), (358, 268), (345, 300), (331, 306)),
        *((330, 320), (380, 350), (450, 375), (486, 392), (499, 425), (504, 470), (506, 600), (10, 600), (22, 500)),
        *((48, 425), (64, 388), (112, 362), (185, 335), (203, 318), (195, 300), (172, 275), (164, 250), (161, 213)),
    ),
    eyes=(265.0, 190.0),
    mask=MaskShape(
        top=((186, 232), (222, 228), (266, 206), (310, 228), (342, 232)),
        bottom=((186, 285), (218, 322), (266, 340), (312, 322), (342, 285)),
        ears=((164, 205), (366, 205)),
    ),
)


def cut_out(rgb: Rgb, outline: Points) -> Layer:
    """The person inside a rough outline of a picture, uint8 (H, W, 3), with a soft edge."""
    height, width = rgb.shape[:2]
    region = np.full((height, width), cv2.GC_BGD, np.uint8)
    corners = np.array(outline, np.int32)
    cv2.fillPoly(region, [corners], cv2.GC_FGD)
    cv2.polylines(region, [corners], True, cv2.GC_PR_FGD, 2 * BAND)
    cv2.setRNGSeed(1)  # grabCut clusters colours at random
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(rgb, region, (0, 0, width, height), background, foreground, 2, cv2.GC_INIT_WITH_MASK)
    return _layer(rgb, _soft(np.isin(region, (cv2.GC_FGD, cv2.GC_PR_FGD))))


def _soft(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Coverage, 0 to 1, of the largest part, drawn in by a pixel, where the old background shines through."""
    parts, numbers, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    largest = 1 + int(statistics[1:parts, cv2.CC_STAT_AREA].argmax())
    whole = cv2.morphologyEx((numbers == largest).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    blurred = cv2.GaussianBlur(whole.astype(np.float32), (0, 0), 1.6, borderType=cv2.BORDER_REPLICATE)
    return np.clip(2 * blurred - 1, 0, 1).astype(np.float32)


def _layer(rgb: Rgb, coverage: NDArray[np.float32]) -> Layer:
    return np.dstack([rgb * coverage[..., np.newaxis], coverage]).astype(np.float32)


def astronaut() -> Layer:
    """The portrait that scikit-image carries (NASA, public domain), cut out."""
    from skimage import data

    return cut_out(np.ascontiguousarray(data.astronaut()[..., :3]), ASTRONAUT.outline)


def officer() -> Layer:
    """The portrait that matplotlib carries (U.S. Navy, public domain), cut out."""
    from matplotlib import cbook

    return cut_out(read_picture(Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))), OFFICER.outline)
