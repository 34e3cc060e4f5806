"""People at a door, drawn by code: the demo's two portraits before rooms of chance, with masks drawn on their faces."""

import cv2
import numpy as np

from edge.demo.portraits import astronaut, officer
from edge.preprocess import face_input
from edge.values import INCORRECT, LABELS, WITH_MASK, WITHOUT_MASK, Box
from train import overlays

SIDE = 240
FACES = ((astronaut, Box(178, 45, 272, 188)), (officer, Box(172, 95, 362, 345)))
"""Each portrait with the box of the face in it, in its own pixels."""
DRAW = {WITHOUT_MASK: None, WITH_MASK: overlays.proper_mask, INCORRECT: overlays.incorrect_mask}


class Cut:
    """As a device cuts out what it keeps."""

    size, margin = SIDE, 0.5


class PassersBy:
    """Draws one after the other, by chance."""

    def __init__(self, seed):
        self._chance = np.random.default_rng(seed)
        self._portraits = [(portrait(), box) for portrait, box in FACES]

    def one(self, label):
        """A picture, uint8 (SIDE, SIDE, 3), and the face's box in it."""
        chance = self._chance
        layer, box = self._portraits[chance.integers(len(self._portraits))]
        rgb = self._in_a_room(layer)
        middle, half = SIDE / 2, SIDE / 4
        face = Box(
            middle - half * box.width / box.height, middle - half, middle + half * box.width / box.height, middle + half
        )
        rgb = face_input(rgb, self._shaken(box), Cut)
        if DRAW[label]:
            rgb = DRAW[label](rgb, face, chance)
        rgb = rgb[:, ::-1] if chance.random() < 0.5 else rgb
        gain = chance.uniform(0.7, 1.2)
        return (rgb * gain + chance.normal(0, 3, rgb.shape)).clip(0, 255).astype(np.uint8), face

    def _in_a_room(self, layer):
        coarse = self._chance.integers(0, 256, (4, 4, 3), np.uint8)
        room = cv2.resize(coarse, layer.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return (room * (1 - layer[..., 3:]) + layer[..., :3]).clip(0, 255).astype(np.uint8)

    def _shaken(self, box):
        x, y = self._chance.uniform(-0.06, 0.06, 2) * box.height
        return Box(box.x_min + x, box.y_min + y, box.x_max + x, box.y_max + y)

    def labels(self, count):
        return [LABELS[k % len(LABELS)] for k in range(count)]


def askew(rgb):
    """The same picture by a camera that hangs askew, turned by 60 degrees around the face."""
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 60, 1)
    return cv2.warpAffine(rgb, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
