import os
import subprocess
from itertools import islice

import numpy as np
import pytest

from edge.values import Decision, State
from tests.load.__main__ import main
from tests.load.clip import HEIGHT, WIDTH, LoopedCamera
from tests.load.report import Attack, Turn, judge_attack, judge_cost, lateness
from tests.load.subject import RECORD
from tests.load.usage import Memory, family, memory_of, processor_seconds

SMAPS = """\
5600-5700 r-xp 00001000 08:01 42                         /usr/bin/python3.13
Rss:                 {code} kB
Pss:                  50 kB
Anonymous:             0 kB
VmFlags: rd ex
7f00-7f10 rw-p 00000000 00:00 0
Rss:                 {own} kB
Pss:                 {own} kB
Anonymous:           {own} kB
"""
FEW = Memory(100_000_000, 60_000_000, 110_000_000)


def frames(count, late=0.02, faults=0):
    taken = np.arange(count) / 15
    return np.array([(time, time + late, number >= faults) for number, time in enumerate(taken)], RECORD)


def turn(count, more=0):
    return Turn(frames(count), 1.0, 0.5, {"all": Memory(*(size + more for size in FEW))})


def test_files_that_processes_share_count_once():
    both = memory_of([SMAPS.format(code=100, own=30), SMAPS.format(code=80, own=40)])
    assert both == Memory(own=170 * 1024, pss=170 * 1024, rss=250 * 1024)


def test_a_process_has_used_time_and_has_children():
    with subprocess.Popen(["sleep", "60"]) as child:
        assert family(os.getpid())[0] == os.getpid()
        assert child.pid in family(os.getpid())
        child.kill()
    assert processor_seconds([os.getpid()]) > 0


def test_the_camera_waits_for_the_decision_and_begins_anew_at_the_end(tmp_path):
    pictures = np.arange(2, dtype=np.uint8)[:, None] * np.ones(HEIGHT * WIDTH * 3, np.uint8)
    (tmp_path / "clip").write_bytes(pictures.tobytes())
    seen = []
    with LoopedCamera(tmp_path / "clip") as camera:
        for frame in islice(camera.frames(), 5):
            seen.append(int(frame.rgb[5, 5, 1]))
            camera(Decision(frame.time, State.IDLE, ""), frame)
    assert seen == [0, 1, 0, 1, 0]


def test_what_a_tenth_of_the_rate_and_40_mb_would_be_is_no_finding(capsys):
    assert judge_cost([(turn(100), turn(91, 39_000_000))] * 5) == []
    assert "91.0% of the frame rate are left" in capsys.readouterr().out


def test_more_than_that_is_told(capsys):
    assert judge_cost([(turn(100), turn(88, 41_000_000))] * 5) == [
        "88.0% of the frame rate are left; 90% is the least",
        "everything needs 41.0 MB more; 40 MB is the most",
    ]


def test_one_pair_of_turns_that_something_else_disturbed_is_none(capsys):
    assert judge_cost([(turn(100), turn(98))] * 8 + [(turn(100), turn(5))]) == []


def test_an_attack_that_the_door_notices_is_told(capsys):
    well = Attack({401: 9, 200: 1}, {422: 3}, 1.0)
    assert judge_attack(frames(100), frames(100), well, 1) == []
    assert judge_attack(frames(100), frames(100, faults=2), well, 1) == ["2 of 100 frames were faults under attack"]
    assert "succeeded; 1 of them may" in judge_attack(frames(9), frames(9), Attack({204: 2}, {}, 1.0), 1)[0]


def test_faults_have_no_lateness():
    assert lateness(frames(100, faults=100)) == "no frame was judged"
    frozen = frames(100, faults=1)
    frozen["told"][0] += 9
    assert lateness(frozen).endswith("20.0 ms (p99),  20.0 ms (slowest); 1 fault(s)")


@pytest.mark.slow
@pytest.mark.alone
def test_the_whole_of_it_in_short(tmp_path, capsys):
    main(["--rounds", "2", "--seconds", "0.5", "--requests", "400", "--out", str(tmp_path)])
    told = capsys.readouterr().out
    for word in ("of the frame rate are left", "serve ", "more ", "in quiet ", "under attack ", "400 requests"):
        assert word in told
    assert "succeeded" not in told, told
    assert "no frame was judged" not in told, told
