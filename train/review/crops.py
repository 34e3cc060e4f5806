"""A pulled face as a file: a PNG that carries its own note, so that one rename moves both."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from edge.errors import InputError
from edge.review import Kept

NOTE = "maskgate"
LONGEST_SIDE = 1024
"""Pixels; no device keeps more of a face."""
TOGETHER_SECONDS = 600
"""Faces of one door within this time may be the same person's, and never straddle a split."""


class Note(msgspec.Struct, frozen=True):
    """What is known of a face besides its pixels; see `edge.review.Kept`. source: the device's name."""

    source: str
    box: tuple[float, float, float, float]
    label: str
    score: float
    contested: bool
    at: float

    @property
    def group(self) -> str:
        """Of faces that may be the same person's."""
        return f"{self.source} {int(self.at // TOGETHER_SECONDS)}"


def write_crop(file: Path, kept: Kept, source: str) -> None:
    """A PNG with its note, there whole or not at all. Raises InputError when what was kept is no picture of a face."""
    note = Note(source, kept.box, kept.label, kept.score, kept.contested, kept.at)
    text = PngInfo()
    text.add_itxt(NOTE, msgspec.json.encode(note).decode())
    part = file.with_name(f".{file.name}.part")
    try:
        with _decoded(kept.picture) as image:
            image.save(part, format="PNG", pnginfo=text)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def read_note(file: Path) -> Note | None:
    """The note of a PNG; None for a picture without one."""
    try:
        with Image.open(file, formats=["PNG"]) as image:
            return msgspec.json.decode(str(image.info.get(NOTE, "")).encode(), type=Note)
    except (OSError, ValueError, SyntaxError):  # Pillow raises SyntaxError for a torn PNG
        return None


def _decoded(picture: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(picture), formats=["PNG"])
        if max(image.size) > LONGEST_SIDE:
            raise InputError(f"a picture of {image.size[0]}x{image.size[1]} pixels, which no device keeps")
        return image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"no picture of a face ({error})") from error
