"""The timeline picture, from made-up decisions."""

import json

import cv2
import numpy as np

from edge.demo.timeline import Span, draw_timeline, key_spans, line_spans, read_records, state_spans
from edge.values import WITH_MASK, WITHOUT_MASK, Box, Decision, State, Track


def track(label, time, score=0.9):
    return Track(1, Box(10, 10, 60, 70), label, score, 0.0, time, 0.0)


def decisions():
    made = [Decision(0.1 * n, State.IDLE, "nobody in the zone") for n in range(10)]
    made += [Decision(0.1 * n, State.DENY, "", (track(WITHOUT_MASK, 0.1 * n),)) for n in range(10, 25)]
    return made + [Decision(0.1 * n, State.ALLOW, "", (track(WITH_MASK, 0.1 * n),)) for n in range(25, 40)]


def test_states_become_spans_that_touch_and_end_with_the_scene():
    assert state_spans(decisions(), 4.0) == [
        Span(0.0, 1.0, State.IDLE),
        Span(1.0, 2.5, State.DENY),
        Span(2.5, 4.0, State.ALLOW),
    ]


def test_a_run_without_decisions_has_no_spans():
    assert state_spans([], 4.0) == []


def test_a_line_counts_as_on_from_its_switching_on_to_its_switching_off_or_the_end():
    records = [
        {"time": 0.0, "line": "red", "active": False},
        {"time": 0.0, "line": "green", "active": False},
        {"time": 1.0, "line": "red", "active": True},
        {"time": 2.5, "line": "red", "active": False},
        {"time": 2.5, "line": "green", "active": True},
    ]
    assert line_spans(records, 4.0) == {"red": [Span(1.0, 2.5, "red")], "green": [Span(2.5, 4.0, "green")]}


def test_only_the_longest_spans_get_a_picture_in_their_order():
    spans = [Span(n, n + 0.1 * (n % 9 + 1), State.IDLE) for n in range(9)]
    assert key_spans(spans) == spans[2:]


def test_records_are_read_line_by_line(tmp_path):
    file = tmp_path / "outputs.jsonl"
    records = [{"time": 0.5, "line": "red", "active": True}, {"time": 1.5, "line": "red", "active": False}]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert read_records(file) == records


def test_the_timeline_is_a_picture_that_shows_every_state_in_its_colour(tmp_path):
    file = tmp_path / "timeline.png"
    frame = np.full((48, 64, 3), 90, np.uint8)
    spans = state_spans(decisions(), 4.0)
    draw_timeline(file, decisions(), {"green": [Span(2.5, 4.0, "green")]}, [(span, frame) for span in spans], 4.0)
    picture = cv2.imread(str(file))[..., ::-1]
    assert picture.shape[0] > 600
    for colour in ((120, 120, 120), (215, 40, 40), (30, 170, 60)):
        assert (picture == colour).all(axis=2).sum() > 1000
