"""Draw what was judged and decided onto a picture, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2

from edge.values import INCORRECT, UNKNOWN, WITH_MASK, WITHOUT_MASK, Box, Decision, Judged, Rgb, State

Colour = tuple[int, int, int]

GREEN, RED, ORANGE, GREY, YELLOW = (30, 170, 60), (215, 40, 40), (235, 130, 20), (120, 120, 120), (235, 200, 40)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
LABEL_COLOURS: dict[str, Colour] = {WITH_MASK: GREEN, WITHOUT_MASK: RED, INCORRECT: ORANGE, UNKNOWN: GREY}
STATE_COLOURS: dict[State, Colour] = {
    State.IDLE: GREY,
    State.CHECKING: YELLOW,
    State.ALLOW: GREEN,
    State.DENY: RED,
    State.UNKNOWN: ORANGE,
    State.FAULT: RED,
}
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22
"""Pixels of a capital letter at scale 1."""


def draw_faces(rgb: Rgb, faces: Sequence[Judged]) -> Rgb:
    """A copy of the picture, uint8 (H, W, 3), with each face's box, label and score."""
    return _draw_boxes(rgb, [(face.box, face.classification.label, face.classification.score) for face in faces])


def draw_decision(rgb: Rgb, decision: Decision) -> Rgb:
    """A copy of the frame, uint8 (H, W, 3), with the faces that counted, and below them the lamp, state and reason."""
    picture = _draw_boxes(rgb, [(track.box, track.label, track.score) for track in decision.tracks])
    height, width = picture.shape[:2]
    bar = max(14, round(height / 12))
    cv2.rectangle(picture, (0, height - bar), (width, height), BLACK, cv2.FILLED)
    middle = height - bar // 2
    cv2.circle(picture, (bar // 2, middle), round(bar * 0.35), STATE_COLOURS[decision.state], cv2.FILLED, cv2.LINE_AA)
    text = decision.state.value + (f": {decision.reason}" if decision.reason else "")
    _write(picture, text, (round(bar * 1.1), middle), _fitting(text, bar * 0.4, width - round(bar * 1.3)), WHITE)
    return picture


def _draw_boxes(rgb: Rgb, boxes: Iterable[tuple[Box, str, float]]) -> Rgb:
    picture = rgb.copy()
    for box, label, score in boxes:
        _draw_box(picture, box, f"{label} {score:.2f}", LABEL_COLOURS[label])
    return picture


def _draw_box(picture: Rgb, box: Box, text: str, colour: Colour) -> None:
    """The box, and its text on a strip above it; below it where there is no room above."""
    height, width = picture.shape[:2]
    x_min, y_min, x_max, y_max = (round(value) for value in box)
    thickness = max(1, round(min(height, width) / 250))
    cv2.rectangle(picture, (x_min, y_min), (x_max, y_max), colour, thickness)
    scale = _fitting(text, max(7.0, min(height, width) / 45), width)
    strip_width, strip = _width(text, scale) + 4, round(scale * FONT_HEIGHT * 1.8)
    left = max(0, min(x_min, width - strip_width))
    top = y_min - strip if y_min >= strip else min(y_max, height - strip)
    cv2.rectangle(picture, (left, top), (left + strip_width, top + strip), colour, cv2.FILLED)
    _write(picture, text, (left + 2, top + strip // 2), scale, WHITE)


def _write(picture: Rgb, text: str, left_middle: tuple[int, int], scale: float, colour: Colour) -> None:
    left, middle = left_middle
    line = max(1, round(scale * 1.6))
    cv2.putText(picture, text, (left, middle + round(scale * FONT_HEIGHT / 2)), FONT, scale, colour, line, cv2.LINE_AA)


def _fitting(text: str, letter_height: float, width: float) -> float:
    """The font's scale for letters of that height in pixels, less where the text would be wider than `width`."""
    scale = letter_height / FONT_HEIGHT
    return scale * min(1.0, width / max(1, _width(text, scale)))


def _width(text: str, scale: float) -> int:
    """Pixels that a text takes."""
    return cv2.getTextSize(text, FONT, scale, max(1, round(scale * 1.6)))[0][0]
