"""What is counted of the people at a door, and how unlike two such counts are: the population stability index (PSI).

The index is taken over up to GROUPS groups of bins that each hold about the same share of the reference. From it goes
what chance brings in on average; an index that chance alone can bring, once in 100,000 times, is 0. So a few people
never look like a shift, and a shift that is too small to show in a day shows in a week or a month.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.people import Person
from edge.values import UNKNOWN

GROUPS = 6
CHANCE = (0.0, 19.51, 23.03, 25.90, 28.47, 30.86)
"""What a chi-squared value of 0 to 5 degrees of freedom exceeds once in 100,000 times."""

Counts = dict[str, list[int]]
"""People by quantity and bin."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is counted of each person, in `bins` bins from `low` to `high`, of equal width or equal ratio.

    less, more: what is said when it falls or rises. harmless: which of the two is no alarm.
    """

    name: str
    low: float
    high: float
    bins: int
    less: str
    more: str
    harmless: str = ""
    ratios: bool = False

    def bin(self, value: float) -> int:
        """The bin of a value; the first and the last hold what lies beyond, too."""
        low, high, value = self.low, self.high, min(self.high, max(self.low, value))
        if self.ratios:
            low, high, value = map(math.log, (low, high, value))
        return min(self.bins - 1, int(self.bins * (value - low) / (high - low)))


LESS_SURE, SURER = "verdicts are less sure", "verdicts are surer"
FEWER_UNKNOWN, MORE_UNKNOWN = "fewer faces stay unknown", "more faces stay unknown"
QUANTITIES = (
    # how long somebody stays moves a sure verdict's score between 0.8 and 1, see `people.Person`: all that is one bin
    Quantity("score", 0.25, 0.8, 11, LESS_SURE, SURER, harmless=SURER),
    Quantity("brightness", 0.0, 1.0, 32, "faces are darker", "faces are brighter"),
    Quantity("sharpness", 1.0, 128.0, 28, "faces are more blurred", "faces are sharper", ratios=True),
    Quantity("height", 1 / 32, 1.0, 20, "faces are smaller", "faces are larger", ratios=True),
    Quantity("unknown", 0.0, 1.0, 2, FEWER_UNKNOWN, MORE_UNKNOWN, harmless=FEWER_UNKNOWN),
)
OF_THE_MODELS = ("score", "unknown")
"""The quantities that other models change; the rest belong to the door."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a quantity has moved: the index, 0 when chance explains it, and what is said of it."""

    index: float = 0.0
    said: str = ""


def add(counts: Counts, person: Person) -> None:
    """Count a person; the score only of those whose label is known."""
    values = {"brightness": person.brightness, "sharpness": person.sharpness, "height": person.height}
    known = person.label != UNKNOWN
    values |= {"unknown": float(not known)} | ({"score": person.score} if known else {})
    for quantity in QUANTITIES:
        if quantity.name in values:
            bins = counts.setdefault(quantity.name, [0] * quantity.bins)
            bins[quantity.bin(values[quantity.name])] += 1


def together(some: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    pooled: Counts = {}
    for counts in some:
        for name, bins in counts.items():
            pooled[name] = [one + other for one, other in zip(pooled.get(name, [0] * len(bins)), bins, strict=True)]
    return pooled


def fitting(counts: Counts) -> Counts:
    """The counts that have the bins of QUANTITIES; others, of another version, are left out."""
    bins = {quantity.name: quantity.bins for quantity in QUANTITIES}
    return {name: each for name, each in counts.items() if len(each) == bins.get(name) and min(each) >= 0}


def shift(quantity: Quantity, normal: Sequence[int], found: Sequence[int]) -> Shift:
    """How far `found` has moved from `normal`, both people by bin."""
    if not sum(normal) or not sum(found):
        return Shift()
    index = stability_index(normal, found)
    risen = _mean_bin(found) >= _mean_bin(normal)
    return Shift(index, (quantity.more if risen else quantity.less) if index else "")


def stability_index(normal: Sequence[int], found: Sequence[int]) -> float:
    """The PSI of two counts of people by bin, as this module tells; both hold somebody."""
    shares = np.array(normal) / sum(normal)
    middles = np.cumsum(shares) - shares / 2
    _, group = np.unique(np.minimum(GROUPS * middles, GROUPS - 1).astype(int), return_inverse=True)
    # half a person more in each group, so that none is empty
    before, now = (np.bincount(group, weights=np.asarray(each, float)) + 0.5 for each in (normal, found))
    before, now = before / before.sum(), now / now.sum()
    index = float(((now - before) * np.log(now / before)).sum())
    freedom, noise = len(now) - 1, 1 / sum(normal) + 1 / sum(found)
    return max(0.0, index - freedom * noise) if index > CHANCE[freedom] * noise else 0.0


def _mean_bin(counts: Sequence[int]) -> float:
    return float(np.average(np.arange(len(counts)), weights=counts))
