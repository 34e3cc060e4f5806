"""What `maskgate bench` found, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edge.bench.measure import STAGES

Report = dict[str, Any]


def tables(found: Report) -> str:
    """Everything, see `edge.bench.command.measured`."""
    return "\n".join(
        [about(found["device"]), "", *scenes(found["runs"]), "", *limit(found["limit"]), "", process(found)]
    )


def about(device: Report) -> str:
    return (
        f"{device['processor']}, {device['cores']} cores; {device['bundle']}, {device['threads']} thread for each "
        f"network; {device['frames']} frames a row; times by the {device['clock']} clock"
    )


def scenes(runs: Sequence[Report]) -> Iterator[str]:
    """A row a scene: the whole frame, without its capture, and the median of each stage, in milliseconds."""
    yield from head("frame", "faces", "p50 ms", "p95", "p99", "frames/s", "CPU ms", *STAGES)
    for run in runs:
        frame, cpu = run["frame_ms"].values(), 1000 * run["cpu_s_per_frame"]
        stages = (run["stages_ms"][stage]["p50"] for stage in STAGES)
        speed = f"{run['frames_per_second']:.0f}", f"{cpu:.2f}"
        yield row(f"{run['width']}x{run['height']}", run["faces"], *map(two, frame), *speed, *map(two, stages))


def limit(found: dict[str, Report]) -> Iterator[str]:
    """A row a network, the first being the large convolution."""
    yield from head("network", "million multiply-adds", "ms", "G multiply-adds/s", "of the limit")
    for name, each in found.items():
        millions, ms = each["multiply_adds"] / 1e6, each["ms"]
        yield row(name, f"{millions:.1f}", two(ms), f"{millions / ms:.0f}", f"{each['share']:.0%}")


def process(found: Report) -> str:
    active, idle = found["active_cpu_share"], found["idle_cpu_share"]
    return (
        f"The daemon at 15 frames a second of 640x480: {found['rss_mb']:.0f} MB resident; first verdict "
        f"{found['cold_start_s']:.2f} s after its start; {active:.1%} of a core with a face in view, {idle:.1%} with "
        f"none, decoding included."
    )


def growth(found: dict[str, Sequence[Report]]) -> Iterator[str]:
    """A row for each number of faces and each size; and what hours did to memory."""
    yield from head("frame", "faces", "ms", "its capture")
    for each in (*found["faces"], *found["sizes"]):
        yield row(f"{each['width']}x{each['height']}", each["faces"], two(each["frame_ms"]), two(each["capture_ms"]))
    # until then caches fill
    early, last = found["hours"][len(found["hours"]) // 6], found["hours"][-1]
    hours = f"{early['hours']:.1f} to {last['hours']:.1f}"
    megabytes, blocks = last["megabytes"] - early["megabytes"], last["blocks"] - early["blocks"]
    yield ""
    yield (
        f"Hours {hours} of the scene's time: {megabytes:+.2f} MB resident, {blocks:+d} blocks of Python's memory; "
        f"a frame {early['frame_ms']:.2f} ms, then {last['frame_ms']:.2f} ms."
    )


def head(*names: object) -> Iterator[str]:
    yield row(*names)
    yield "|---" * len(names) + "|"


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def two(number: float) -> str:
    return f"{number:.2f}"
