import cv2
import numpy as np
import pytest

from edge.values import Box


def draw_face(turn=0.0, skin=(200, 160, 135)):
    """Eyes, brows, nose and mouth where they lie in a box from brow to chin: uint8 (200, 200, 3).

    turn: how far they are shifted to the right, in face widths.
    """
    rgb = np.full((200, 200, 3), 90, np.uint8)

    def at(x, y):
        return round(60 + (x + turn) * 80), round(40 + y * 100)

    cv2.ellipse(rgb, (100, 90), (40, 55), 0, 0, 360, skin, -1)
    dark, nose = (tuple(round(part * side) for side in skin) for part in (0.3, 0.7))
    for x in (0.3, 0.7):
        cv2.ellipse(rgb, at(x, 0.39), (9, 4), 0, 0, 360, dark, -1)
        cv2.ellipse(rgb, at(x, 0.28), (11, 2), 0, 0, 360, dark, -1)
    cv2.ellipse(rgb, at(0.5, 0.6), (7, 4), 0, 0, 360, nose, -1)
    cv2.ellipse(rgb, at(0.5, 0.75), (14, 4), 0, 0, 360, (150, 60, 60), -1)
    return cv2.GaussianBlur(rgb, (0, 0), 1.0)


@pytest.fixture(scope="session")
def face():
    """`draw_face`."""
    return draw_face


@pytest.fixture(scope="session")
def face_box():
    """From brow to chin of every such face."""
    return Box(60, 40, 140, 140)
