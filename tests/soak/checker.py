"""Says of a soak's files whether the daemon ever lied. It knows nothing of how the daemon decides, nor imports it.

truth.jsonl      what the injector sent and broke, and when
outputs.jsonl    every change of a line, written by the guard
events.jsonl     the daemon's event log
decisions.jsonl  when each frame was taken, and its decision told to the guard
resources.jsonl  memory, threads, files and processor time, every second

A *grant* is the time in which the green lamp or the relay is active. A frame *supports* a grant if it is healthy,
somebody is in view, and everybody in view is masked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LIMIT = 1.0
"""Seconds after the last good frame, or after a fault's begin, after which the lines must be safe."""
RECOVERY = 5.0
"""Seconds after a fault's end after which the door must have opened again."""
TOLERANCE = 0.15
"""Seconds by which this machine, which is no real-time one, may be late."""
WARM_UP, WARM_UP_SECONDS = 0.1, 300.0
"""What does not count for growth: this part of the run, and at least these seconds, in which each kind of fault comes
once; but never more than half of the run."""
GROWTH = 2e6
"""Bytes an hour by which a process may grow."""
STEP = 1.5e6
"""Bytes by which the fitted line may rise in all, however short the run: one picture more is held, or less."""
LEAST_HOURS = 0.25
"""A shorter time is too short to tell a growth: its slope is told, but no finding."""
HELD_SECONDS = 0.2
"""Seconds after lines could not be driven, as their guard was stopped or they were broken, until it tries again."""
QUIET = 5.0
"""Seconds after a fault in which a process may still hold what it needed for that."""
GRANTING = "green", "relay"

Record = dict[str, Any]
Finding = str


class Span(NamedTuple):
    begin: float
    end: float


class Fault(NamedTuple):
    kind: str
    effect: str
    begin: float
    end: float


@dataclass
class Soak:
    """A soak's files, read."""

    frames: list[Record]
    faults: list[Fault]
    grants: list[Span]
    events: list[Record]
    decisions: list[Record]
    samples: list[Record]
    ends_safe: bool
    supports: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.supports = [frame["frame"] for frame in self.frames if supports(frame)]


def supports(frame: Record) -> bool:
    return bool(frame["healthy"] and frame["faces"] and set(frame["faces"]) == {"masked"})


def read(folder: Path) -> Soak:
    truth, outputs = lines(folder / "truth.jsonl"), lines(folder / "outputs.jsonl")
    ends = {record["fault"]: record["end"] for record in truth if "end" in record}
    begins = [record for record in truth if "begin" in record]
    frames = sorted((record for record in truth if "frame" in record), key=lambda frame: frame["frame"])
    last = {change["line"]: change["active"] for change in outputs}
    return Soak(
        frames,
        [Fault(one["kind"], one["effect"], one["begin"], ends[one["fault"]]) for one in begins],
        grants_of(outputs),
        lines(folder / "events.jsonl"),
        lines(folder / "decisions.jsonl"),
        lines(folder / "resources.jsonl"),
        not any(last.get(line) for line in GRANTING),
    )


def lines(file: Path) -> list[Record]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def grants_of(changes: Iterable[Record]) -> list[Span]:
    """Each span in which a granting line is active; the last one may not end before the file does."""
    grants: list[Span] = []
    active: set[str] = set()
    begin = time = 0.0
    for change in changes:
        if change["line"] not in GRANTING:
            continue
        time, before = change["time"], bool(active)
        (active.add if change["active"] else active.discard)(change["line"])
        if active and not before:
            begin = time
        elif before and not active:
            grants.append(Span(begin, time))
    return [*grants, Span(begin, float("inf"))] if active else grants


# --- what must never be


def unsupported(soak: Soak) -> list[Finding]:
    """Grants, or parts of them, with no supporting frame in the last second."""
    times = np.array([-np.inf, *soak.supports, np.inf])
    held = [Span(fault.begin, fault.end + HELD_SECONDS + TOLERANCE) for fault in soak.faults if fault.effect == "held"]
    findings = []
    for grant in soak.grants:
        first = max(0, int(np.searchsorted(times, grant.begin, "right")) - 1)
        last = int(np.searchsorted(times, grant.end, "left"))
        for one, other in zip(times[first:last], times[first + 1 : last + 1], strict=True):
            lie = Span(max(grant.begin, float(one) + LIMIT + TOLERANCE), min(grant.end, float(other)))
            if lie.begin < lie.end and not any(span.begin <= lie.begin and lie.end <= span.end for span in held):
                findings.append(f"a grant without a supporting frame for {length(lie)}, from {lie.begin:.2f}")
    return findings


def length(span: Span) -> str:
    return f"{span.end - span.begin:.2f} s"


def unsafe(soak: Soak) -> list[Finding]:
    """Faults that must make the lines safe, and did not within a second, or not until their end."""
    findings = []
    for fault in soak.faults:
        must = Span(fault.begin + LIMIT + TOLERANCE, fault.end)
        for grant in soak.grants:
            if fault.effect == "safe" and max(must.begin, grant.begin) < min(must.end, grant.end):
                lie = Span(max(must.begin, grant.begin), min(must.end, grant.end))
                findings.append(f"{told(fault)}: a grant {lie.begin - fault.begin:.2f} s later, for {length(lie)}")
    return findings


def told(fault: Fault) -> str:
    return f"{fault.kind} at {fault.begin:.2f}"


def unrecovered(soak: Soak) -> list[Finding]:
    """Faults after which the door did not open again within five seconds of masked people in view."""
    findings = []
    for fault in soak.faults:
        after = [frame for frame in soak.frames if fault.end < frame["frame"] < fault.end + RECOVERY]
        whole = after and after[-1]["frame"] > fault.end + RECOVERY - LIMIT
        if not whole or not all(map(supports, after)):
            findings.append(f"{told(fault)}: the truth shows no masked people after it; nobody can tell its recovery")
        elif recovery(soak, fault) > RECOVERY + TOLERANCE:
            why = reason(soak, fault.end + RECOVERY)
            findings.append(f"{told(fault)}: the door was still closed {RECOVERY:g} s after its end: {why}")
    return findings


def reason(soak: Soak, time: float) -> str:
    """What the daemon said last before a time."""
    before = [decision for decision in soak.decisions if decision["told"] <= time]
    return f"{before[-1]['state']}, {before[-1]['reason']}" if before else "it said nothing"


def recovery(soak: Soak, fault: Fault) -> float:
    """Seconds from the end of a fault until the door is open."""
    return next((max(0.0, grant.begin - fault.end) for grant in soak.grants if grant.end > fault.end), float("inf"))


def disturbed(soak: Soak) -> list[Finding]:
    """Grants that ended for no reason while a fault stood that must change nothing."""
    findings = []
    for fault in soak.faults:
        if fault.effect == "none":
            ends = [grant.end for grant in uncalled(soak) if fault.begin <= grant.end <= fault.end]
            findings += [f"{told(fault)}: it ended a grant {end - fault.begin:.2f} s later" for end in ends]
    return findings


def uncalled(soak: Soak) -> list[Span]:
    """Grants that ended though all frames around their end support them, and no fault stands that may end them."""
    frames = np.array([frame["frame"] for frame in soak.frames])
    good = [supports(frame) for frame in soak.frames]
    found = []
    for grant in soak.grants:
        near = [k for k in range(*np.searchsorted(frames, (grant.end - LIMIT, grant.end + 0.3))) if not good[k]]
        faults = [f for f in soak.faults if f.effect != "none" and f.begin <= grant.end <= f.end + LIMIT]
        if not near and not faults and grant.end < soak.frames[-1]["frame"] - LIMIT:
            found.append(grant)
    return found


def unlogged(soak: Soak) -> list[Finding]:
    """Grants that the log does not tell, and logged ones that rest on a frame that never was, or was not healthy."""
    findings = []
    healthy = np.array([-np.inf, *(frame["frame"] for frame in soak.frames if frame["healthy"])])
    for grant in soak.grants:
        before = [event for event in soak.events if event["time"] <= grant.begin]
        if not before or "RELEASE" not in before[-1]["signals"]:
            findings.append(f"a grant at {grant.begin:.2f} that the log does not tell")
    for event in soak.events:
        rests_on = event["state"] == "ALLOW" or "RELEASE" in event["signals"]
        if rests_on and np.abs(healthy - event["time"]).min() > 0.002:
            findings.append(f"event {event['number']} grants at {event['time']} without a healthy frame of that time")
    # a fault is told when it is noticed, which may be later than the next frame was taken
    times = [event["time"] for event in soak.events if event["state"] != "FAULT"]
    if sorted(times) != times:
        findings.append("the events are not in the order of their frames")
    return findings


def growth(soak: Soak) -> tuple[list[Finding], list[str]]:
    """Of both processes: memory by a line fitted to the quiet samples; threads and files, early and late."""
    findings, facts = [], []
    samples = quiet(soak)
    for name in ("daemon", "guard"):
        mine = [sample for sample in samples if sample[name]]
        if len(mine) < 8:
            return [*findings, f"{name}: {len(mine)} quiet samples of its memory; run longer"], facts
        hours = np.array([sample["time"] for sample in mine]) / 3600
        rss = np.array([sample[name]["rss"] for sample in mine])
        slope, span = float(np.polyfit(hours, rss, 1)[0]), float(hours[-1] - hours[0])
        enough = span >= LEAST_HOURS
        facts.append(
            f"{name}: {rss[-1] / 1e6:.1f} MB, growth {slope / 1e6:+.2f} MB an hour over {span * 60:.0f} min"
            + ("" if enough else " (too short to tell)")
        )
        if enough and slope > GROWTH and slope * span > STEP:
            findings.append(f"{name}: grows by {slope / 1e6:.1f} MB an hour; {GROWTH / 1e6:g} is the limit")
        quarter = len(mine) // 4
        for what in ("threads", "files"):
            early, late = (np.median([each[name][what] for each in part]) for part in (mine[:quarter], mine[-quarter:]))
            facts.append(f"{name}: {what} {early:g} early, {late:g} late")
            if late > early:
                findings.append(f"{name}: {what} grew from {early:g} to {late:g}")
    return findings, facts


def quiet(soak: Soak) -> list[Record]:
    """The samples after the warm-up that no fault has touched lately."""
    begin, end = soak.samples[0]["time"], soak.samples[-1]["time"]
    warm = begin + max(WARM_UP * (end - begin), min(WARM_UP_SECONDS, (end - begin) / 2))
    return [
        sample
        for sample in soak.samples
        if sample["time"] >= warm
        and not any(fault.begin <= sample["time"] <= fault.end + QUIET for fault in soak.faults)
    ]


def empty(soak: Soak) -> list[Finding]:
    """What was never tried cannot have gone well."""
    counts = {
        "frames": soak.frames,
        "decisions": soak.decisions,
        "faults": soak.faults,
        "grants": soak.grants,
        "events": soak.events,
        "faults that began within a grant": struck(soak),
    }
    return [f"there are no {name}; nothing was tested" for name, found in counts.items() if not found]


def struck(soak: Soak) -> list[Fault]:
    return [f for f in soak.faults if any(grant.begin <= f.begin <= grant.end for grant in soak.grants)]


# --- what is told


def facts(soak: Soak) -> list[str]:
    seconds = soak.frames[-1]["frame"] - soak.frames[0]["frame"]
    states = Counter(decision["state"] for decision in soak.decisions)
    cpu = {
        name: (last[name]["cpu"] - first[name]["cpu"]) / (last["time"] - first["time"])
        for first, last in [(soak.samples[0], soak.samples[-1])]
        for name in ("daemon", "guard")
        if last[name]
    }
    return [
        f"{seconds / 60:.1f} min, {len(soak.frames)} frames ({len(soak.frames) / seconds:.1f} a second), "
        f"{len(soak.decisions)} decisions, {len(soak.events)} events, {len(soak.grants)} grants",
        "states: " + ", ".join(f"{state} {number}" for state, number in states.most_common()),
        latency(soak.decisions),
        f"longest time between two frames while nothing was broken: {1000 * longest_gap(soak):.0f} ms (this machine)",
        "of one core: " + ", ".join(f"{name} {share:.0%}" for name, share in cpu.items()),
        f"grants that ended without a cause: {len(uncalled(soak))}",
        f"{len(soak.faults)} faults, {len(struck(soak))} of them within a grant; most seconds to safe, to recovery:",
        *of_kinds(soak),
    ]


def latency(decisions: Sequence[Record]) -> str:
    """From when a frame was taken to when its decision was told; faults do not rest on their frames."""
    times = [each["told"] - each["taken"] for each in decisions if each["taken"] is not None]
    judged = [
        each["told"] - each["taken"] for each in decisions if each["taken"] is not None and each["state"] != "FAULT"
    ]
    if not judged:
        return f"no frame of {len(times)} was judged"
    p50, p99, most = (1000 * np.percentile(judged, part) for part in (50, 99, 100))
    return f"frame to decision: p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms"


def longest_gap(soak: Soak) -> float:
    """Seconds; how late the injector was itself, as the daemon may have been for the same reason."""
    times = [frame["frame"] for frame in soak.frames if frame["healthy"]]
    gaps = sorted(((other - one, one) for one, other in pairwise(times)), reverse=True)
    broken = [(fault.begin - TOLERANCE, fault.end) for fault in soak.faults]
    return next((gap for gap, one in gaps if not any(begin <= one <= end for begin, end in broken)), 0.0)


def of_kinds(soak: Soak) -> list[str]:
    table = []
    for kind in sorted({fault.kind for fault in soak.faults}):
        mine = [fault for fault in soak.faults if fault.kind == kind]
        safe = [
            seconds for fault in mine if fault.effect == "safe" and (seconds := until_safe(soak, fault)) is not None
        ]
        worst = f"{max(safe):.2f}" if safe else "-"
        table.append(f"  {kind:<20}{len(mine):4}  {worst:>5}  {max(recovery(soak, fault) for fault in mine):5.2f}")
    return table


def until_safe(soak: Soak, fault: Fault) -> float | None:
    """Seconds from a fault's begin to the end of the grant that stood then; None if none did, or it outlasted it."""
    ends = [grant.end for grant in soak.grants if grant.begin <= fault.begin <= grant.end <= fault.end + TOLERANCE]
    return ends[0] - fault.begin if ends else None


# --- all of it


def verify(file: Path) -> list[Finding]:
    """What `maskgate log verify` finds."""
    command = [sys.executable, "-m", "edge", "log", "verify", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


def check(folder: Path, verify: Callable[[Path], list[Finding]] = verify) -> tuple[list[Finding], list[str]]:
    """What is wrong, a line each, and what was measured."""
    if found := verify(folder / "events.jsonl"):
        return found, []
    soak = read(folder)
    if found := empty(soak):
        return found, []
    grown, sizes = growth(soak)
    findings = [*unsupported(soak), *unsafe(soak), *unrecovered(soak), *disturbed(soak), *unlogged(soak), *grown]
    if not soak.ends_safe:
        findings.append("the run ended with its lines not safe")
    return findings, [*facts(soak), *sizes]
