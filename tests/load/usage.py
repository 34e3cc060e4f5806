"""What processes need of the machine: memory and processor time, as the kernel counts them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ (?P<offset>\S+) \S+ (?P<inode>\d+) *(?P<file>.*)$")
FIELD = re.compile(r"^(?P<name>\w+): +(?P<kilobytes>\d+) kB$")


class Memory(NamedTuple):
    """Of some processes together, in bytes.

    own: their own pages, and those of files once, however many of them share these; that is what the device has less.
    pss: where each page is divided among all processes of the machine that share it, and so less on a busy machine.
    rss: where shared pages count for each.
    """

    own: int
    pss: int
    rss: int


def memory(processes: Iterable[int]) -> Memory:
    return memory_of(Path(f"/proc/{process}/smaps").read_text() for process in processes)


def memory_of(smaps: Iterable[str]) -> Memory:
    """smaps: the text of /proc/PID/smaps of each process."""
    anonymous = pss = rss = 0
    files: dict[tuple[str, str], int] = defaultdict(int)
    for text in smaps:
        for where, size in _mappings(text):
            anonymous, pss, rss = anonymous + size["Anonymous"], pss + size["Pss"], rss + size["Rss"]
            files[where] = max(files[where], size["Rss"] - size["Anonymous"])
    return Memory(anonymous + sum(files.values()), pss, rss)


def _mappings(text: str) -> Iterator[tuple[tuple[str, str], dict[str, int]]]:
    """Of each mapping: the file and the place in it, and the fields in bytes."""
    where, size = ("", ""), dict[str, int]()
    for line in text.splitlines():
        if found := MAPPING.match(line):
            if size:
                yield where, size
            where, size = (found["file"], found["offset"]), {}
        elif found := FIELD.match(line):
            size[found["name"]] = int(found["kilobytes"]) * 1024
    if size:
        yield where, size


def processor_seconds(processes: Iterable[int]) -> float:
    """That they have used so far, without their children's."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(process: int) -> list[int]:
    """A process and its children."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [process, *(int(child) for task in tasks for child in task.read_text().split())]
