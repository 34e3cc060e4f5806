"""The soak's checker finds each kind of lie, and nothing in an honest story."""

import json

import numpy as np
import pytest

from edge.events import open_events
from edge.values import Decision, Signal, State
from tests.soak.checker import Span, check, grants_of, verify

MASKED, BARE = ["masked"], ["masked", "bare"]


class Story:
    """A minute in which somebody masked is in view; a black picture from 20 to 23 s, and an observer that hangs."""

    def __init__(self, folder):
        self.folder = folder
        self.faults = [["black", "safe", 20.0, 23.0], ["observer hangs", "none", 35.0, 38.0]]
        self.grants = [(2.0, 20.4), (25.0, 59.5)]
        self.events = [(0.0, "FAULT"), (2.0, "ALLOW"), (20.5, "FAULT"), (25.0, "ALLOW"), (59.5, "FAULT")]
        self.frames = [[k / 10, MASKED, not 200 <= k < 230] for k in range(600)]
        self.rss = lambda time: 90e6
        self.threads = lambda time: 7
        self.files = lambda time: 9
        self.minutes = 1.0

    def show(self, begin, end, faces=MASKED, healthy=True):
        for frame in self.frames:
            if begin <= frame[0] < end:
                frame[1:] = faces, healthy

    def check(self, verify=lambda file: []):
        faults = [
            record
            for k, (kind, effect, begin, end) in enumerate(self.faults)
            for record in ({"fault": k, "kind": kind, "effect": effect, "begin": begin}, {"fault": k, "end": end})
        ]
        frames = [{"frame": time, "faces": faces, "healthy": healthy} for time, faces, healthy in self.frames]
        self.write("truth", faults + frames)
        edges = [(time, on) for grant in self.grants for time, on in zip(grant, (True, False), strict=True)]
        self.write("outputs", [{"time": time, "line": "relay", "active": on} for time, on in edges if time is not None])
        signals = {"ALLOW": ["RELEASE"]}
        self.write(
            "events",
            [
                {"number": k, "time": time, "state": state, "signals": signals.get(state, [])}
                for k, (time, state) in enumerate(self.events, 1)
            ],
        )
        decision = {"state": "ALLOW", "reason": "1 face with_mask"}
        self.write("decisions", [{"taken": time, "told": time + 0.03, **decision} for time, _, _ in self.frames])
        times = np.arange(0.0, 60.0 * self.minutes)
        self.write("resources", [{"time": time, "daemon": self.usage(time), "guard": self.usage(0)} for time in times])
        return check(self.folder, verify)

    def usage(self, time):
        return {"rss": self.rss(time), "threads": self.threads(time), "files": self.files(time), "cpu": 0.2 * time}

    def write(self, name, records):
        (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))

    def finding(self):
        """The only one."""
        findings, _ = self.check()
        assert len(findings) == 1, findings
        return findings[0]


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_an_honest_story(story):
    findings, facts = story.check()
    assert findings == []
    assert "frame to decision: p50 30 ms, p99 30 ms, max 30 ms" in facts
    assert any(fact.split() == ["black", "1", "0.40", "2.00"] for fact in facts)
    assert any(fact.split() == ["observer", "hangs", "1", "-", "0.00"] for fact in facts)
    assert "of one core: daemon 20%, guard 0%" in facts


# --- grants that nothing supports


def test_a_grant_while_nobody_is_in_view(story):
    story.show(50, 52, [])
    assert "a grant without a supporting frame for 0.95 s, from 51.05" in story.finding()


def test_a_grant_while_one_of_two_is_bare(story):
    story.show(50, 52, BARE)
    assert "without a supporting frame" in story.finding()


def test_a_grant_while_the_camera_gives_nothing(story):
    story.frames = [frame for frame in story.frames if not 50 < frame[0] < 52]
    assert "without a supporting frame" in story.finding()


def test_a_grant_that_rests_on_unhealthy_frames(story):
    story.show(50, 52, MASKED, healthy=False)
    assert "without a supporting frame" in story.finding()


def test_a_grant_that_outlasts_its_last_frame(story):
    story.grants[-1] = (25.0, 61.5)
    assert "without a supporting frame for 0.45 s" in story.finding()


def test_a_grant_before_the_first_frame(story):
    story.frames = story.frames[60:]
    story.events[1] = (6.0, "ALLOW")
    findings, _ = story.check()
    assert any("without a supporting frame for 4.00 s, from 2.00" in finding for finding in findings)


def test_one_second_is_borne(story):
    story.show(50, 51, BARE)
    assert story.check()[0] == []


def test_a_stopped_guard_may_hold_its_lines_but_not_for_longer_than_it_is_stopped(story):
    story.show(50, 52, BARE)
    story.faults.append(["guard stopped", "held", 50.0, 52.0])
    assert story.check()[0] == []
    story.faults[-1][3] = 51.2
    assert "a grant without a supporting frame for 0.95 s, from 51.05" in story.check()[0]


# --- faults


def test_lines_that_stay_after_a_fault(story):
    story.faults.append(["interpreter raises", "safe", 45.0, 48.0])
    story.grants[1:] = [(25.0, 46.5), (48.5, 59.5)]
    story.events[4:4] = [(46.5, "FAULT"), (48.5, "ALLOW")]
    assert story.finding() == "interpreter raises at 45.00: a grant 1.15 s later, for 0.35 s"


def test_lines_that_come_back_while_the_fault_stands(story):
    story.faults.append(["interpreter raises", "safe", 45.0, 50.0])
    story.grants[1:] = [(25.0, 45.5), (48.0, 48.5), (51.0, 59.5)]
    story.events[4:4] = [(45.5, "FAULT"), (48.0, "ALLOW"), (48.5, "FAULT"), (51.0, "ALLOW")]
    assert story.finding() == "interpreter raises at 45.00: a grant 3.00 s later, for 0.50 s"


def test_a_fault_that_is_shorter_than_a_second_may_pass_unseen(story):
    story.faults.append(["interpreter raises", "safe", 45.0, 45.9])
    assert story.check()[0] == []


def test_a_door_that_does_not_open_again(story):
    story.grants[1] = (28.5, 59.5)
    story.events[3] = (28.5, "ALLOW")
    assert story.finding() == "black at 20.00: the door was still closed 5 s after its end: ALLOW, 1 face with_mask"


def test_a_door_that_never_opens_again(story):
    del story.grants[1]
    story.events = story.events[:3]
    findings, _ = story.check()
    assert "black at 20.00: the door was still closed 5 s after its end: ALLOW, 1 face with_mask" in findings


@pytest.mark.parametrize("begin", [24.0, 56.0], ids=["somebody bare came", "the story was over"])
def test_a_truth_that_cannot_tell_of_a_recovery(story, begin):
    story.show(28.0, 28.1, BARE)
    story.faults.append(["interpreter raises", "perhaps", begin, begin + 2.0])
    assert f"interpreter raises at {begin:.2f}: the truth shows no masked people after it" in story.finding()


def test_an_observer_that_closes_the_door(story):
    story.grants[1:] = [(25.0, 36.0), (37.0, 59.5)]
    story.events[4:4] = [(36.0, "FAULT"), (37.0, "ALLOW")]
    assert story.finding() == "observer hangs at 35.00: it ended a grant 1.00 s later"


def test_an_observer_may_hang_while_somebody_bare_comes(story):
    story.show(35.9, 37, BARE)
    story.grants[1:] = [(25.0, 36.2), (37.5, 59.5)]
    story.events[4:4] = [(36.2, "DENY"), (37.5, "ALLOW")]
    assert story.check()[0] == []


# --- the log


def test_a_grant_that_the_log_does_not_tell(story):
    del story.events[3]
    assert story.finding() == "a grant at 25.00 that the log does not tell"


def test_an_event_that_rests_on_no_frame(story):
    story.events[3] = (24.95, "ALLOW")
    assert story.finding() == "event 4 grants at 24.95 without a healthy frame of that time"


def test_an_event_that_rests_on_a_broken_frame(story):
    story.grants[1:] = [(25.0, 50.0), (51.0, 59.5)]
    story.events[4:4] = [(50.0, "CHECKING"), (51.0, "ALLOW")]
    story.show(51.0, 51.1, healthy=False)
    assert story.finding() == "event 6 grants at 51.0 without a healthy frame of that time"


def test_events_that_go_back_in_time(story):
    story.events += [(59.7, "IDLE"), (59.6, "IDLE")]
    assert story.finding() == "the events are not in the order of their frames"


def test_a_log_that_was_altered(tmp_path):
    file = tmp_path / "events.jsonl"
    with open_events(file) as events:
        for time, state in enumerate((State.IDLE, State.ALLOW, State.DENY)):
            events(Decision(float(time), state, "", (), frozenset({Signal.HEARTBEAT})))
    assert verify(file) == []
    file.write_text(file.read_text().replace("ALLOW", "DENY"))
    assert "edited" in verify(file)[0]


def test_what_is_wrong_with_the_log_is_a_finding(story):
    assert story.check(lambda file: ["line 3: edited"])[0] == ["line 3: edited"]


# --- the process


def test_memory_that_grows(story):
    story.minutes = 30
    story.rss = lambda time: 90e6 + 5e6 * time / 3600
    findings, _ = story.check()
    assert findings == ["daemon: grows by 5.0 MB an hour; 2 is the limit"]


def test_memory_that_grows_a_little_or_for_a_fault_only(story):
    story.minutes = 30
    story.rss = lambda time: 90e6 + 5e5 * time / 3600 + 60e6 * (35 <= time < 40) + 8e5 * (time > 1000)
    assert story.check()[0] == []


def test_a_short_run_tells_the_growth_but_does_not_judge_it(story):
    story.minutes = 2
    story.rss = lambda time: 90e6 + 1e4 * time
    findings, facts = story.check()
    assert findings == []
    assert any("growth +36.00 MB an hour over 1 min (too short to tell)" in fact for fact in facts)


@pytest.mark.parametrize("what", ["threads", "files"])
def test_a_leak_of_threads_or_files(story, what):
    setattr(story, what, lambda time: 7 + time // 50)
    assert story.finding() == f"daemon: {what} grew from 7 to 8"


def test_a_process_that_is_gone_has_no_samples(story):
    story.usage = lambda time: {}
    findings, _ = story.check()
    assert "0 quiet samples" in findings[0]


def test_a_run_that_ends_with_an_active_line(story):
    story.grants[-1] = (25.0, None)
    findings, _ = story.check()
    assert "the run ended with its lines not safe" in findings


@pytest.mark.parametrize("what", ["faults", "grants", "events", "frames"])
def test_a_story_in_which_nothing_happens_proves_nothing(story, what):
    setattr(story, what, [])
    findings, _ = story.check()
    assert any(f"there are no {what}; nothing was tested" in finding for finding in findings)


def test_two_lines_make_one_grant():
    changes = [(1, "green", 1), (1.1, "relay", 1), (1.2, "red", 1), (2, "green", 0), (2.5, "relay", 0), (3, "green", 1)]
    spans = grants_of({"time": time, "line": line, "active": bool(on)} for time, line, on in changes)
    assert spans == [Span(1, 2.5), Span(3, float("inf"))]
