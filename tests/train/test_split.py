"""How the photos are split: no group straddles, the same seed gives the same parts, and a second call is free."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import train.split
from edge.errors import InputError
from train.datasets import Picture
from train.split import Split, prepare, split_groups

LABELS = ("with_mask", "without_mask")


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(blocks).resize((40, 40), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed in range(40):
        draw(tmp_path / "data" / LABELS[seed % 2] / f"{seed}.png", seed)
    return tmp_path / "data"


def many(count: int, group_of: dict[int, int] | None = None) -> tuple[list[Picture], list[str]]:
    names = [f"{place:04}.jpg" for place in range(count)]
    groups = [str((group_of or {}).get(place, place)) for place in range(count)]
    pictures = [
        Picture(Path(name), "faces", "ab"[place % 2], group, LABELS[place // 2 % 2], ())
        for place, (name, group) in enumerate(zip(names, groups, strict=True))
    ]
    return pictures, names


def parts_of(split: Split) -> dict[str, str]:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {each.path.name: part for part, pictures in parts.items() for each in pictures}


def test_the_parts_hold_70_15_and_15_per_cent_of_every_source_and_label() -> None:
    pictures, names = many(400)
    parts = split_groups(pictures, names, seed=0)
    counts = Counter((each.source, each.label, part) for each, part in zip(pictures, parts, strict=True))
    for source in "ab":
        for label in LABELS:
            assert [counts[source, label, part] for part in ("train", "validation", "test")] == [70, 15, 15]


@given(st.dictionaries(st.integers(0, 59), st.integers(0, 9)), st.integers(0, 5))
def test_no_group_straddles_two_parts(group_of: dict[int, int], seed: int) -> None:
    pictures, names = many(60, group_of)
    part_of: dict[str, set[str]] = {}
    for picture, part in zip(pictures, split_groups(pictures, names, seed), strict=True):
        part_of.setdefault(picture.group, set()).add(part)
    assert all(len(parts) == 1 for parts in part_of.values())


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_the_files() -> None:
    pictures, names = many(200)
    parts = dict(zip(names, split_groups(pictures, names, seed=1), strict=True))
    backwards = dict(zip(names[::-1], split_groups(pictures[::-1], names[::-1], seed=1), strict=True))
    assert backwards == parts
    assert dict(zip(names, split_groups(pictures, names, seed=2), strict=True)) != parts


def test_prepare_writes_the_split_and_the_audit(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "with_mask" / "broken.jpg").write_bytes(b"no picture")
    split = prepare(data, tmp_path / "out")
    assert [len(split.train), len(split.validation), len(split.test)] == [28, 6, 6]
    with (tmp_path / "out" / "split.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert list(rows[0]) == ["path", "kind", "source", "group", "label", "part"]
    assert {Path(row["path"]).name: row["part"] for row in rows} == parts_of(split)
    report = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert report["fingerprint"] == split.fingerprint
    assert [name for name, _ in report["left_out"]] == ["with_mask/broken.jpg"]
    assert "with_mask/broken.jpg" in (tmp_path / "out" / "audit.md").read_text()
    assert "40 pictures in 40 groups: train 28, validation 6, test 6" in capsys.readouterr().out


def test_a_second_call_takes_the_split_from_disk(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(data, tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(train.split, "audit", None)
        assert prepare(data, tmp_path / "out") == first
    elsewhere = data.rename(tmp_path / "moved")
    again = prepare(elsewhere, tmp_path / "out2")
    assert (again.fingerprint, parts_of(again)) == (first.fingerprint, parts_of(first))


def test_changed_data_another_seed_or_a_damaged_file_make_the_split_anew(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = prepare(data, out)
    assert parts_of(prepare(data, out, seed=1)) != parts_of(first)
    draw(data / "with_mask" / "more.png", 99)
    grown = prepare(data, out)
    assert grown.fingerprint != first.fingerprint
    assert "more.png" in parts_of(grown)
    (out / "split.csv").write_text("path,kind\n")
    assert prepare(data, out) == grown
    os.truncate(out / "audit.json", 50)
    assert prepare(data, out) == grown


def test_near_duplicates_end_in_one_part(data: Path, tmp_path: Path) -> None:
    for seed in range(0, 40, 2):
        draw(data / "with_mask" / f"copy_{seed}.jpg", seed)
    parts = parts_of(prepare(data, tmp_path / "out"))
    assert all(parts[f"{seed}.png"] == parts[f"copy_{seed}.jpg"] for seed in range(0, 40, 2))


def test_data_of_which_nothing_can_be_used_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    (tmp_path / "with_mask" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(
        InputError, match=r"none of the 1 pictures can be used; the first: with_mask/a\.jpg: unreadable"
    ):
        prepare(tmp_path, tmp_path / "out")
