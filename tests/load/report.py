"""What was measured, in words, and what of it misses its target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.load.usage import Memory

LEAST_RATE, MOST_MEMORY = 0.9, 40e6
"""The targets: the part of the frame rate that must be left, and bytes that everything may need beside the daemon."""
MB = 1e6
Frames = np.ndarray[Any, np.dtype[np.void]]
"""`subject.RECORD`s."""
Memories = Mapping[str, Memory]
"""Of the programs of a device by their names, and of "all" of them together."""


class Turn(NamedTuple):
    """frames: those of the turn. seconds: its length. processor: seconds that all processes of the device used.

    memories: of its programs at the end.
    """

    frames: Frames
    seconds: float
    processor: float
    memories: Memories

    @property
    def rate(self) -> float:
        return len(self.frames) / self.seconds


class Attack(NamedTuple):
    """requests, pictures: how many answers came of each status, 0 for a closed connection. seconds: its length."""

    requests: Mapping[int, int]
    pictures: Mapping[int, int]
    seconds: float


def lateness(frames: Frames) -> str:
    """How long frames took, but for those of a fault, which rests on none."""
    good = frames[frames["good"]]
    if not len(good):
        return "no frame was judged"
    late = (good["told"] - good["taken"]) * 1000
    middle, most, all_of_it = np.percentile(late, (50, 99, 100))
    faults = len(frames) - len(good)
    return (
        f"{len(frames):5} frames, decided {middle:5.1f} ms after they were taken (p50), {most:5.1f} ms (p99), "
        f"{all_of_it:5.1f} ms (slowest); {faults} fault(s)"
    )


def tell_turns(name: str, turns: Sequence[Turn]) -> str:
    frames = np.concatenate([turn.frames for turn in turns])
    rate = np.median([turn.rate for turn in turns])
    used = sum(turn.processor for turn in turns) / max(1, len(frames)) * 1000
    return f"{name:16} {rate:6.1f} frames/s, {used:5.2f} ms of processor time a frame\n{'':16} {lateness(frames)}"


def tell_memory(memories: Memories) -> str:
    lines = (
        f"{name:16} {each.own / MB:6.1f} {each.pss / MB:6.1f} {each.rss / MB:6.1f}" for name, each in memories.items()
    )
    return "\n".join(lines)


def usual(turns: Sequence[Turn]) -> Memories:
    """The median of each, as what a frame needs comes and goes."""
    return {
        name: Memory(*(int(size) for size in np.median([turn.memories[name] for turn in turns], axis=0)))
        for name in turns[0].memories
    }


def left_of_the_rate(pairs: Sequence[tuple[Turn, Turn]]) -> tuple[float, float, float]:
    """The median, and its range at 95 %: of the frame rate with everything over that alone, turn by turn."""
    ratios = np.array([everything.rate / max(alone.rate, 1e-9) for alone, everything in pairs])
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(np.median(ratios)), float(low), float(high)


def judge_cost(pairs: Sequence[tuple[Turn, Turn]]) -> list[str]:
    """pairs: a turn of the daemon alone, and one with everything. Prints; returns the findings."""
    before, after = zip(*pairs, strict=True)
    left, low, high = left_of_the_rate(pairs)
    more = Memory(*(now - then for now, then in zip(usual(after)["all"], usual(before)["all"], strict=True)))
    print(tell_turns("alone", before))
    print(tell_turns("everything on", after))
    print(f"{left:.1%} of the frame rate are left ({low:.0%} to {high:.0%}, 95 % of {len(pairs)} pairs)")
    print(f"{'memory, MB':19} own    PSS    RSS")
    print(tell_memory({"alone": usual(before)["all"]} | usual(after) | {"more": more}), flush=True)
    findings = [f"{left:.1%} of the frame rate are left; {LEAST_RATE:.0%} is the least"] if left < LEAST_RATE else []
    if more.own > MOST_MEMORY:
        findings.append(f"everything needs {more.own / MB:.1f} MB more; {MOST_MEMORY / MB:.0f} MB is the most")
    return findings


def judge_attack(quiet: Frames, attacked: Frames, attack: Attack, public: float) -> list[str]:
    """public: how many of the requests may succeed. Prints; returns the findings."""
    print(f"{'in quiet':16} {lateness(quiet)}")
    print(f"{'under attack':16} {lateness(attacked)}")
    total = sum(attack.requests.values())
    print(f"{total} requests in {attack.seconds:.1f} s, answered {told(attack.requests)}")
    print(f"{sum(attack.pictures.values())} pictures meanwhile, answered {told(attack.pictures)}", flush=True)
    findings = []
    if (~attacked["good"]).mean() > (~quiet["good"]).mean():
        findings.append(f"{(~attacked['good']).sum()} of {len(attacked)} frames were faults under attack")
    if (passed := sum(count for status, count in attack.requests.items() if 200 <= status < 400)) > public:
        findings.append(f"{passed} of the attack's requests succeeded; {public:.0f} of them may")
    return findings


def told(answers: Mapping[int, int]) -> str:
    return ", ".join(f"{status or 'not at all'}: {count}" for status, count in sorted(Counter(answers).items()))
