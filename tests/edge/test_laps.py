from edge.laps import Laps


def test_each_lap_ends_where_the_next_begins():
    times = iter([0.0, 10.0, 10.5, 12.0, 12.25])
    laps = Laps(lambda: next(times))
    laps.begin()
    laps.lap("locate")
    laps.lap("crop")
    laps.lap("locate")
    assert laps.taken() == (("locate", 0.75), ("crop", 1.5))


def test_what_was_before_the_begin_belongs_to_nothing():
    times = iter([0.0, 1.0, 2.0, 2.5])
    laps = Laps(lambda: next(times))
    laps.lap("idle")
    laps.begin()
    laps.lap("locate")
    assert laps.taken() == (("locate", 0.5),)
