"""Memory for frames that is used again, since the system takes long to hand out and clear so much of it anew."""

from __future__ import annotations

import sys

import numpy as np

from edge.values import Rgb

ONLY_HERE = 3
"""References to an array that nobody else holds: the list's, a variable's and that of the call that counts them."""


class Buffers:
    """Arrays for pictures, one of them for each that somebody still holds. For one thread; others may let go."""

    def __init__(self) -> None:
        self._arrays: list[Rgb] = []

    def free(self, height: int, width: int) -> Rgb:
        """An array, uint8 (height, width, 3), that nobody holds, nor a part of it; what is in it is of no account."""
        shape = height, width, 3
        self._arrays = [array for array in self._arrays if array.shape == shape]
        for array in self._arrays:
            if sys.getrefcount(array) <= ONLY_HERE:
                return array
        self._arrays.append(np.empty(shape, np.uint8))
        return self._arrays[-1]
