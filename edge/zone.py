"""Which faces count, where that may be drawn on the status page: the zone of the settings, or the one drawn last."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.disk import replace_file
from edge.polygon import polygon_fault
from edge.settings import Fraction, Point, ZoneSettings


class Drawn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds; as in ZoneSettings."""

    polygon: tuple[Point, ...]
    min_face_height: Fraction


class Zone:
    """The zone in use. file: keeps what was drawn; None when nothing can be. A broken one is told and left alone."""

    def __init__(self, settings: ZoneSettings, file: Path | None = None) -> None:
        self._file = file
        self.now = settings
        if file is not None and file.exists():
            self._read(file)

    @property
    def can_change(self) -> bool:
        return self._file is not None

    def draw(self, polygon: Sequence[Point], min_face_height: float) -> str:
        """Use this zone, and keep it; returns why not, for people, or ""."""
        if self._file is None:
            return "share.zone_file is not set; name a file there"
        if (fault := polygon_fault(polygon)) is not None:
            return f"the zone {fault}"
        drawn = Drawn(tuple(polygon), min_face_height)
        try:
            replace_file(self._file, msgspec.json.encode(drawn))
        except OSError as error:
            return f"{self._file}: the zone cannot be kept ({error.strerror})"
        self._use(drawn)
        return ""

    def _read(self, file: Path) -> None:
        try:
            drawn = msgspec.json.decode(file.read_bytes(), type=Drawn)
            fault = polygon_fault(drawn.polygon)
        except (OSError, ValueError) as error:
            fault = str(error)
        if fault is None:
            self._use(drawn)
        else:
            print(f"maskgate: {file}: {fault}; [zone] of the settings counts. Draw it again", file=sys.stderr)

    def _use(self, drawn: Drawn) -> None:
        self.now = msgspec.structs.replace(self.now, polygon=drawn.polygon, min_face_height=drawn.min_face_height)
