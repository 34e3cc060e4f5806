from dataclasses import replace

import numpy as np
import pytest

from edge.people import CUT, REMEMBERED_SECONDS, People, measure
from edge.values import UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Decision, Frame, Signal, State, Track

CHANCE = np.random.default_rng(0)
ROOM = CHANCE.integers(0, 256, (240, 320, 3), np.uint8)


class Door:
    """Shows frames to `People`, and keeps what comes out."""

    def __init__(self, keep_crops=True):
        self.told = []
        self.people = People([lambda person, contested: self.told.append((person, contested))], keep_crops)
        self.now = 0.0

    def see(self, *tracks, state=State.ALLOW, signals=()):
        self.now += 0.4
        tracks = tuple(replace(track, last_seen=self.now) for track in tracks)
        self.people(Decision(self.now, state, "", tracks, frozenset(signals)), Frame(ROOM, self.now))


def track(number=1, label=WITH_MASK, score=0.9, height=60.0):
    return Track(number, Box(100, 100, 100 + height, 100 + height), label, score, 0.0, 0.0, 0.0)


def stay(door, *tracks):
    for _ in range(3):
        door.see(*tracks)


def test_a_person_is_told_once_they_have_left():
    door = Door()
    stay(door, track())
    assert door.told == []
    door.see()
    ((person, contested),) = door.told
    assert (person.id, person.label, contested) == (1, WITH_MASK, False)
    assert person.time == pytest.approx(1.2)


def test_who_only_passes_by_is_not_told():
    door = Door()
    door.see(track())
    door.see(track())
    door.see(signals=[Signal.CONTESTED])
    assert door.told == []


def test_the_face_is_taken_where_it_was_highest():
    door = Door()
    for height in (30, 120, 60):
        door.see(track(height=height))
    door.see()
    person = door.told[0][0]
    assert person.height == pytest.approx(0.5)
    assert person.crop.shape == (CUT.size, CUT.size, 3)
    assert (person.brightness, person.sharpness) == measure(person.crop)


def test_the_last_label_counts_and_its_score_alone():
    door = Door()
    for label, score in ((UNKNOWN, 1.0), (WITHOUT_MASK, 0.6), (WITHOUT_MASK, 0.8)):
        door.see(track(label=label, score=score))
    door.see()
    assert door.told[0][0].label == WITHOUT_MASK
    assert door.told[0][0].score == pytest.approx(0.7)


def test_no_crop_is_kept_that_nobody_wants():
    door = Door(keep_crops=False)
    stay(door, track())
    door.see(state=State.IDLE, signals=[Signal.CONTESTED])
    assert [person.crop for person, _ in door.told] == [None, None]


def test_whoever_is_here_or_left_of_late_is_contested():
    door = Door()
    stay(door, track(1))
    stay(door, track(2))
    door.told.clear()
    door.see(track(2), signals=[Signal.CONTESTED])
    assert [(person.id, contested) for person, contested in door.told] == [(1, True), (2, True)]


def test_a_button_that_is_held_contests_once():
    door = Door()
    stay(door, track(1))
    for _ in range(3):
        door.see(track(1), signals=[Signal.CONTESTED])
    assert len(door.told) == 1
    door.see(track(1))
    door.see(track(1), signals=[Signal.CONTESTED])
    assert len(door.told) == 2


def test_who_left_long_ago_is_not_contested():
    door = Door()
    stay(door, track(1))
    door.see()
    door.told.clear()
    door.now += REMEMBERED_SECONDS
    door.see(signals=[Signal.CONTESTED])
    assert door.told == []


def test_after_a_fault_the_same_number_is_somebody_else():
    door = Door()
    stay(door, track(1))
    door.people(Decision(1.3, State.FAULT, "camera"), None)
    stay(door, track(1, WITHOUT_MASK))
    door.see()
    assert [person.label for person, _ in door.told] == [WITH_MASK, WITHOUT_MASK]


def test_brightness_and_sharpness_do_not_depend_on_the_size_of_the_crop():
    small = np.kron(CHANCE.integers(0, 256, (64, 64, 1)), np.ones((1, 1, 3))).astype(np.uint8)
    large = np.kron(small, np.ones((3, 3, 1))).astype(np.uint8)
    assert measure(small) == pytest.approx(measure(large), rel=0.02)


def test_a_dark_face_is_less_bright_and_a_flat_one_less_sharp():
    bright, sharp = measure(ROOM)
    assert measure(ROOM // 4)[0] == pytest.approx(bright / 4, rel=0.02)
    assert measure(np.full_like(ROOM, 100)) == (pytest.approx(100 / 255), 0.0)
    assert sharp > 20
