"""What the audit finds in pictures that are broken, mislabelled or nearly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from edge.values import Box
from train.audit import Audit, Look, audit, look, near_pairs, unite
from train.datasets import LabelledBox, Picture, read_pictures


def picture(seed: int, width: int = 64, height: int = 64) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def read_and_audit(data: Path) -> Audit:
    pictures = read_pictures(data)
    return audit(pictures, [each.path.relative_to(data).as_posix() for each in pictures])


def at(path: Path, label: str | None = None, *boxes: LabelledBox) -> Picture:
    return Picture(path, "faces" if label else "scenes", "here", path.name, label, boxes)


def names(audited: Audit) -> list[str]:
    return [each.path.name for each in audited.pictures]


def test_pictures_that_are_sound_are_all_kept(tmp_path: Path) -> None:
    for seed in range(6):
        save(picture(seed), tmp_path / ("with_mask", "without_mask")[seed % 2] / f"{seed}.jpg")
    audited = read_and_audit(tmp_path)
    assert audited.left_out == []
    assert len({each.group for each in audited.pictures}) == 6


def test_cut_off_empty_and_missing_files_are_left_out_with_the_reason(tmp_path: Path) -> None:
    whole = save(picture(0, 400, 400), tmp_path / "with_mask" / "whole.jpg").read_bytes()
    (tmp_path / "with_mask" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "with_mask" / "end.jpg").write_bytes(whole[:-2])
    (tmp_path / "with_mask" / "empty.jpg").write_bytes(b"")
    (tmp_path / "with_mask" / "page.jpg").write_text("<html>not found</html>")
    (tmp_path / "boxes.csv").write_text("image,label,x_min,y_min,x_max,y_max\nwith_mask/gone.jpg,with_mask,0,0,9,9\n")
    audited = read_and_audit(tmp_path)
    assert names(audited) == ["whole.jpg"]
    left_out = dict(audited.left_out)
    assert [*left_out] == [f"with_mask/{name}.jpg" for name in ("cut", "empty", "end", "gone", "page")]
    assert left_out["with_mask/cut.jpg"] == "unreadable: the picture is cut off"
    assert left_out["with_mask/empty.jpg"] == "unreadable: no picture, or an empty file"
    assert left_out["with_mask/end.jpg"] == "unreadable: the picture is cut off"
    assert left_out["with_mask/gone.jpg"] == "no such file"
    assert str(tmp_path) not in str(left_out)


def test_a_picture_under_32_pixels_is_left_out_as_tiny(tmp_path: Path) -> None:
    save(picture(0, 31, 90), tmp_path / "with_mask" / "tiny.jpg")
    save(picture(1, 32, 90), tmp_path / "with_mask" / "enough.jpg")
    audited = read_and_audit(tmp_path)
    assert names(audited) == ["enough.jpg"]
    assert audited.left_out == [("with_mask/tiny.jpg", "tiny: 31x90, wanted is 32 pixels a side")]


@pytest.mark.parametrize("change", ["same", "smaller", "darker", "compressed", "mirrored"])
def test_a_changed_copy_joins_the_group_of_its_original(tmp_path: Path, change: str) -> None:
    original = picture(3, 120, 120)
    save(original, tmp_path / "with_mask" / "a.png")
    changed = {
        "same": original,
        "smaller": original.resize((50, 60)),
        "darker": original.point(lambda grey: grey * 0.7),
        "compressed": original,
        "mirrored": ImageOps.mirror(original),
    }[change]
    save(changed, tmp_path / "with_mask" / "b.jpg", quality=30 if change == "compressed" else 90)
    save(picture(4), tmp_path / "with_mask" / "c.jpg")
    groups = [each.group for each in read_and_audit(tmp_path).pictures]
    assert groups == ["with_mask/a.png", "with_mask/a.png", "with_mask/c.jpg"]


def test_flat_pictures_have_no_hash_and_join_nothing(tmp_path: Path) -> None:
    for name, grey in (("a", 90), ("b", 91)):
        save(Image.new("RGB", (64, 64), (grey, grey, grey)), tmp_path / "negatives" / f"{name}.png")
    groups = [each.group for each in read_and_audit(tmp_path).pictures]
    assert groups == ["negatives/a.png", "negatives/b.png"]


def test_near_duplicates_in_folders_of_different_labels_are_both_left_out(tmp_path: Path) -> None:
    save(picture(5), tmp_path / "with_mask" / "a.jpg")
    save(ImageOps.mirror(picture(5)), tmp_path / "without_mask" / "b.jpg")
    save(picture(6), tmp_path / "without_mask" / "c.jpg")
    audited = read_and_audit(tmp_path)
    assert names(audited) == ["c.jpg"]
    assert audited.left_out == [
        ("with_mask/a.jpg", "mislabelled? nearly the same as without_mask/b.jpg"),
        ("without_mask/b.jpg", "mislabelled? nearly the same as with_mask/a.jpg"),
    ]


def test_a_group_of_the_data_may_hold_two_labels(tmp_path: Path) -> None:
    save(picture(1), tmp_path / "with_mask" / "a.jpg")
    save(picture(2), tmp_path / "without_mask" / "b.jpg")
    (tmp_path / "images.csv").write_text("image,group\nwith_mask/a.jpg,7\nwithout_mask/b.jpg,7\n")
    audited = read_and_audit(tmp_path)
    assert audited.left_out == []
    assert {each.group for each in audited.pictures} == {"with_mask/a.jpg"}


@pytest.mark.parametrize(
    ("folder", "name", "said"),
    [
        ("with_mask", "without-mask 12", "without_mask"),
        ("with_mask", "no_mask_3", "without_mask"),
        ("without_mask", "0-with-mask", "with_mask"),
        ("with_mask", "incorrect_with_mask", "incorrect"),
        ("with_mask", "with_mask_1", None),
        ("without_mask", "without_mask_1", None),
        ("covered", "without_mask_1", None),
        ("without_mask", "masked_ball", None),
    ],
)
def test_a_name_that_names_another_label_than_its_folder_is_reported(
    tmp_path: Path, folder: str, name: str, said: str | None
) -> None:
    save(picture(0), tmp_path / folder / f"{name}.jpg")
    audited = read_and_audit(tmp_path)
    expected = [[f"{folder}/{name}.jpg", f"in {folder}/, but its name or box says {said}"]] if said else []
    assert audited.report["named_otherwise"] == expected
    assert len(audited.pictures) == 1


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (Box(10, 10, 10, 20), "box 10,10,10,20 of face has no size"),
        (Box(30, 10, 20, 20), "box 30,10,20,20 of face has no size"),
        (Box(64, 0, 90, 20), "box 64,0,90,20 of face lies outside the picture of 64x64"),
        (Box(-9, 0, 0, 20), "box -9,0,0,20 of face lies outside the picture of 64x64"),
        (Box(-9, 0, 30, 20), None),
        (Box(0, 0, 64, 64), None),
    ],
)
def test_a_picture_whose_boxes_cannot_be_its_own_is_left_out(tmp_path: Path, box: Box, reason: str | None) -> None:
    pictures = [at(save(picture(0), tmp_path / "a.jpg"), None, LabelledBox("face", box))]
    audited = audit(pictures, ["a.jpg"])
    assert audited.left_out == ([("a.jpg", reason)] if reason else [])


def test_small_faces_and_boxes_beyond_the_border_are_counted(tmp_path: Path) -> None:
    boxes = [Box(0, 0, 11, 30), Box(0, 0, 12, 30), Box(-8, 0, 30, 30), Box(0.5, 0, 64.9, 30)]
    labelled = [LabelledBox("face", box) for box in boxes] + [LabelledBox("ignore", Box(0, 0, 4, 4))]
    pictures = [at(save(picture(0), tmp_path / "a.jpg"), None, *labelled), at(save(picture(1), tmp_path / "b.jpg"))]
    counted = audit(pictures, ["a.jpg", "b.jpg"]).report["boxes"]
    assert counted == {"faces": 4, "small_faces": 1, "beyond_the_border": 1, "scenes_without_a_face": 1}


def test_balance_and_dimensions_are_told_by_kind(tmp_path: Path) -> None:
    for seed, (label, width) in enumerate((("with_mask", 40), ("with_mask", 60), ("without_mask", 90))):
        save(picture(seed, width, 50), tmp_path / "crops" / label / f"{seed}.jpg")
    save(picture(9), tmp_path / "negatives" / "a.jpg")
    report = read_and_audit(tmp_path).report
    assert report["balance"] == {
        "crops": {"crops": {"pictures": 3, "with_mask": 2, "without_mask": 1}},
        "negatives": {"negatives": {"no face": 1, "pictures": 1}},
    }
    assert report["dimensions"]["crops"] == {"width": [40, 60, 90], "height": [50, 50, 50]}


def test_the_size_is_the_one_that_the_pictures_turn_gives(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(0, 90, 40).save(tmp_path / "a.jpg", exif=turned)
    seen = look(at(tmp_path / "a.jpg"))
    assert (seen.width, seen.height) == (40, 90)


def test_near_pairs_are_the_same_whatever_the_chunk() -> None:
    hashes = [0b0, 0b1111, 0b11111, 1 << 63, 0xFFFF << 20]
    looks = [Look(64, 64, each, (1 << 50) - 1 - each % 7) for each in hashes]
    looks.insert(2, Look(64, 64))
    expected = [(0, 1), (0, 4), (1, 3)]
    for chunk in (1, 2, 512):
        assert near_pairs(looks, chunk) == expected


def test_chains_and_equal_names_end_in_one_group() -> None:
    groups = unite(["x", "y", "z", "x", "alone"], [(1, 2), (2, 3)], ["d", "c", "b", "a", "e"])
    assert groups == ["a", "a", "a", "a", "e"]
