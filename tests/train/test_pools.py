import numpy as np

from train.pools import Pool, shares


def test_a_source_of_a_hundred_is_drawn_ten_times_as_often_as_a_source_of_one():
    pool = Pool([("big", k) for k in range(100)] + [("small", 0)], lambda item: item[0])
    chance = np.random.default_rng(0)
    drawn = [pool.one(chance)[0] for _ in range(4000)]
    assert 8 < drawn.count("big") / drawn.count("small") < 12.5


def test_a_pool_of_nothing_is_false():
    assert not Pool([], lambda item: "")
    assert Pool(["x"], lambda item: "")


def test_shares_add_up_to_one():
    assert shares([1, 3]).tolist() == [0.25, 0.75]
    assert shares([]).tolist() == []
