"""The demo's scene, made from portraits that installed packages carry."""

import numpy as np
import pytest

from edge.demo.mask import draw_mask, put_on
from edge.demo.portraits import ASTRONAUT, OFFICER
from edge.demo.room import HEIGHT, WIDTH
from edge.demo.scene import LIFT_SECONDS, NOISE, SECONDS, SceneCamera

STANDING = 5.0
"""A time at which the first visitor stands in front of the door, still bare-faced."""


def difference(one, other):
    """The mean difference of two frames in grey levels, blind to noise and to the drift of the brightness."""
    return float(np.abs(one.rgb.astype(float).mean(axis=2) - other.rgb.astype(float).mean(axis=2)).mean())


def test_the_scene_has_the_promised_length_size_and_times(camera):
    with camera as opened:
        times = [frame.time for frame, _ in zip(opened.frames(), range(4), strict=False)]
    assert times == pytest.approx([0.0, 0.2, 0.4, 0.6])
    assert len(camera) == round(SECONDS * camera.fps)
    frame = camera.frame(0)
    assert frame.rgb.shape == (HEIGHT, WIDTH, 3) == (480, 640, 3)
    assert frame.rgb.dtype == np.uint8


def test_the_same_seed_gives_the_same_frames(camera):
    again = SceneCamera(fps=camera.fps)
    for number in (0, 12, 31, 75):
        assert np.array_equal(camera.frame(number).rgb, again.frame(number).rgb)


def test_the_scene_begins_and_ends_with_the_empty_room(camera):
    first, last = camera.frame(0), camera.frame(len(camera) - 1)
    assert difference(first, last) < 2 * NOISE
    assert difference(first, camera.frame(round(STANDING * camera.fps))) > 10


@pytest.mark.parametrize("portrait", [ASTRONAUT, OFFICER], ids=["astronaut", "officer"])
def test_the_mask_covers_the_mouth_and_chin_and_leaves_the_eyes(portrait):
    size = (600, 512)
    mask = draw_mask(portrait.mask, size)[..., 3]
    eyes_x, eyes_y = (round(value) for value in portrait.eyes)
    lowest = round(max(y for _, y in portrait.mask.bottom))
    assert not mask[: eyes_y + 4].any()
    assert not mask[lowest + 3 :].any()
    mouth = (eyes_y + lowest) // 2 + 10
    assert mask[mouth : lowest - 6, eyes_x - 15 : eyes_x + 15].min() > 0.99


def test_the_mask_changes_the_lower_face_only(camera):
    visit = camera.visits[0]
    bare, masked = visit.layer(STANDING), visit.layer(visit.masked_from)
    changed = np.abs(bare - masked).max(axis=2) > 2
    rows, columns = np.nonzero(changed)
    assert rows.min() > visit.portrait.eyes[1]
    assert rows.max() < max(y for _, y in visit.portrait.mask.bottom) + 15
    assert columns.min() > visit.portrait.mask.ears[0][0] - 15
    assert columns.max() < visit.portrait.mask.ears[1][0] + 15


def test_the_mask_comes_up_from_below_without_a_jump(camera):
    visit = camera.visits[0]
    times = np.linspace(visit.masked_from - LIFT_SECONDS, visit.masked_from, 8)
    middles = []
    for time in times[1:]:
        rows, _ = np.nonzero(np.abs(visit.layer(time) - visit.person)[..., 2] > 30)
        middles.append(rows.mean())
    assert middles == sorted(middles, reverse=True)
    assert np.array_equal(visit.layer(times[0] - 0.1), visit.person)


def test_a_mask_keeps_the_person_as_opaque_as_before(camera):
    visit = camera.visits[0]
    worn = put_on(visit.person, visit.mask, 0.0)
    assert (worn[..., 3] >= visit.person[..., 3] - 1e-6).all()
    assert worn[..., 3].max() <= 1 + 1e-6
