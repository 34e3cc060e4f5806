from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

import cv2
import numpy as np
import pytest

from edge.movement import Movement, between
from edge.values import UNKNOWN, Box, Frame, Rgb, Track

RATES = 5, 15, 50
SIDE = 100
SIZE = (120, 120)
NOTHING = np.zeros((*SIZE, 3), np.uint8)
"""A picture that tells nothing of movement."""
PLACE = Box(10, 10, 10 + SIDE, 10 + SIDE)


def track(box: Box = PLACE, time: float = 0.0, number: int = 1) -> Track:
    return Track(number, box, UNKNOWN, 1.0, 0.0, last_seen=time, label_since=0.0, moved=False)


# --- by its box


def moves(boxes: Sequence[Box], rate: float = 25) -> list[bool]:
    """Whether the face of these boxes has moved, after each frame."""
    movement, times = Movement(), [n / rate for n in range(len(boxes))]
    frames = [(track(box, time), Frame(NOTHING, time)) for box, time in zip(boxes, times, strict=True)]
    return [movement.update([one], frame)[0].moved for one, frame in frames]


def box(x: float, side: float = SIDE) -> Box:
    return Box(x - side / 2, 100 - side / 2, x + side / 2, 100 + side / 2)


@pytest.mark.parametrize("rate", [5, 25])
def test_a_still_face_whose_box_jitters_as_measured_has_not_moved(rate: float) -> None:
    random = Random(1)
    jitter = [box(200 + random.uniform(-6, 6), SIDE * random.uniform(0.93, 1.07)) for _ in range(round(300 * rate))]
    assert True not in moves(jitter, rate)


@pytest.mark.parametrize("rate", RATES)
def test_a_face_that_walks_up_has_moved_within_half_a_second(rate: float) -> None:
    walk = moves([box(100 + 100 * n / rate) for n in range(round(2 * rate))], rate)
    assert walk.index(True) / rate == pytest.approx(0.48, abs=1 / rate)


def test_a_face_that_comes_nearer_on_the_spot_has_moved() -> None:
    assert moves([box(200, SIDE + n) for n in range(50)])[-1]


def test_a_face_that_came_to_stand_somewhere_else_has_moved_and_goes_on_having_moved() -> None:
    seen = moves([*(box(200),) * 25, *(box(230),) * 25, *(box(200),) * 250])
    assert seen == sorted(seen)
    assert (seen[24], seen[-1]) == (False, True)


def test_a_box_that_is_wrong_for_one_frame_is_no_movement() -> None:
    assert True not in moves([*(box(200),) * 50, box(240), *(box(200),) * 50])


def test_a_face_that_is_only_held_keeps_its_movement() -> None:
    movement = Movement()
    for n in range(50):
        movement.update([track(box(200 + 4 * n), n / 25)], Frame(NOTHING, n / 25))
    assert movement.update([track(box(396), 1.96)], Frame(NOTHING, 2.2))[0].moved


def test_a_new_face_in_the_place_of_one_that_moved_has_not_moved() -> None:
    movement = Movement()
    for n in range(50):
        movement.update([track(box(200 + 4 * n), n / 25)], Frame(NOTHING, n / 25))
    old, new = movement.update([track(box(396), 2.0), track(box(396), 2.0, number=2)], Frame(NOTHING, 2.0))
    assert (old.moved, new.moved) == (True, False)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_a_box_between_two(weight: float) -> None:
    assert between(box(100, 40), box(200, 80), weight) == pytest.approx(box(100 + 100 * weight, 40 + 40 * weight))


# --- by what the frame shows in its place

Change = Callable[[np.ndarray, float], np.ndarray]
"""What a picture, float32 (H, W, 3), has become after so many seconds."""


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """Something with about as much detail as a face."""
    fine = np.random.default_rng(3).normal(0, 1, SIZE).astype(np.float32)
    blurred = cv2.GaussianBlur(fine, (0, 0), 5)
    return np.repeat((110 + 30 * blurred / blurred.std())[..., np.newaxis], 3, axis=2)


@pytest.fixture(scope="module")
def noises() -> np.ndarray:
    return np.random.default_rng(4).normal(0, 4, (64, *SIZE, 3)).astype(np.float32)


def taken(picture: np.ndarray, noise: np.ndarray) -> Rgb:
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def watch(picture: np.ndarray, noises: np.ndarray, change: Change, seconds: float, rate: float) -> float | None:
    """When a face whose box stays where it is has moved, seconds; None: never."""
    movement = Movement()
    for n in range(round(seconds * rate)):
        rgb = taken(change(picture, n / rate), noises[n % len(noises)])
        if movement.update([track(time=n / rate)], Frame(rgb, n / rate))[0].moved:
            return n / rate
    return None


def shifted(picture: np.ndarray, right: float, down: float = 0.0) -> np.ndarray:
    way = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(picture, way, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


LIGHTS: dict[str, Change] = {
    "no change": lambda picture, time: picture,
    "mains hum": lambda picture, time: picture * (1 + 0.05 * math.sin(2 * math.pi * 101 * time)),
    "bands": lambda picture, time: picture * (1 + 0.05 * np.sin(np.arange(SIZE[0]) / 25 + time))[:, None, None],
    "exposure": lambda picture, time: picture * (1.0, 1.6, 0.6)[int(time / 2) % 3],
    "auto-gain": lambda picture, time: picture * (1 + 0.8 * math.exp(-(time % 4) / 0.8)),
    "a lamp from one side": lambda picture, time: picture * (1 + (time > 2) * np.linspace(0.8, 0.1, SIZE[1])[:, None]),
    "dusk": lambda picture, time: picture * (1 - 0.06 * time),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("light", LIGHTS)
def test_a_picture_on_a_wall_never_moves_whatever_the_light(
    face: np.ndarray, noises: np.ndarray, light: str, rate: float
) -> None:
    assert watch(face, noises, LIGHTS[light], 10.5, rate) is None


def test_nor_does_a_picture_that_comes_as_poor_jpeg(face: np.ndarray, noises: np.ndarray) -> None:
    movement = Movement()
    for n in range(160):
        _, data = cv2.imencode(".jpg", taken(face, noises[n % len(noises)]), [cv2.IMWRITE_JPEG_QUALITY, 50])
        (one,) = movement.update([track(time=n / 15)], Frame(cv2.imdecode(data, cv2.IMREAD_COLOR), n / 15))
        assert not one.moved


@pytest.mark.parametrize("rate", RATES)
def test_somebody_who_stands_still_as_people_do_has_moved_after_1_3_s(
    face: np.ndarray, noises: np.ndarray, rate: float
) -> None:
    sway = watch(face, noises, lambda picture, time: shifted(picture, 1.5 * math.sin(time), time), 10, rate)
    assert sway == pytest.approx(1.3, abs=1 / rate + 0.01)


@pytest.mark.parametrize("rate", RATES)
def test_a_camera_that_shakes_for_less_than_half_a_second_moves_nobody(
    face: np.ndarray, noises: np.ndarray, rate: float
) -> None:
    def slam(picture: np.ndarray, time: float) -> np.ndarray:
        return shifted(picture, 3, 2) if 1.9 < time < 2.25 else picture

    assert watch(face, noises, slam, 5, rate) is None


def test_a_camera_that_sags_later_moves_nobody(face: np.ndarray, noises: np.ndarray) -> None:
    def sags(picture: np.ndarray, time: float) -> np.ndarray:
        return shifted(picture, 0, max(0, time - 10))

    assert watch(face, noises, sags, 20, 15) is None


@pytest.mark.parametrize("part", [0.1, 0.2, 0.3, 0.4])
def test_somebody_who_steps_aside_from_a_part_of_a_picture_does_not_move_it(
    face: np.ndarray, noises: np.ndarray, part: float
) -> None:
    def aside(picture: np.ndarray, time: float) -> np.ndarray:
        shown = picture.copy()
        if time < 2:
            shown[:, : int(PLACE.x_min + part * SIDE)] = (70, 60, 80)
        return shown

    assert watch(face, noises, aside, 8, 15) is None


def test_what_covers_a_face_that_is_only_held_is_not_looked_at(face: np.ndarray, noises: np.ndarray) -> None:
    movement = Movement()
    for n in range(150):
        hidden = 60 < n < 67
        rgb = taken(shifted(face, 5 * hidden), noises[n % len(noises)])
        seen = 4.0 if hidden else n / 15
        assert not movement.update([track(time=seen)], Frame(rgb, n / 15))[0].moved


@pytest.mark.parametrize("where", [Box(-40, -30, 40, 50), Box(80, 70, 160, 150), Box(900, 900, 980, 980)])
def test_a_face_at_the_border_of_the_frame_or_beyond_is_compared_as_far_as_it_shows(
    face: np.ndarray, noises: np.ndarray, where: Box
) -> None:
    movement = Movement()
    for n in range(30):
        rgb = taken(face, noises[n])
        assert not movement.update([track(where, n / 15)], Frame(rgb, n / 15))[0].moved


def test_a_plain_wall_never_moves(noises: np.ndarray) -> None:
    plain = np.full((*SIZE, 3), 120, np.float32)
    assert watch(plain, noises, lambda picture, time: picture, 10, 15) is None


def test_once_it_has_moved_a_face_stays_so(face: np.ndarray, noises: np.ndarray) -> None:
    movement, seen = Movement(), []
    for n in range(100):
        rgb = taken(shifted(face, 3 * (15 < n < 50)), noises[n % len(noises)])
        seen.append(movement.update([track(time=n / 15)], Frame(rgb, n / 15))[0].moved)
    assert all(later >= earlier for earlier, later in pairwise(seen))
    assert seen[-1]
