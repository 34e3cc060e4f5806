"""Where the photos for training are, and what is known of each.

`DATA` is one data set, or a folder that holds `faces/`, `crops/`, `scenes/` and `negatives/`, any of them:

    folder data set    with_mask/, without_mask/, optionally incorrect/ and covered/; boxes.csv may add the face's box
    box data set       images/ with boxes.csv, annotations/*.xml (Pascal VOC) or labels/*.txt (YOLO); see readers.py
    negatives          pictures without a face

`images.csv` (image,source,group) may say where a picture comes from and which pictures are nearly the same. A folder
called `benchmark` is never read.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import InputError
from edge.values import INCORRECT, WITH_MASK, WITHOUT_MASK
from train.readers import COVERED, Boxes, LabelledBox, picture_files, picture_folders, read_boxes, read_sources

FACES, CROPS, SCENES, NEGATIVES = KINDS = ("faces", "crops", "scenes", "negatives")
FOLDER_LABELS = (WITH_MASK, WITHOUT_MASK, INCORRECT, COVERED)

KAGGLE_SET = "omkargurav/face-mask-dataset"
CHOICES = (
    "DATA=DIR (a folder with with_mask/ and without_mask/, a box data set, or faces/, crops/, scenes/, negatives/), "
    "DATA=kaggle, or a folder data/ here"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to train on.

    kind: faces (one labelled face in it), crops (a face cut out tightly, no box), scenes (every face has a box),
        negatives (no face).
    source: where it comes from, as images.csv says; else the kind.
    group: pictures that are nearly the same share it, and never straddle a split.
    label: the folder's label for faces and crops, else None.
    boxes: in pixels of the stored picture.
    """

    path: Path
    kind: str
    source: str
    group: str
    label: str | None
    boxes: tuple[LabelledBox, ...]


def find_data(data: str | None) -> Path:
    """The folder that DATA means: a folder as it is, `kaggle` downloaded into data/, nothing = data/ if it is there."""
    if data == "kaggle":
        return download(Path("data") / KAGGLE_SET.split("/")[1])
    folder = Path(data or "data")
    if folder.is_dir():
        return folder
    if data:
        raise InputError(f"DATA={data}: no such folder; the choices are {CHOICES}")
    raise InputError(f"no photos to train on; the choices are {CHOICES}")


def read_pictures(data: Path) -> list[Picture]:
    """Every picture of the data, in the order of its path; InputError says what is wrong with the folder."""
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; the choices are {CHOICES}")
    refuse_benchmark(data)
    pictures = list(_read_any(data, data))
    if not pictures:
        raise InputError(f"{data}: holds no pictures")
    return sorted(pictures, key=lambda picture: picture.path.relative_to(data).as_posix())


def refuse_benchmark(folder: Path) -> None:
    """InputError if a folder is the benchmark or lies right in it, links followed: what measures must not train."""
    if "benchmark" in folder.resolve().parts[-2:]:
        raise InputError(f"{folder}: the benchmark is for measuring and is never trained on")


def _read_any(folder: Path, data: Path) -> Iterator[Picture]:
    kinds = [kind for kind in KINDS if (folder / kind).is_dir()]
    if not kinds:
        yield from _read_one(folder, data)
    elif _labels_in(folder):
        raise InputError(f"{folder}: holds {kinds[0]}/ and {_labels_in(folder)[0]}/; move the latter into faces/")
    for kind in kinds:
        refuse_benchmark(folder / kind)
        yield from _read_kind(folder / kind, kind, data)


def _read_one(folder: Path, data: Path) -> Iterator[Picture]:
    """A data set of whatever form; unpacked archives often hold it in a lone folder, which is looked into."""
    if _labels_in(folder):
        return _folder_set(folder, FACES, data)
    if (boxes := read_boxes(folder)) is not None:
        return _box_set(folder, boxes, data)
    inner = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
    if len(inner) == 1 and inner[0].name not in ("benchmark", "images"):
        return _read_any(inner[0], data)
    raise InputError(f"{folder}: is no data set; the choices are {CHOICES}")


def _read_kind(folder: Path, kind: str, data: Path) -> Iterator[Picture]:
    if kind == NEGATIVES:
        return _pictures(folder, picture_files(folder), kind, data)
    if kind == SCENES:
        return _scenes(folder, data)
    if not _labels_in(folder):
        raise InputError(f"{folder}: holds none of {', '.join(f'{label}/' for label in FOLDER_LABELS)}")
    return _folder_set(folder, kind, data)


def _scenes(folder: Path, data: Path) -> Iterator[Picture]:
    boxes = read_boxes(folder)
    if boxes is None:
        raise InputError(f"{folder}: no boxes; wanted is boxes.csv, annotations/*.xml or labels/*.txt beside images/")
    return _box_set(folder, boxes, data)


def _labels_in(folder: Path) -> list[str]:
    return [label for label in FOLDER_LABELS if (folder / label).is_dir()]


def _folder_set(folder: Path, kind: str, data: Path) -> Iterator[Picture]:
    boxes, labels = read_boxes(folder) or {}, _labels_in(folder)
    if stray := [name for name in boxes if name.split("/")[0] not in labels]:
        raise InputError(f"{folder}: boxes for {stray[0]}, which lies in none of {', '.join(labels)}")
    for label in labels:
        refuse_benchmark(folder / label)
        named = (folder / name for name in boxes if name.startswith(f"{label}/"))
        files = sorted({*picture_files(folder / label), *named})
        yield from _pictures(folder, files, kind, data, label, boxes)


def _box_set(folder: Path, boxes: Boxes, data: Path) -> Iterator[Picture]:
    """A picture that no box file names holds no face: every face of a box data set has a box."""
    files: set[Path] = {folder / name for name in boxes}
    for place in picture_folders(folder):
        refuse_benchmark(place)
        files.update(picture_files(place))
    yield from _pictures(folder, sorted(files), SCENES, data, None, boxes)


def _pictures(
    folder: Path,
    files: Iterable[Path],
    kind: str,
    data: Path,
    label: str | None = None,
    boxes: Boxes | None = None,
) -> Iterator[Picture]:
    sources = read_sources(folder)
    for path in files:
        name = path.relative_to(folder).as_posix()
        source, group = sources.get(name, (None, None))
        alone = path.relative_to(data).as_posix()
        yield Picture(path, kind, source or kind, group or alone, label, (boxes or {}).get(name, ()))


def kaggle_client() -> Any:
    """Kaggle's client, logged in. It prints a page and exits where it finds no credentials, some versions on import."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            from kaggle.api.kaggle_api_extended import KaggleApi

            client = KaggleApi()
            client.authenticate()
    except ImportError as error:
        raise InputError("DATA=kaggle needs Kaggle's client: pip install '.[train]'") from error
    except (SystemExit, ValueError) as error:
        raise InputError(_CREDENTIALS) from error
    except Exception as error:
        raise InputError(_CREDENTIALS) if "kaggle.json" in str(error) else _no_download(error) from error
    return client


def download(target: Path, connect: Callable[[], Any] = kaggle_client) -> Path:
    """Fetch the Kaggle set with Kaggle's own client, unless `target` is there already; InputError if it cannot."""
    if target.is_dir():
        return target
    client = connect()
    arriving = target.with_name(f".{target.name}.part")
    arriving.mkdir(parents=True, exist_ok=True)
    print(f"downloading {KAGGLE_SET} into {target}", flush=True)
    try:
        client.dataset_download_files(KAGGLE_SET, path=str(arriving), quiet=False, unzip=True)
    except Exception as error:  # the client lets through what its HTTP library raises, whichever that is
        raise _no_download(error) from error
    arriving.rename(target)
    return target


_CREDENTIALS = (
    "DATA=kaggle: no Kaggle credentials; on kaggle.com, Settings, API, make a token and save it as "
    "~/.kaggle/access_token or set KAGGLE_API_TOKEN, or use a legacy key: ~/.kaggle/kaggle.json, or KAGGLE_USERNAME "
    "and KAGGLE_KEY"
)


def _no_download(error: Exception) -> InputError:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"DATA=kaggle: {KAGGLE_SET} cannot be downloaded; check the network and the credentials, or download it by "
        f"hand and give DATA=DIR ({first_line})"
    )
