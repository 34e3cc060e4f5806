"""Read picture files, whatever they are, as upright red, green, blue."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import InputError
from edge.quiet import quiet
from edge.values import Rgb

# the user sees our one line, not the library's own
if hasattr(cv2, "setLogLevel"):  # OpenCV 4
    cv2.setLogLevel(0)
else:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

PICTURE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
NO_MARKERS = [bytes([n]) for n in (0x00, *range(0xD0, 0xD8))]
"""After FF within a JPEG scan: a stuffed byte and restarts, which belong to the compressed data."""


def to_rgb(bgr: cv2.typing.MatLike, into: Rgb | None = None) -> Rgb:
    """A picture of OpenCV, uint8 (H, W, 3) in the order blue, green, red, as red, green, blue.

    into: such an array to write it into; None for a new one.
    """
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, into).astype(np.uint8, copy=False)


def pictures_of(folder: Path) -> list[Path]:
    """The picture files of a folder, by their suffix, sorted by name; folders within it are left out.

    Raises InputError when there are none.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    if not files:
        raise InputError(f"{folder}: no pictures in this folder; it needs files {', '.join(sorted(PICTURE_SUFFIXES))}")
    return files


def read_picture(path: Path) -> Rgb:
    """A picture file as uint8 (H, W, 3), upright as its EXIF data say; grey and 16-bit ones too, without transparency.

    Raises InputError when it cannot be read, is no picture or is cut off.
    """
    check_readable(path)
    data = path.read_bytes()
    if is_cut_off(data):
        raise InputError(f"{path}: the picture is cut off; copy it again")
    try:
        with quiet():
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"{path}: the picture cannot be decoded ({error.err})") from error
    if bgr is None:
        raise InputError(f"{path}: not a picture, or a damaged one; give a JPEG, PNG, BMP, WebP or TIFF file")
    return to_rgb(bgr)


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG file lacks its end, which not every version of OpenCV minds."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND\xaeB`\x82" not in data
    return data.startswith(b"\xff\xd8\xff") and not _jpeg_ends(data)


def _jpeg_ends(data: bytes) -> bool:
    """Whether the main picture of a JPEG file reaches its end marker; thumbnails and trailers may hold others."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xD9:
            return marker == 0xD9
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xDA:
            at = _scan_end(data, at)
    return data[at : at + 2] == b"\xff\xd9"


def _scan_end(data: bytes, at: int) -> int:
    """Where the next marker after a scan's compressed data stands."""
    while (at := data.find(b"\xff", at)) >= 0:
        if data[at + 1 : at + 2] not in NO_MARKERS:
            return at
        at += 2
    return len(data)


def check_readable(path: Path) -> None:
    """Raises InputError when a file cannot be opened or is empty."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"{path}: the file is empty")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
