import numpy as np
import pytest

from edge.draw import GREEN, GREY, ORANGE, RED, STATE_COLOURS, draw_decision, draw_faces
from edge.values import (
    INCORRECT,
    UNKNOWN,
    WITH_MASK,
    WITHOUT_MASK,
    Box,
    Classification,
    Decision,
    Judged,
    State,
    Track,
)


def face(box: Box, label: str) -> Judged:
    return Judged(box, 0.9, Classification(label, 0.8, (0.1, 0.8, 0.1)))


def canvas(height: int = 200, width: int = 300):
    return np.full((height, width, 3), 255, np.uint8)


@pytest.mark.parametrize(
    "label, colour", [(WITH_MASK, GREEN), (WITHOUT_MASK, RED), (INCORRECT, ORANGE), (UNKNOWN, GREY)]
)
def test_a_box_has_the_colour_of_its_label(label, colour):
    before = canvas()
    drawn = draw_faces(before, [face(Box(100, 80, 160, 150), label)])
    assert tuple(drawn[120, 100]) == colour and tuple(drawn[120, 160]) == colour
    assert tuple(drawn[120, 130]) == (255, 255, 255)
    assert (before == 255).all()


@pytest.mark.parametrize("size", [(24, 24), (120, 90), (3000, 4000)])
def test_a_label_stays_within_the_picture_and_grows_with_it(size):
    height, width = size
    drawn = draw_faces(canvas(*size), [face(Box(width * 0.9, -5, width + 20, height * 0.2), WITH_MASK)])
    strip = (drawn == GREEN).all(axis=2).sum()
    assert drawn.shape == (*size, 3)
    assert strip > 0.001 * height * width


@pytest.mark.parametrize("state", list(State))
def test_the_lamp_has_the_colour_of_the_state(state):
    drawn = draw_decision(canvas(240, 320), Decision(1.0, state, "a reason"))
    assert tuple(drawn[230, 10]) == STATE_COLOURS[state]


def test_the_faces_that_counted_are_drawn_with_the_decision():
    track = Track(1, Box(100, 80, 160, 150), WITH_MASK, 0.9, 0.0, 1.0, 0.5)
    drawn = draw_decision(canvas(), Decision(1.0, State.ALLOW, "", (track,)))
    assert tuple(drawn[120, 100]) == GREEN


def test_a_long_reason_is_made_to_fit():
    drawn = draw_decision(canvas(240, 320), Decision(1.0, State.FAULT, "the camera stopped giving frames; " * 6))
    # the last columns of the bar stay black
    assert (drawn[222:, -3:] == 0).all()
