"""Memory for frames that is used again, since the system takes long to hand out and clear so much of it anew."""

from __future__ import annotations

import sys

import numpy as np

from edge.values import Rgb


def _holders(arrays: list[Rgb], number: int) -> int:
    """How many hold an array, as Python counts them: more than `ALONE` when it is not the list alone."""
    return sys.getrefcount(arrays[number])


ALONE = _holders([np.empty((0, 0, 3), np.uint8)], 0)


class Buffers:
    """Arrays for pictures, one of them for each that somebody still holds. For one thread; others may let go."""

    def __init__(self) -> None:
        self._arrays: list[Rgb] = []

    def free(self, height: int, width: int) -> Rgb:
        """An array, uint8 (height, width, 3), that nobody holds, nor a part of it; what is in it is of no account."""
        shape = height, width, 3
        self._arrays = [array for array in self._arrays if array.shape == shape]
        for number in range(len(self._arrays)):
            if _holders(self._arrays, number) <= ALONE:
                return self._arrays[number]
        self._arrays.append(np.empty(shape, np.uint8))
        return self._arrays[-1]
