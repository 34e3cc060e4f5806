"""A simulated door: drawn visitors, judged by the real models, counted as the daemon counts them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.contract import load_bundle
from edge.demo.mask import draw_mask, put_on
from edge.demo.portraits import ASTRONAUT, OFFICER, astronaut, officer
from edge.demo.room import HEIGHT, WIDTH, empty_room
from edge.drift import DriftWatch, accept, read_reference
from edge.judge import Judge
from edge.people import People, Person
from edge.settings import DecisionSettings
from edge.track import Tracker
from edge.values import WITH_MASK, Decision, Frame, Rgb, State

pytestmark = pytest.mark.slow

VISITORS = 32
BLUE, BLACK = (150, 196, 214), (38, 38, 42)
PEOPLE = [50, 1000]
SEEDS = range(2)

Crowd = Sequence[Person]


class Visitors:
    """Two masked people in a room, somewhere, near or far, in light that differs a little each time."""

    def __init__(self) -> None:
        self._judge = Judge.from_bundle(load_bundle())
        self._room = empty_room()
        self._people = [(ASTRONAUT, astronaut()), (OFFICER, officer())]
        self._crowds: dict[object, Crowd] = {}

    def crowd(self, light: float = 1.0, cloth: tuple[int, int, int] = BLUE) -> Crowd:
        """Made once."""
        if (light, cloth) not in self._crowds:
            self._crowds[light, cloth] = self._new_crowd(light, cloth)
        return self._crowds[light, cloth]

    def _new_crowd(self, light: float, cloth: tuple[int, int, int]) -> Crowd:
        chance = np.random.default_rng(0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("edge.demo.mask.CLOTH", np.array(cloth, np.float32))
            masked = [put_on(layer, draw_mask(who.mask, layer.shape[:2]), 0.0) for who, layer in self._people]
        frames = (self._frame(masked[number % 2], light, chance) for number in range(VISITORS))
        return [person for rgb in frames for person in self._stay(rgb)]

    def _frame(self, layer: np.ndarray, light: float, chance: np.random.Generator) -> Rgb:
        scale, x, y = chance.uniform(0.5, 0.9), chance.uniform(0, 250), chance.uniform(20, 60)
        place = np.array([[scale, 0, x], [0, scale, y]])
        person = cv2.warpAffine(layer, place, (WIDTH, HEIGHT))
        picture = person[..., :3] + self._room * (1 - person[..., 3:])
        picture = picture * light * chance.lognormal(0, 0.15) + chance.normal(0, 2.5, picture.shape)
        return picture.clip(0, 255).astype(np.uint8)

    def _stay(self, rgb: Rgb) -> Crowd:
        faces, tracker, left = self._judge.judge(rgb), Tracker(DecisionSettings()), []
        people = People([lambda person, _: left.append(person)], keep_crops=False)
        for time in np.arange(0.0, 2.0, 0.1):
            people(Decision(time, State.CHECKING, "", tracker.update(faces, time)), Frame(rgb, time))
        people(Decision(2.0, State.IDLE, ""), None)
        return left


class SimulatedDoor:
    """A door where the people of a crowd come again and again, a little different each time."""

    def __init__(self, file: Path, people: int, seed: int) -> None:
        self.file = file
        self._day = date(2026, 5, 1)
        self._people = people
        self._chance = np.random.default_rng(seed)
        bundle = load_bundle()
        self._watch = DriftWatch(file, "maskgate-4", read_reference(bundle), 0.25, lambda: self._day.isoformat())

    def spend(self, days: int, crowd: Crowd) -> str:
        """The alarm when they are over."""
        for _ in range(days):
            some = self._chance.integers(len(crowd), size=self._people)
            for number, light in zip(some, self._chance.lognormal(0, 0.05, self._people), strict=True):
                person = crowd[number]
                self._watch(replace(person, brightness=person.brightness * light), False)
            self._day += timedelta(1)
        self._watch.save()
        return self._watch.report().alarm


@pytest.fixture(scope="module")
def visitors() -> Visitors:
    return Visitors()


@pytest.fixture(scope="module")
def usual(visitors: Visitors) -> Crowd:
    return visitors.crowd()


@pytest.fixture
def door(tmp_path: Path, usual: Crowd) -> Callable[[int, int], SimulatedDoor]:
    """A door where the usual people have been accepted as normal."""

    def open_door(people: int, seed: int) -> SimulatedDoor:
        opened = SimulatedDoor(tmp_path / f"drift-{people}-{seed}.json", people, seed)
        opened.spend(7, usual)
        accept(opened.file, 7)
        return opened

    return open_door


def test_the_drawn_visitors_are_seen_and_judged_as_people_are(usual: Crowd):
    assert len(usual) >= VISITORS and {person.label for person in usual} == {WITH_MASK}


@pytest.mark.parametrize("people", PEOPLE)
def test_the_usual_people_stay_quiet_for_thirty_days(people: int, door, usual: Crowd):
    for seed in SEEDS:
        usual_door = door(people, seed)
        assert [usual_door.spend(1, usual) for _ in range(30)] == [""] * 30


@pytest.mark.parametrize("people", PEOPLE)
@pytest.mark.parametrize("light", [0.4, 0.7])
def test_darker_light_alarms_within_a_day(light: float, people: int, door, visitors: Visitors):
    darker = visitors.crowd(light=light)
    for seed in SEEDS:
        assert "faces are darker (brightness " in door(people, seed).spend(1, darker)


@pytest.mark.parametrize("people", PEOPLE)
def test_masks_of_another_colour_alarm_within_a_day(people: int, door, visitors: Visitors):
    black = visitors.crowd(cloth=BLACK)
    for seed in SEEDS:
        assert "faces are darker (brightness " in door(people, seed).spend(1, black)


@pytest.mark.parametrize("people", PEOPLE)
def test_half_of_the_people_in_another_light_alarm_within_thirty_days(people: int, door, usual: Crowd, visitors):
    mixed = [*usual, *visitors.crowd(light=0.6)]
    for seed in SEEDS:
        here = door(people, seed)
        assert any(here.spend(1, mixed) for _ in range(30))


def test_a_new_door_is_told_that_it_is_unlike_the_photos(tmp_path: Path, usual: Crowd):
    alarm = SimulatedDoor(tmp_path / "drift.json", 200, 0).spend(1, usual)
    assert "than in the photos the models were tested on" in alarm
