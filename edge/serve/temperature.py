"""How hot the board is, as the kernel tells."""

from __future__ import annotations

from pathlib import Path

ZONES = Path("/sys/class/thermal")


def hottest(zones: Path = ZONES) -> float | None:
    """Degrees Celsius of the hottest of the kernel's thermal zones; None where there is no sensor."""
    texts = [text for file in zones.glob("*/temp") if (text := _text(file)).lstrip("-").isdecimal()]
    return max((int(text) / 1000 for text in texts), default=None)


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):  # a sensor may be off
        return ""
