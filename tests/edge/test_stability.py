import math

import numpy as np
import pytest
from scipy.stats import chi2

from edge.people import Person
from edge.stability import CHANCE, GROUPS, QUANTITIES, Quantity, add, fitting, shift, stability_index, together
from edge.values import UNKNOWN, WITH_MASK

BRIGHTNESS = next(quantity for quantity in QUANTITIES if quantity.name == "brightness")
EVEN = [100] * 32


def person(label: str = WITH_MASK, score: float = 0.9, brightness: float = 0.5) -> Person:
    return Person(1, label, score, 0.3, brightness, 20.0, None, 0.0)


def drawn(people: int, seed: int, moved: int = 0) -> list[int]:
    return np.roll(np.random.default_rng(seed).multinomial(people, [1 / 32] * 32), moved).tolist()


@pytest.mark.parametrize(
    ("value", "number"), [(0.0, 0), (0.49, 1), (0.5, 2), (1.0, 3), (-9.0, 0), (9.0, 3), (math.inf, 3), (math.nan, 0)]
)
def test_every_value_has_a_bin(value: float, number: int):
    assert Quantity("any", 0.0, 1.0, 4, "", "").bin(value) == number


@pytest.mark.parametrize(("value", "number"), [(0.0, 0), (1.0, 0), (1.9, 0), (2.1, 1), (4.1, 2), (7.9, 2), (900.0, 2)])
def test_bins_of_equal_ratio_double(value: float, number: int):
    assert Quantity("any", 1.0, 8.0, 3, "", "", ratios=True).bin(value) == number


def test_a_person_is_counted_once_in_each_quantity():
    counts: dict[str, list[int]] = {}
    add(counts, person())
    assert {name: sum(bins) for name, bins in counts.items()} == {quantity.name: 1 for quantity in QUANTITIES}
    assert counts["unknown"] == [1, 0]


def test_the_score_of_a_face_that_stayed_unknown_is_no_score():
    counts: dict[str, list[int]] = {}
    add(counts, person(UNKNOWN))
    assert "score" not in counts and counts["unknown"] == [0, 1]


def test_counts_add_up_even_where_a_day_lacks_a_quantity():
    assert together([{"unknown": [1, 2]}, {}, {"unknown": [3, 4], "score": [1]}]) == {"unknown": [4, 6], "score": [1]}


def test_counts_of_another_version_are_left_out():
    assert fitting({"unknown": [1, 2, 3], "brightness": EVEN, "warmth": [1], "score": [-1] * 11}) == {
        "brightness": EVEN
    }


def test_the_index_is_that_of_the_textbook():
    before, now = [500_000, 500_000], [250_000, 750_000]
    assert stability_index(before, now) == pytest.approx(0.25 * math.log(3), abs=1e-3)


def test_the_index_of_equals_is_nothing_and_of_strangers_much():
    assert stability_index(EVEN, EVEN) == 0
    assert stability_index([1000] + [0] * 31, [0] * 31 + [1000]) > 5


@pytest.mark.parametrize("people", [1, 30, 300, 3000])
def test_chance_alone_is_no_shift(people: int):
    indices = [stability_index(drawn(800, seed), drawn(people, 1000 + seed)) for seed in range(300)]
    assert indices == [0.0] * 300


def test_what_chance_brings_in_is_taken_off_again():
    true = stability_index(drawn(10**7, 0), drawn(10**7, 1, moved=5))
    found = [stability_index(drawn(800, seed), drawn(400, 1000 + seed, moved=5)) for seed in range(100)]
    assert np.mean(found) == pytest.approx(true, rel=0.05)


def test_a_normal_of_a_single_bin_still_tells_a_shift():
    narrow = [0] * 10 + [300] + [0] * 21
    assert stability_index(narrow, narrow) == 0
    assert stability_index(narrow, [0] * 9 + [300] + [0] * 22) > 1


def test_chance_has_an_answer_for_every_number_of_groups():
    assert CHANCE == pytest.approx([0.0, *chi2.isf(1e-5, range(1, GROUPS))], abs=0.01)


def test_a_shift_says_which_way():
    assert shift(BRIGHTNESS, drawn(800, 0), [400] + [0] * 31).said == "faces are darker"
    assert shift(BRIGHTNESS, drawn(800, 0), [0] * 31 + [400]).said == "faces are brighter"
    assert shift(BRIGHTNESS, drawn(800, 0), drawn(400, 1)).said == ""


@pytest.mark.parametrize(("normal", "found"), [([0] * 32, EVEN), (EVEN, [0] * 32)])
def test_nobody_is_no_shift(normal: list[int], found: list[int]):
    assert shift(BRIGHTNESS, normal, found).index == 0
