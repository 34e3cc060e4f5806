"""Drawings over bare faces, for training: masks worn properly, wrongly and under the chin, and things that are no mask.

Every function takes a crop of a bare face, uint8 (S, S, 3), the face's box from brow to chin in pixels of the crop
(it may reach beyond the crop) and a generator, and returns a new crop, uint8 (S, S, 3).
"""

from __future__ import annotations

from edge.values import Box, Rgb
from train.overlays.covers import cover
from train.overlays.drawing import pose_of
from train.overlays.masks import chin_mask, incorrect_mask, proper_mask

__all__ = ["chin_mask", "cover", "drawable", "incorrect_mask", "proper_mask", "tight_face"]


def tight_face(size: int) -> Box:
    """The face's box in a picture of that side that runs from the brow to a little under the chin.

    From landmarks of 380 such pictures: eyes at 0.27, tip of the nose at 0.47, mouth at 0.62 of the side.
    """
    return Box(0.1 * size, -0.12 * size, 0.89 * size, 0.87 * size)


def drawable(rgb: Rgb, face: Box) -> bool:
    """Whether a drawing would land where it should: the face looks ahead, more or less, and is no mere shadow.

    The nose must be estimated within 0.3 half-widths of the middle, the tilt within 12 degrees, and the grey levels
    inside the face must spread by 12 or more.
    """
    inside = rgb[max(0, int(face.y_min)) : max(1, int(face.y_max)), max(0, int(face.x_min)) : max(1, int(face.x_max))]
    turn, roll = pose_of(rgb, face)
    return bool(inside.size and inside.std() >= 12 and abs(turn) <= 0.3 and abs(roll) <= 0.21)
