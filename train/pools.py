"""Drawing samples so that no source drowns the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Items of several sources; a source is drawn by the square root of its size, then an item of it."""

    def __init__(self, items: Iterable[Item], source: Callable[[Item], str]) -> None:
        sources: dict[str, list[Item]] = {}
        for item in items:
            sources.setdefault(source(item), []).append(item)
        self._sources = [sources[name] for name in sorted(sources)]
        self._weights = shares([len(items) ** 0.5 for items in self._sources])

    def __bool__(self) -> bool:
        return bool(self._sources)

    def one(self, chance: np.random.Generator) -> Item:
        items = self._sources[chance.choice(len(self._sources), p=self._weights)]
        return items[chance.integers(len(items))]


def shares(weights: Sequence[float]) -> np.ndarray:
    """The weights, adding up to 1."""
    array = np.asarray(weights, float)
    return array / array.sum() if len(array) else array
