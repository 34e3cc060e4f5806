"""The demo's run: with stand-ins for the files that it leaves, with the shipped models for what they decide."""

import json

import cv2
import pytest

from edge.contract import load_bundle
from edge.demo.play import play
from edge.errors import InputError
from edge.judge import Judge
from edge.values import Frame
from tests.edge.rig import EMPTY, GREEN, RED, ColourJudge, Pictures

FPS = 10.0


class NobodyThenBareThenMasked:
    """A camera of two seconds each."""

    fps = FPS
    size = (128, 96)

    def __init__(self):
        self.now = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def clock(self):
        return self.now

    def frames(self):
        pictures = Pictures()
        for number in range(60):
            self.now = number / FPS
            yield Frame(pictures((EMPTY, RED, GREEN)[number // 20]), self.now)


def states(decisions):
    """The states in order, each once, without the passing CHECKING."""
    settled = [str(decision.state) for decision in decisions if decision.state != "CHECKING"]
    return [state for before, state in zip([None, *settled], settled, strict=False) if state != before]


def records(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder that two runs have written to, and the decisions of the second."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "demo"
    play(NobodyThenBareThenMasked(), ColourJudge(), folder)
    return folder, play(NobodyThenBareThenMasked(), ColourJudge(), folder)


def test_a_run_leaves_its_video_timeline_and_events_and_nothing_of_the_run_before(run):
    folder, decisions = run
    assert states(decisions) == ["IDLE", "DENY", "ALLOW"]
    told = [event["state"] for event in records(folder / "events.jsonl")]
    assert told == ["IDLE", "CHECKING", "DENY", "CHECKING", "ALLOW"]
    assert cv2.imread(str(folder / "timeline.png")) is not None
    video = cv2.VideoCapture(str(folder / "annotated.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == len(decisions) == 60
    video.release()


def test_the_door_is_released_while_the_state_is_allow_and_shut_at_the_end(run):
    folder, decisions = run
    allowed = next(decision.time for decision in decisions if decision.state == "ALLOW")
    door = [
        (record["time"], record["active"]) for record in records(folder / "outputs.jsonl") if record["line"] == "door"
    ]
    assert door == [(0.0, False), (allowed, True), (decisions[-1].time, False)]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/demo"):
        play(NobodyThenBareThenMasked(), ColourJudge(), tmp_path / "file" / "demo")


def test_the_shipped_models_deny_while_one_of_two_visitors_is_bare_and_allow_both_masked(camera, tmp_path):
    decisions = play(camera, Judge.from_bundle(load_bundle()), tmp_path)
    assert states(decisions) == ["IDLE", "DENY", "ALLOW", "IDLE"]
