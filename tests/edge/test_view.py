import cv2
import numpy as np
import pytest

from edge.values import WITH_MASK, Box, Decision, Frame, State, Track
from edge.view import EVERY, View

DECISION = Decision(
    1.0, State.ALLOW, "", (Track(1, Box(400, 200, 800, 600), WITH_MASK, 0.9, 0.0, 1.0, 0.5),), size=(1280, 720)
)
FRAME = Frame(np.full((720, 1280, 3), (200, 100, 50), np.uint8), 1.0)


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_small_picture_with_the_faces_is_sent(clock):
    sent = []
    View(lambda: True, sent.append, clock)(DECISION, FRAME)
    picture = cv2.imdecode(np.frombuffer(sent[0], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert picture.shape == (360, 640, 3)
    assert picture[350, 10].tolist() == pytest.approx([200, 100, 50], abs=6)
    # the left edge of the box, green
    red, green, _ = picture[200, 200].astype(int)
    assert red < 140 < 190 < picture[200, 240, 0]
    assert green > 115 > picture[200, 240, 1]
    assert len(sent[0]) < 200_000


def test_nothing_is_sent_while_nobody_looks(clock):
    sent = []
    View(lambda: False, sent.append, clock)(DECISION, FRAME)
    assert sent == []


def test_a_few_pictures_a_second_are_enough(clock):
    sent = []
    view = View(lambda: True, sent.append, clock)
    for _ in range(100):
        view(DECISION, FRAME)
        clock.now += 0.01
    assert len(sent) == round(1 / EVERY)


def test_it_tells_how_bright_the_picture_is(clock):
    view = View(lambda: True, lambda jpeg: None, clock)
    view(DECISION, Frame(np.full((90, 160, 3), 51, np.uint8), 1.0))
    assert view.brightness == 0.2


def test_a_fault_has_no_picture(clock):
    sent = []
    View(lambda: True, sent.append, clock)(Decision(1.0, State.FAULT, "no frame"), None)
    assert sent == []
