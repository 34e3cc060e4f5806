from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.demo.mask import Layer
from edge.demo.portraits import astronaut, officer
from edge.demo.room import Floats, empty_room
from edge.demo.scene import SceneCamera
from edge.health import FrameHealth, picture_of
from edge.settings import HealthSettings
from edge.values import Frame, Rgb

SIZE = 320, 240
BLACK, WHITE, COVERED = "the picture is black", "the picture is white", "the lens is covered"
BLURRED, MOVED = "the picture is out of focus", "the camera was moved, or its view blocked"
FROZEN = "the camera repeats one frame"
RATES = [5.0, 15.0, 30.0]
People = tuple[Layer, Layer]
Scene = Callable[[float], Floats]
"""What is before the lens at a time in seconds: float32 (240, 320, 3), 0 to 255."""


class Watch:
    """A camera with a sensor's noise, and the health of its frames, in a time of its own.

    verdicts: time in seconds since the last `see` began, and what was said.
    """

    def __init__(self, noise: float = 2.5, **options: float) -> None:
        self.health = FrameHealth(HealthSettings(**options))
        self.verdicts: list[tuple[float, str | None]] = []
        self._time = 100.0
        self._random = np.random.default_rng(3)
        self._noise = self._random.normal(0, noise, (SIZE[1] + 64, SIZE[0] + 64, 3)).astype(np.float32)

    def see(self, scene: Scene, seconds: float, rate: float = 15.0) -> "Watch":
        count = round(seconds * rate)
        self.verdicts = [(n / rate, self.give(self.taken(scene(n / rate)), n / rate)) for n in range(1, count + 1)]
        self._time += count / rate
        return self

    def taken(self, picture: Floats) -> Rgb:
        x, y = self._random.integers(0, 64, 2)
        return np.clip(picture + self._noise[y : y + SIZE[1], x : x + SIZE[0]], 0, 255).astype(np.uint8)

    def give(self, rgb: Rgb, time: float) -> str | None:
        return self.health.check(Frame(rgb, self._time + time))

    @property
    def reasons(self) -> set[str | None]:
        return {reason for _, reason in self.verdicts}

    @property
    def delay(self) -> float:
        """Seconds until the first fault."""
        return next(time for time, reason in self.verdicts if reason)

    @property
    def recovery(self) -> float:
        """Seconds until the first frame that is trusted."""
        return next(time for time, reason in self.verdicts if not reason)


@pytest.fixture(scope="module")
def big_room() -> Floats:
    return empty_room()


@pytest.fixture(scope="module")
def people() -> People:
    return astronaut(), officer()


@pytest.fixture
def room(big_room: Floats) -> Floats:
    return part(big_room)


@pytest.fixture
def watch(room: Floats) -> Watch:
    """It knows the room."""
    known = Watch().see(still(room), 4, rate=5)
    assert known.reasons == {None}
    return known


def part(picture: Floats, right: float = 0, down: float = 0) -> Floats:
    """What a camera sees of a wide picture when it is turned by these fractions of its own view."""
    height, width = (round(0.8 * side) for side in picture.shape[:2])
    x, y = round(width * (0.125 + right)), round(height * (0.125 + down))
    return cv2.resize(picture[y : y + height, x : x + width], SIZE, interpolation=cv2.INTER_AREA)


def still(picture: Floats) -> Scene:
    return lambda time: picture


def blurred(picture: Floats, pixels: float) -> Floats:
    return cv2.GaussianBlur(picture, (0, 0), pixels)


def with_person(room: Floats, person: Layer, x: float, size: float) -> Floats:
    """A person, `size` times as wide as the picture, around the column x (fraction of the width)."""
    scale = size * SIZE[0] / person.shape[1]
    left, top = x * SIZE[0] - person.shape[1] * scale / 2, max(SIZE[1] - person.shape[0] * scale, -0.1 * SIZE[1])
    layer = cv2.warpAffine(person, np.array([[scale, 0, left], [0, scale, top]]), SIZE)
    return layer[..., :3] + room * (1 - layer[..., 3:])


def covered_part(room: Floats, person: Layer, x: float, size: float) -> float:
    blank = np.zeros_like(room)
    return float((with_person(blank + 1, person * (0, 0, 0, 1), x, size)[..., 0] < 0.5).mean())


FAULTS: dict[str, tuple[Callable[[Floats], Floats], str]] = {
    "black": (lambda room: part(room) * 0.01, BLACK),
    "white": (lambda room: part(room) * 9 + 150, WHITE),
    "a dark finger": (lambda room: np.full_like(part(room), 1) * (70, 20, 12), COVERED),
    "grey tape": (lambda room: np.full_like(part(room), 110), COVERED),
    "a sheet of paper lit from one side": (
        lambda room: part(room) * 0 + np.linspace(90, 190, SIZE[0])[:, None],
        COVERED,
    ),
    "a little out of focus": (lambda room: blurred(part(room), 3), BLURRED),
    "far out of focus": (lambda room: blurred(part(room), 6), BLURRED),
    "turned right by a tenth": (lambda room: part(room, right=0.1), MOVED),
    "turned left by a tenth": (lambda room: part(room, right=-0.1), MOVED),
    "turned down by a tenth": (lambda room: part(room, down=0.1), MOVED),
    "turned up by a tenth, and dark": (lambda room: part(room, down=-0.1) * 0.3, MOVED),
    "upside down": (lambda room: np.ascontiguousarray(part(room)[::-1, ::-1]), MOVED),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_raised_within_eight_tenths_of_a_second_and_ends_within_one(
    fault: str, rate: float, watch: Watch, big_room: Floats
) -> None:
    broken, reason = FAULTS[fault]
    scene = still(broken(big_room).astype(np.float32))
    assert watch.see(scene, 0.4, rate).reasons == {None}
    watch.see(scene, 0.8, rate)
    assert watch.verdicts[-1][1] == reason
    assert 0.4 + watch.delay <= 0.8 + 1e-6
    watch.see(still(part(big_room)), 1, rate)
    assert watch.recovery <= 0.6 + 1e-6


@pytest.mark.parametrize(("rate", "looks"), [(5.0, 10), (15.0, 15), (30.0, 20), (60.0, 20)])
def test_the_picture_is_looked_at_ten_times_a_second_at_most(rate: float, looks: int, room: Floats) -> None:
    watch, seen = Watch(), []
    for n in range(round(2 * rate)):
        watch.give(watch.taken(room), n / rate)
        seen.append(watch.health.picture is not None)
    assert sum(seen) == pytest.approx(looks, abs=1)


def test_a_picture_that_came_too_soon_is_looked_at_once_it_repeats(watch: Watch, room: Floats) -> None:
    black = np.zeros((*SIZE[::-1], 3), np.uint8)
    assert watch.give(watch.taken(room), 0.1) is None
    said = [watch.give(black.copy(), 0.1 + n / 30) for n in range(1, 20)]
    assert said[-1] == BLACK


@pytest.mark.parametrize("rate", RATES)
def test_a_repeated_frame_is_a_fault_until_the_next_new_one(rate: float, watch: Watch, room: Floats) -> None:
    rgb = watch.taken(room)
    said = {n / rate: watch.give(rgb.copy(), n / rate) for n in range(1, round(rate) + 1)}
    raised = min(time for time, reason in said.items() if reason == FROZEN)
    assert 0.7 - 1e-6 < raised - 1 / rate <= 0.8 + 1e-6
    assert watch.give(watch.taken(room), 1 + 1 / rate) is None


def test_a_repeated_frame_in_a_buffer_that_is_used_again_is_no_false_alarm(watch: Watch, room: Floats) -> None:
    buffer = np.empty((*SIZE[::-1], 3), np.uint8)
    for n in range(40):
        buffer[:] = watch.taken(room)
        assert watch.give(buffer, n / 15) is None


def test_a_camera_that_freezes_on_black_is_black(watch: Watch) -> None:
    said = [watch.give(np.zeros((*SIZE[::-1], 3), np.uint8), n / 15) for n in range(1, 20)]
    assert said[9] == said[-1] == BLACK


def test_frames_of_another_size_are_a_fault_at_once_and_only_as_long(watch: Watch, room: Floats) -> None:
    other = np.zeros((480, 640, 3), np.uint8)
    assert watch.give(other, 0.1) == "frames of 320x240 turned into 640x480"
    assert watch.give(watch.taken(room), 0.2) is None


@pytest.mark.parametrize("size", [(160, 120), (720, 1280), (1920, 1080), (4096, 4096)])
def test_frames_of_any_size_make_the_same_small_picture(size: tuple[int, int], big_room: Floats) -> None:
    picture = picture_of(cv2.resize(big_room, size, interpolation=cv2.INTER_AREA).astype(np.uint8))
    assert picture.detail.shape == (192, 320)
    assert picture.edges.shape == (96, 160)
    usual = picture_of(big_room.astype(np.uint8))
    assert np.corrcoef(picture.edges.ravel(), usual.edges.ravel())[0, 1] > 0.9


Make = Callable[[Floats, Layer, Layer], Scene]
INNOCENT: dict[str, Make] = {
    "nothing but noise": lambda room, a, b: still(room),
    "people walk past": lambda room, a, b: lambda t: with_person(room, (a, b)[int(t / 3) % 2], t % 3 / 2 - 0.25, 0.9),
    "two people cross": lambda room, a, b: (
        lambda t: with_person(with_person(room, a, t % 4 / 3, 0.6), b, 1 - t % 4 / 3, 0.7)
    ),
    "one person fills the picture": lambda room, a, b: lambda t: with_person(room, b, 0.5 + 0.02 * np.sin(t), 2.0),
    "one person stands still": lambda room, a, b: still(with_person(room, b, 0.4, 1.0)),
    "a lamp goes off and on": lambda room, a, b: lambda t: room * (0.2 if t % 10 > 5 else 1),
    "it gets dark around somebody": lambda room, a, b: lambda t: with_person(room, a, 0.5, 0.8) * (0.2 if t > 5 else 1),
    "a lamp at one side": lambda room, a, b: (
        lambda t: room * (np.linspace(1.2, 0.3, SIZE[0])[:, None] if t % 8 > 4 else 1)
    ),
    "the exposure hunts": lambda room, a, b: lambda t: room * (1 + 0.6 * np.sin(t)),
    "dusk": lambda room, a, b: lambda t: room * (1 - 0.028 * t),
    "a nudge": lambda room, a, b: lambda t: np.roll(room, 3 if t > 10 else 0, 1),
    "a lamp fails for a moment": lambda room, a, b: lambda t: room * (0.02 if t % 3 < 0.2 else 1),
}


@pytest.mark.parametrize("what", INNOCENT)
def test_what_happens_at_every_door_is_no_fault(what: str, watch: Watch, room: Floats, people: People) -> None:
    scene = INNOCENT[what](room, *people)
    assert watch.see(lambda time: np.asarray(scene(time), np.float32), 30, rate=6).reasons == {None}


def test_the_person_who_fills_the_picture_covers_seven_tenths_of_it(room: Floats, people: People) -> None:
    assert 0.65 < covered_part(room, people[1], 0.5, 2.0) < 0.75


@pytest.mark.parametrize("rate", [2.0, 60.0])
def test_slow_and_fast_cameras_are_judged_alike(rate: float, watch: Watch, room: Floats) -> None:
    assert watch.see(still(room), 2, rate).reasons == {None}
    assert watch.see(still(blurred(room, 6)), 2, rate).delay <= 0.5 + 1 / rate
    assert watch.see(still(room), 2, rate).recovery <= 1


def test_the_demo_is_healthy_from_its_first_frame_to_its_last() -> None:
    health = FrameHealth(HealthSettings())
    assert {health.check(frame) for frame in SceneCamera(fps=5.0).frames()} == {None}


def test_somebody_who_stands_there_from_the_start_may_leave(room: Floats, people: People) -> None:
    watch = Watch().see(lambda t: with_person(room, people[0], 0.5 + 0.01 * np.sin(t), 1.0), 8, rate=5)
    assert watch.see(still(room), 20, rate=5).reasons == {None}


def test_a_plain_wall_is_no_covered_lens(people: People) -> None:
    wall = np.zeros((*SIZE[::-1], 3), np.float32) + np.linspace(120, 190, SIZE[0], dtype=np.float32)[:, None]
    watch = Watch()
    assert watch.see(still(wall), 6, rate=5).reasons == {None}
    for _ in range(3):
        assert watch.see(lambda t: with_person(wall, people[0], 0.5 + 0.02 * np.sin(3 * t), 0.8), 6, 5).reasons == {
            None
        }
        assert watch.see(still(wall), 6, rate=5).reasons == {None}


def test_a_lens_that_is_covered_from_the_start_is_found_and_not_learnt(room: Floats) -> None:
    watch = Watch().see(still(np.full_like(room, 25)), 5, rate=5)
    assert watch.verdicts[-1][1] == COVERED
    watch.see(still(room), 5, rate=5)
    assert watch.recovery <= 0.5
    assert watch.see(still(np.full_like(room, 100)), 1, rate=5).verdicts[-1][1] == COVERED


def test_a_dark_room_with_a_face_is_not_black(room: Floats, people: People) -> None:
    night = with_person(room, people[0], 0.5, 0.5) * 0.15
    assert Watch(noise=3).see(still(night), 5, rate=5).reasons == {None}


def test_a_moved_camera_stays_a_fault_however_long_it_looks_elsewhere(watch: Watch, big_room: Floats) -> None:
    elsewhere = still(part(big_room, right=0.1))
    watch.see(elsewhere, 1, rate=5)
    assert watch.see(elsewhere, 60, rate=2).reasons == {MOVED}
    assert watch.see(still(part(big_room)), 1, rate=5).recovery <= 0.5


def test_a_moved_camera_is_found_with_somebody_before_it(watch: Watch, big_room: Floats, people: People) -> None:
    scene = still(with_person(part(big_room, right=0.1), people[1], 0.6, 0.4))
    assert watch.see(scene, 1).verdicts[-1][1] == MOVED


def test_a_sunbeam_that_creeps_over_the_wall_is_learnt(watch: Watch, room: Floats) -> None:
    def beam(time: float) -> Floats:
        lit = room.copy()
        lit[60:200, int(time / 2) : 80 + int(time / 2)] *= 1.4
        return lit

    assert watch.see(beam, 120, rate=2).reasons == {None}


def test_nothing_is_said_of_the_view_before_it_was_learnt_for_some_seconds(big_room: Floats) -> None:
    watch = Watch().see(still(part(big_room)), 1.5)
    assert watch.see(still(part(big_room, right=0.1)), 1).reasons == {None}


@pytest.mark.parametrize(("option", "fault"), [("blur", "far out of focus"), ("view", "turned right by a tenth")])
def test_blur_and_view_can_be_switched_off(option: str, fault: str, big_room: Floats) -> None:
    watch = Watch(**{option: False}).see(still(part(big_room)), 4, rate=5)
    assert watch.see(still(FAULTS[fault][0](big_room)), 3).reasons == {None}


def test_a_longer_patience_waits_longer(room: Floats) -> None:
    for patience in (0.1, 0.8):
        watch = Watch(patience_seconds=patience).see(still(room), 4, rate=5)
        assert watch.see(still(room * 0), 1, rate=20).delay == pytest.approx(patience, abs=0.051)


def test_good_frames_in_between_do_not_hide_a_camera_that_is_mostly_black(watch: Watch, room: Floats) -> None:
    assert watch.see(lambda time: room * (time % 0.4 > 0.35), 4).reasons == {None, BLACK}
    assert watch.verdicts[-1][1] == BLACK


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, 239), column=st.integers(0, 319), length=st.integers(1, 60))
def test_a_picture_that_changes_all_the_time_is_never_frozen(row: int, column: int, length: int) -> None:
    watch, base = Watch(), np.random.default_rng(0).integers(40, 200, (*SIZE[::-1], 3)).astype(np.uint8)
    for n in range(length):
        base[row // 4 * 4, column] = n
        assert watch.give(base, n / 15) is None
