"""Faces as devices keep them, for tests that do not care what they show."""

import numpy as np

from edge.people import CUT, Person
from edge.review import kept
from edge.values import UNKNOWN


def some_face(number, contested=False, at=1_800_000_000.0):
    """What a device keeps of a person; the same number gives the same face."""
    blocks = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    crop = blocks.repeat(CUT.size // 8, 0).repeat(CUT.size // 8, 1)
    return kept(Person(number, UNKNOWN, 0.5, 0.3, 0.5, 20.0, crop, 0.0), crop, contested, at + number)


def name_of(number):
    return f"{number:032x}"
