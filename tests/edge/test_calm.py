import cv2
import numpy as np
import pytest

from edge.calm import CALM_SECONDS, LOCATE_SECONDS, LOOK_SECONDS, Calm, has_stirred
from edge.demo.portraits import officer
from edge.demo.room import empty_room
from edge.door import Door, LiveDoor
from edge.health import picture_of
from edge.settings import DecisionSettings, Settings
from edge.values import WITH_MASK, Box, Classification, Frame, Judged, Signal, State

SIZE = 640, 480
MASKED = Classification(WITH_MASK, 0.98, (0.01, 0.98, 0.01))
MOST_LATER = 0.15
"""Seconds by which a face may be judged later because of this."""


@pytest.fixture(scope="module")
def room():
    return empty_room()


@pytest.fixture(scope="module")
def noises():
    chance = np.random.default_rng(5)
    return [chance.normal(0, 2.5, (*SIZE[::-1], 3)).astype(np.float32) for _ in range(7)]


class Hall:
    """A room before a camera at `rate` frames a second. The judge sees a masked face while `somebody` is there.

    judged: times of the frames that were judged. decisions: None for a frame that was left out.
    """

    def __init__(self, room, noises, rate=15.0, settings=None):
        self.settings = settings or Settings()
        self.picture, self.somebody, self.rate = room, False, rate
        self.judged, self.decisions = [], []
        self.fault = None
        self._noises, self._count, self.now = noises, 0, 0.0
        self.door = LiveDoor(
            lambda: Door(self, self.settings), self.settings, [lambda: self.fault], clock=lambda: self.now
        )

    def judge(self, rgb):
        self.judged.append(self.now)
        return [Judged(Box(300, 100, 360, 180), 0.9, MASKED)] if self.somebody else []

    def goes_on(self, seconds):
        """Forgets what was before; returns itself."""
        self.judged, self.decisions = [], []
        for _ in range(round(seconds * self.rate)):
            self._count += 1
            self.now = self._count / self.rate
            noise = self._noises[self._count % len(self._noises)]
            rgb = np.clip(self.picture + noise, 0, 255).astype(np.uint8)
            self.decisions.append(self.door.see(Frame(rgb, self.now)))
        return self

    def comes(self, picture):
        self.picture, self.somebody = picture, True

    @property
    def looks(self):
        return [decision for decision in self.decisions if decision is not None]


@pytest.fixture
def calm_hall(room, noises):
    return Hall(room, noises).goes_on(CALM_SECONDS + 1)


def with_face(room, x, y, height=0.12):
    """The room with a head of this height, in parts of the frame's, around a place; no body below it."""
    head = officer()
    rows = round(height * SIZE[1])
    head = cv2.resize(head[: head.shape[0] // 2], (rows, rows), interpolation=cv2.INTER_AREA)
    left, top = round(x - rows / 2), round(y - rows / 2)
    picture = room.copy()
    under = picture[top : top + rows, left : left + rows]
    under *= 1 - head[..., 3:]
    under += head[..., :3]
    return picture


# --- what stirs


def test_noise_and_light_stir_nothing(room, noises):
    first = picture_of(np.clip(room + noises[0], 0, 255).astype(np.uint8)).edges
    for noise, gain in zip(noises[1:], (1, 1.1, 0.9, 1, 0.8, 1.15), strict=True):
        assert not has_stirred(first, picture_of(np.clip(room * gain + noise, 0, 255).astype(np.uint8)).edges)


@pytest.mark.parametrize("x", [60, 210, 320, 470, 590])
@pytest.mark.parametrize("y", [60, 200, 420])
def test_the_least_of_near_faces_stirs_a_block_wherever_it_comes(room, noises, x, y):
    before, after = np.clip(room + noises[0], 0, 255), np.clip(with_face(room, x, y) + noises[1], 0, 255)
    assert has_stirred(picture_of(before.astype(np.uint8)).edges, picture_of(after.astype(np.uint8)).edges)


# --- what rests, and what does not


def test_a_calm_door_judges_about_once_a_second_and_says_at_least_five_times_that_nobody_is_there(calm_hall):
    calm_hall.goes_on(10)
    assert len(calm_hall.judged) == pytest.approx(10 / LOCATE_SECONDS, abs=2)
    assert {decision.state for decision in calm_hall.looks} == {State.IDLE}
    assert len(calm_hall.looks) == pytest.approx(50, abs=2)


def test_at_first_every_frame_is_judged(room, noises):
    hall = Hall(room, noises).goes_on(CALM_SECONDS)
    assert len(hall.judged) == len(hall.decisions) == round(CALM_SECONDS * 15)


@pytest.mark.parametrize("rate", [5.0, 12.0, 15.0, 30.0, 60.0])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_somebody_is_judged_at_most_150_ms_later_at_any_rate(room, noises, rate, part):
    hall = Hall(room, noises, rate).goes_on(CALM_SECONDS + 1 + part / 5)
    hall.comes(with_face(room, 330, 140))
    first = hall.now + 1 / rate
    hall.goes_on(1)
    assert hall.judged[0] - first <= MOST_LATER
    judged_from_then_on = [time for time in hall.judged if time > hall.judged[0]]
    assert np.diff(judged_from_then_on) == pytest.approx(1 / rate)


def test_somebody_whom_no_picture_tells_is_found_within_a_second(calm_hall, room):
    calm_hall.comes(room)
    calm_hall.goes_on(LOCATE_SECONDS + LOOK_SECONDS + 0.1)
    assert State.CHECKING in {decision.state for decision in calm_hall.looks}
    assert len(calm_hall.goes_on(1).judged) == 15


def test_what_creeps_in_is_compared_with_the_room_and_not_with_the_frame_before(calm_hall, room):
    somebody = with_face(room, 330, 140)
    judged = 0
    for part in np.linspace(0, 1, 75):
        calm_hall.picture = room + part * (somebody - room)
        judged += len(calm_hall.goes_on(1 / 15).judged)
    assert judged > 3 * 5 / LOCATE_SECONDS


def test_after_somebody_has_left_all_frames_are_judged_for_two_seconds(calm_hall, room):
    calm_hall.comes(with_face(room, 330, 140))
    calm_hall.goes_on(1)
    calm_hall.picture, calm_hall.somebody = room, False
    assert len(calm_hall.goes_on(CALM_SECONDS).judged) == round(CALM_SECONDS * 15)
    assert len(calm_hall.goes_on(3).judged) < 15


def test_a_frame_that_was_only_looked_at_never_supports_a_grant(calm_hall):
    calm_hall.goes_on(0.3)
    calm_hall.judged.clear()
    calm_hall.somebody = True  # but nothing stirs, and the locator has just run
    for _ in range(8):
        calm_hall.goes_on(1 / 15)
        for decision in calm_hall.looks:
            assert calm_hall.judged or decision.state == State.IDLE
            assert Signal.RELEASE not in decision.signals


def test_a_fault_is_told_while_all_is_calm_and_ends_the_calm(calm_hall):
    calm_hall.fault = "the guard is gone"
    calm_hall.goes_on(0.3)
    assert {decision.state for decision in calm_hall.looks} == {State.FAULT}
    calm_hall.fault = None
    assert len(calm_hall.goes_on(1).judged) == 15


def test_a_camera_that_turns_black_is_told_while_all_is_calm(calm_hall, room):
    calm_hall.picture = room * 0
    calm_hall.goes_on(1)
    assert calm_hall.decisions[-1].reason == "the picture is black"


@pytest.mark.parametrize("tight", [{"valid_seconds": 0.3}, {"frame_age_limit": 0.3}])
def test_nothing_is_left_out_where_a_missing_frame_would_be_a_fault(room, noises, tight):
    hall = Hall(room, noises, settings=Settings(decision=DecisionSettings(**tight))).goes_on(CALM_SECONDS + 1)
    hall.goes_on(1)
    assert len(hall.judged) == len(hall.decisions) == 15


def test_before_anything_is_known_every_frame_is_wanted():
    calm = Calm(DecisionSettings())
    assert all(calm.wants(time) for time in (0.0, 0.01, 5.0))
