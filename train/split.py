"""Split the photos into training, validation and test part, so that near duplicates never straddle the parts.

`prepare` leaves in its folder: split.csv (path, kind, source, group, label, part), audit.json and audit.md. With the
same data and seed it takes them from there the next time.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.errors import InputError
from train.audit import SMALL_FACE, audit
from train.datasets import Picture, read_pictures

TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
SHARES = {TRAIN: 0.70, VALIDATION: 0.15, TEST: 0.15}
RULES = 1  # counts up when the audit or the split decides differently, so that what lies on disk is made anew
COLUMNS = ("path", "kind", "source", "group", "label", "part")


@dataclass(frozen=True)
class Split:
    """The parts; `fingerprint`: sha256 of what was read, every picture's path, size in bytes, labels, source, group."""

    train: list[Picture]
    validation: list[Picture]
    test: list[Picture]
    fingerprint: str


def prepare(data: Path, out: Path, seed: int = 0) -> Split:
    """Read, audit and split the data, or take the split of the same data and seed from `out`."""
    pictures = read_pictures(data)
    names = [picture.path.relative_to(data).as_posix() for picture in pictures]
    mark = fingerprint(pictures, names)
    parts = _parts_on_disk(out, mark, seed, names)
    if parts is None:
        parts = _audit_and_split(pictures, names, out, mark, seed)
    by_name = dict(zip(names, pictures, strict=True))
    chosen: dict[str, list[Picture]] = {part: [] for part in PARTS}
    for name, (group, part) in sorted(parts.items()):
        chosen[part].append(replace(by_name[name], group=group))
    return Split(chosen[TRAIN], chosen[VALIDATION], chosen[TEST], mark)


def fingerprint(pictures: Sequence[Picture], names: Sequence[str]) -> str:
    """sha256 over the sorted relative paths with size in bytes, label, boxes, source and group of each picture."""
    digest = hashlib.sha256()
    for name, picture in sorted(zip(names, pictures, strict=True), key=lambda pair: pair[0]):
        size = picture.path.stat().st_size if picture.path.is_file() else -1
        boxes = [(each.label, *(f"{side:.2f}" for side in each.box)) for each in picture.boxes]
        digest.update(repr((name, size, picture.label, boxes, picture.source, picture.group)).encode())
    return digest.hexdigest()


def split_groups(pictures: Sequence[Picture], names: Sequence[str], seed: int) -> list[str]:
    """The part of each picture: 70, 15 and 15 % of every kind, source and label, whole groups only."""
    members: dict[str, list[int]] = defaultdict(list)
    for place in sorted(range(len(pictures)), key=lambda place: names[place]):
        members[pictures[place].group].append(place)
    strata: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for group, places in sorted(members.items()):
        strata[_stratum([pictures[place] for place in places])].append(group)
    parts = [""] * len(pictures)
    for stratum, groups in sorted(strata.items()):
        random.Random(f"{seed} {stratum}").shuffle(groups)
        for group, part in _deal(groups, {group: len(members[group]) for group in groups}):
            for place in members[group]:
                parts[place] = part
    return parts


def _stratum(pictures: Iterable[Picture]) -> tuple[str, str, str]:
    """Kind, source and label of most of a group's pictures."""
    counts = Counter((picture.kind, picture.source, picture.label or "") for picture in pictures)
    return min(counts, key=lambda each: (-counts[each], each))


def _deal(groups: Sequence[str], sizes: dict[str, int]) -> Iterable[tuple[str, str]]:
    """Each group, the large ones first, to the part that lacks most."""
    dealt, total = dict.fromkeys(PARTS, 0), 0
    for group in sorted(groups, key=lambda group: -sizes[group]):
        total += sizes[group]
        part = max(PARTS, key=lambda part: SHARES[part] * total - dealt[part])
        dealt[part] += sizes[group]
        yield group, part


def _audit_and_split(
    pictures: Sequence[Picture], names: Sequence[str], out: Path, mark: str, seed: int
) -> dict[str, tuple[str, str]]:
    began = time.monotonic()
    print(f"looking at {len(pictures)} pictures", flush=True)
    audited = audit(pictures, names)
    if not audited.pictures:
        raise InputError(
            f"none of the {len(pictures)} pictures can be used; the first: {': '.join(audited.left_out[0])}"
        )
    left_out = {name for name, _ in audited.left_out}
    kept = [name for name in names if name not in left_out]
    parts = split_groups(audited.pictures, kept, seed)
    report = {"fingerprint": mark, "seed": seed, "rules": RULES} | audited.report
    report["parts"] = _part_sizes(audited.pictures, parts)
    _write(out, audited.pictures, kept, parts, report)
    print(_summary(report, out, time.monotonic() - began))
    return {name: (picture.group, part) for name, picture, part in zip(kept, audited.pictures, parts, strict=True)}


def _part_sizes(pictures: Sequence[Picture], parts: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = Counter((part, picture.kind) for part, picture in zip(parts, pictures, strict=True))
    return {part: {kind: n for (each, kind), n in sorted(counts.items()) if each == part} for part in PARTS}


def _write(
    out: Path, pictures: Sequence[Picture], names: Sequence[str], parts: Sequence[str], report: dict[str, Any]
) -> None:
    """audit.json comes last: where it stands, the others are whole."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "audit.json").unlink(missing_ok=True)
    with (out / "split.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, picture, part in sorted(zip(names, pictures, parts, strict=True), key=lambda row: row[0]):
            writer.writerow([name, picture.kind, picture.source, picture.group, picture.label or "", part])
    (out / "audit.md").write_text(readable(report), encoding="utf-8")
    (out / "audit.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


def _parts_on_disk(out: Path, mark: str, seed: int, names: Sequence[str]) -> dict[str, tuple[str, str]] | None:
    """Group and part of each picture of an earlier split; None if there is none of this data, seed and these rules."""
    try:
        report = json.loads((out / "audit.json").read_text(encoding="utf-8"))
        with (out / "split.csv").open(newline="", encoding="utf-8") as table:
            parts = {row["path"]: (row["group"], row["part"]) for row in csv.DictReader(table)}
        same = (report["fingerprint"], report["seed"], report["rules"]) == (mark, seed, RULES)
        whole = {*parts, *(name for name, _ in report["left_out"])} == {*names}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return parts if same and whole and {part for _, part in parts.values()} <= {*PARTS} else None


def _summary(report: dict[str, Any], out: Path, seconds: float) -> str:
    groups, parts = report["groups"], report["parts"]
    sizes = ", ".join(f"{part} {sum(parts[part].values())}" for part in PARTS)
    return "\n".join(
        [
            f"{report['pictures']} pictures in {groups['groups']} groups: {sizes} ({seconds:.0f} s)",
            f"left out {len(report['left_out'])}, named otherwise than their folder {len(report['named_otherwise'])}, "
            f"largest group {len(groups['largest'])}; see {out / 'audit.md'}",
        ]
    )


def readable(report: dict[str, Any]) -> str:
    """The audit's report as a page of Markdown."""
    groups, boxes = report["groups"], report["boxes"]
    lines = [
        "# What the photos are like",
        "",
        f"{report['pictures']} pictures are used. Fingerprint {report['fingerprint']}, seed {report['seed']}.",
        "",
        f"{groups['groups']} groups of near duplicates; {groups['of_more_than_one']} hold more than one picture, "
        f"together {groups['pictures_in_them']}. The largest has {len(groups['largest'])}: "
        f"{', '.join(groups['largest'][:12])}.",
        "",
        f"{boxes['faces']} faces have a box; {boxes['small_faces']} are smaller than {SMALL_FACE} pixels, "
        f"{boxes['beyond_the_border']} reach beyond the border. {boxes['scenes_without_a_face']} scenes hold no face.",
        *_table("Parts", ["part", "pictures", "of them"], _part_rows(report["parts"])),
        *_table("Balance", ["kind", "source", "pictures, and faces by label"], _balance_rows(report["balance"])),
        *_table("Dimensions, pixels", ["kind", "", "smallest", "median", "largest"], _size_rows(report["dimensions"])),
        *_table(f"Left out: {len(report['left_out'])}", ["file", "why"], report["left_out"]),
        *_table(f"Labels in doubt: {len(report['named_otherwise'])}", ["file", "why"], report["named_otherwise"]),
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    head = ["", f"## {title}", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return head + [f"| {' | '.join(str(value).replace('|', '/') for value in row)} |" for row in rows]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items())


def _part_rows(parts: dict[str, dict[str, int]]) -> list[Sequence[object]]:
    return [(part, sum(kinds.values()), _counts(kinds)) for part, kinds in parts.items()]


def _balance_rows(balance: dict[str, dict[str, dict[str, int]]]) -> list[Sequence[object]]:
    return [(kind, source, _counts(n)) for kind, sources in balance.items() for source, n in sources.items()]


def _size_rows(dimensions: dict[str, dict[str, list[float]]]) -> list[Sequence[object]]:
    return [(kind, side, *values) for kind, sides in dimensions.items() for side, values in sides.items()]
