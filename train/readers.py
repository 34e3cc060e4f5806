"""Box files of three kinds, read into one form: CSV, Pascal VOC XML, YOLO txt.

A box data set is a folder with pictures in `images/` and one of
    boxes.csv            image,label,x_min,y_min,x_max,y_max in pixels
    annotations/*.xml    Pascal VOC, pixels
    labels/*.txt         YOLO: class number, centre x, centre y, width, height in fractions of the picture; the class
                         names in classes.txt, obj.names or data.yaml; also split up as train/labels, train/images
"""

from __future__ import annotations

import ast
import csv
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from edge.errors import InputError
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK, Box

COVERED, FACE, IGNORE = "covered", "face", "ignore"

CLASS_NAMES = {
    WITH_MASK: "with_mask withmask mask masked masked_face face_mask face_with_mask wearing_mask mask_on correct_mask "
    "mask_correct mask_worn_correctly mask_weared_correct mask_weared_correctly",
    WITHOUT_MASK: "without_mask withoutmask no_mask nomask unmasked unmasked_face face_no_mask face_nomask "
    "face_without_mask not_wearing_mask mask_off bare bare_face",
    INCORRECT: "incorrect incorrect_mask mask_incorrect with_incorrect_mask mask_weared_incorrect "
    "mask_weared_incorrectly mask_worn_incorrect mask_worn_incorrectly wearing_mask_incorrectly "
    "face_with_mask_incorrect improper_mask wrong_mask",
    COVERED: "covered covered_face face_other_covering other_covering",
    FACE: "face",
    IGNORE: "ignore",
}
"""What other data sets call our labels; capitals, spaces and hyphens do not matter. `face` is a face whose state nobody
told; a data set that means a bare face by it has to say so in its class file."""

_LABEL_OF = {name: label for label, names in CLASS_NAMES.items() for name in names.split()}

NOT_PICTURES = frozenset(".csv .txt .xml .json .yaml .yml .names .data .md .html .pdf .zip .db .ini .py".split())


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A face in a picture.

    label: with_mask, without_mask, incorrect, covered, face (state unknown: for the locator only) or ignore (neither
    face nor background).
    box: pixels of the stored picture.
    """

    label: str
    box: Box


Boxes = dict[str, tuple[LabelledBox, ...]]
"""The boxes of each picture by its path, relative to the data set's folder."""


def read_boxes(folder: Path) -> Boxes | None:
    """The boxes of a data set, or None where it has none; InputError for a file that cannot be understood.

    Pictures that a box file names are among the keys even where they are missing on disk.
    """
    if (folder / "boxes.csv").is_file():
        return _read_csv(folder)
    if annotations := next(folder.glob("[Aa]nnotations/"), None):
        return _read_voc(folder, annotations)
    if labels := [each for each in (folder / "labels", *folder.glob("*/labels/")) if _yolo_folder(each)]:
        return _read_yolo(folder, sorted(labels))
    return None


def picture_folders(folder: Path) -> list[Path]:
    """Where a box data set keeps its pictures: images/, JPEGImages/, train/images/ and the like, or the folder."""
    beside = [each / "images" for each in folder.glob("*/") if _yolo_folder(each / "labels")]
    inside = [each for each in (folder / "images", folder / "JPEGImages") if each.is_dir()]
    return inside or sorted(each for each in beside if each.is_dir()) or [folder]


def _yolo_folder(labels: Path) -> bool:
    return labels.is_dir() and labels.parent.name != "benchmark"


def read_sources(folder: Path) -> dict[str, tuple[str | None, str | None]]:
    """Source and near-duplicate group of each picture that `images.csv` names, by path; empty without that file."""
    table = folder / "images.csv"
    if not table.is_file():
        return {}
    return {
        _name(folder, row): (row.get("source") or None, row.get("group") or None) for _, row in _rows(table, ["image"])
    }


def _name(folder: Path, row: dict[str, str]) -> str:
    """The path that a row's image column means: in `images/` if the data set has it, else in its folder."""
    name = row["image"]
    return f"images/{name}" if (folder / "images").is_dir() and not name.startswith("images/") else name


def picture_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder that could be a picture (decoding finds out), but for hidden ones and a benchmark."""
    for path in sorted(folder.rglob("*")):
        skipped = any(part.startswith(".") or part == "benchmark" for part in path.relative_to(folder).parts)
        if not skipped and path.suffix.lower() not in NOT_PICTURES and path.is_file():
            yield path


def label_of(name: str, where: str) -> str:
    """Our label for a class name of a data set; InputError, which names it, if it is not in the table."""
    label = _LABEL_OF.get(re.sub(r"[\s_-]+", "_", name.strip().lower()))
    if label is None:
        raise InputError(
            f"{where}: unknown class name {name!r}; rename it to one of {', '.join(CLASS_NAMES)} "
            "(all names that are understood: CLASS_NAMES in train/readers.py)"
        )
    return label


def _read_csv(folder: Path) -> Boxes:
    boxes = []
    for where, row in _rows(folder / "boxes.csv", ["image", "label", *Box._fields]):
        box = Box(*(_number(row[field], f"{where}: {field}") for field in Box._fields))
        boxes.append((_name(folder, row), LabelledBox(label_of(row["label"], where), box)))
    return _by_picture(boxes)


def _rows(table: Path, columns: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a CSV with where it stands; InputError for a missing column or a row that is cut off."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            missing = [column for column in columns if column not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{table}: column {missing[0]!r} is missing; wanted are {','.join(columns)}")
            for row in reader:
                where = f"{table}, line {reader.line_num}"
                if any(row[column] is None for column in columns) or not _inside(row["image"]):
                    raise InputError(f"{where}: wanted are {','.join(columns)}, with a picture inside the data set")
                yield where, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: is no CSV in UTF-8 ({error})") from error


def _inside(name: str) -> bool:
    return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts


def _read_voc(folder: Path, annotations: Path) -> Boxes:
    files = sorted(annotations.glob("*.xml"))
    if not files:
        raise InputError(f"{annotations}: holds no .xml file")
    images = next((each for each in ("images", "JPEGImages") if (folder / each).is_dir()), "images")
    pictures = {path.stem: path.relative_to(folder).as_posix() for path in picture_files(folder / images)}
    boxes: Boxes = {}
    for file in files:
        tree = _xml(file)
        # some tools write a path of the machine that they ran on; only its last part means anything here
        name = re.split(r"[/\\]", tree.findtext("filename") or "")[-1] or f"{file.stem}.jpg"
        found = tuple(_voc_object(each, file) for each in tree.iter("object"))
        boxes[pictures.get(file.stem) or pictures.get(Path(name).stem) or f"{images}/{name}"] = found
    return boxes


def _xml(file: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        raise InputError(f"{file}: is no complete XML ({error})") from error


def _voc_object(element: ElementTree.Element, file: Path) -> LabelledBox:
    label = label_of(element.findtext("name") or "", str(file))
    sides = "xmin", "ymin", "xmax", "ymax"
    return LabelledBox(label, Box(*(_number(element.findtext(f"bndbox/{side}"), f"{file}: {side}") for side in sides)))


def _read_yolo(folder: Path, labels: list[Path]) -> Boxes:
    names = _class_names(folder, labels)
    boxes: Boxes = {}
    for place in labels:
        images = place.parent / "images"
        pictures = {path.relative_to(images).with_suffix(""): path for path in picture_files(images)}
        for file in sorted(each for each in place.rglob("*.txt") if each.name != "classes.txt"):
            stem = file.relative_to(place).with_suffix("")
            picture = pictures.get(stem, images / stem.with_suffix(".jpg"))
            boxes[picture.relative_to(folder).as_posix()] = _yolo_boxes(file, names, stored_size(picture))
    return boxes


def _yolo_boxes(file: Path, names: dict[int, str], size: tuple[int, int]) -> tuple[LabelledBox, ...]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    filled = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    return tuple(_yolo_box(fields, names, size, f"{file}, line {number}") for number, fields in filled)


def _yolo_box(fields: list[str], names: dict[int, str], size: tuple[int, int], where: str) -> LabelledBox:
    if len(fields) != 5:
        raise InputError(f"{where}: {len(fields)} values; wanted are class, centre x, centre y, width, height")
    number, x, y, width, height = (_number(field, where) for field in fields)
    if number not in names:
        raise InputError(f"{where}: class {fields[0]} has no name; the class file names {len(names)}, from 0")
    x, width, y, height = x * size[0], width * size[0], y * size[1], height * size[1]
    box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return LabelledBox(label_of(names[int(number)], where), box)


def stored_size(picture: Path) -> tuple[int, int]:
    """Width and height as decoding gives them; (0, 0) for a file that cannot be read: the audit lists it."""
    try:
        with Image.open(picture) as image:
            turned = image.getexif().get(0x0112, 1) >= 5
            return (image.height, image.width) if turned else (image.width, image.height)
    except Exception:  # a broken file makes a decoder raise anything at all
        return 0, 0


def _class_names(folder: Path, labels: list[Path]) -> dict[int, str]:
    places = [folder, *labels]
    for file in (place / name for place in places for name in ("classes.txt", "obj.names", "data.yaml")):
        if file.is_file():
            text = file.read_text(encoding="utf-8-sig", errors="replace")
            names = _yaml_names(text, file) if file.suffix == ".yaml" else dict(enumerate(text.splitlines()))
            return {number: name for number, name in names.items() if name.strip()}
    raise InputError(f"{folder}: no class names; put them, one a line, in {folder / 'classes.txt'}")


def _yaml_names(text: str, file: Path) -> dict[int, str]:
    """`names` of a data.yaml: [a, b], or a list or numbered entries, one a line."""
    if listed := re.search(r"^names:\s*(\[.*?\]|\{.*?\})", text, re.MULTILINE | re.DOTALL):
        quoted = re.sub(r"(?<=[\[{,:\s])([A-Za-z_][\w .-]*?)(?=\s*[,\]}])", r"'\1'", listed[1])
        try:
            names = ast.literal_eval(quoted)
        except (ValueError, SyntaxError) as error:
            raise InputError(f"{file}: the list of names cannot be read; write one a line in classes.txt") from error
        entries = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in entries}
    block = re.search(r"^names:[ \t]*\r?\n((?:[ \t]*(?:-|\d+:).*(?:\r?\n|$))+)", text, re.MULTILINE)
    if not block:
        raise InputError(f"{file}: has no names; write one a line in classes.txt")
    lines = re.findall(r"^[ \t]*(?:-|(\d+):)[ \t]*(.*?)[ \t\r]*$", block[1], re.MULTILINE)
    return {int(number or count): name.strip("'\"") for count, (number, name) in enumerate(lines)}


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {text!r} is no number")
    return value


def _by_picture(boxes: Iterable[tuple[str, LabelledBox]]) -> Boxes:
    collected: dict[str, list[LabelledBox]] = {}
    for picture, box in boxes:
        collected.setdefault(picture, []).append(box)
    return {picture: tuple(each) for picture, each in collected.items()}
