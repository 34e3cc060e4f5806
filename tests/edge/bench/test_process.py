import io
import mmap
import os
import time

import pytest

from edge.bench.process import cpu_seconds, live, resident_megabytes, wait_for_verdict
from edge.contract import load_bundle
from edge.errors import InputError


def test_a_busy_process_uses_processor_time():
    before, end = cpu_seconds(os.getpid()), time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert cpu_seconds(os.getpid()) - before >= 0.08


def test_more_memory_is_more_megabytes():
    before = resident_megabytes(os.getpid())
    with mmap.mmap(-1, 50_000_000) as block:
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        assert resident_megabytes(os.getpid()) - before == pytest.approx(50, rel=0.1)


def test_the_first_line_that_is_no_fault_is_the_verdict():
    lines = io.StringIO("0.1 s  FAULT  no frame yet\n0.2 s  CHECKING  ...\n0.9 s  ALLOW  ...\n")
    wait_for_verdict(lines)
    assert lines.readline().startswith("0.9 s")


def test_a_daemon_that_ends_without_a_verdict_is_told():
    with pytest.raises(InputError, match="maskgate doctor"):
        wait_for_verdict(io.StringIO("0.1 s  FAULT  no frame yet\n"))


@pytest.mark.slow
def test_the_real_daemon_is_watched_as_a_process():
    found = live(load_bundle().folder, faces=1, seconds=2.0)
    assert found.cold_start > 0.1
    assert found.resident > 20
    assert 0 < found.share < 2
