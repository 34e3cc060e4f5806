"""The virtual board: a simulated GPIO chip seen from the side of the lamps, and a simulated camera."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

TRACING = Path("/sys/kernel/tracing")
CAMERA_DRIVER = Path("/sys/bus/platform/drivers/vivid")


class Chip:
    """A chip with the label of a Raspberry Pi's, made where there is none yet; lines: name -> offset."""

    label = "pinctrl-bcm2835"

    def __init__(self, lines: dict[str, int]) -> None:
        simulator = Path("/sys/kernel/config/gpio-sim/header")
        bank = simulator / "bank0"
        if not bank.exists():
            bank.mkdir(parents=True)
            (bank / "num_lines").write_text("54")
            (bank / "label").write_text(self.label)
            (simulator / "live").write_text("1")
        self.lines = lines
        self.name = (bank / "chip_name").read_text().strip()
        device = (simulator / "dev_name").read_text().strip()
        self._folder = Path("/sys/devices/platform", device, self.name)

    def pull(self, level: int) -> None:
        """What the lines' resistors do while nobody drives them."""
        for offset in self.lines.values():
            (self._folder / f"sim_gpio{offset}/pull").write_text("pull-up" if level else "pull-down")

    def levels(self) -> dict[str, int]:
        """What the lamps see."""
        return {name: int((self._folder / f"sim_gpio{k}/value").read_text()) for name, k in self.lines.items()}


class Watch:
    """Records in its `with` block what the lamps see, and what the kernel was told to drive.

    levels: each change, [seconds, {line: level}]. driven: each order, [seconds, line, level], kept by the kernel, so
    that none is too short to be seen.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.levels: list[tuple[float, dict[str, int]]] = []
        self.driven: list[tuple[float, str, int]] = []
        self._ended = threading.Event()
        self._poller = threading.Thread(target=self._poll)

    def __enter__(self) -> Watch:
        (TRACING / "trace_clock").write_text("mono")
        (TRACING / "events/gpio/gpio_value/filter").write_text("get == 0")
        (TRACING / "events/gpio/gpio_value/enable").write_text("1")
        (TRACING / "trace").write_text("")
        self._poller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._poller.join()
        self.driven = orders((TRACING / "trace").read_text(), self._chip.lines)

    def _poll(self) -> None:
        while not self._ended.wait(0.05):
            now, levels = time.monotonic(), self._chip.levels()
            if not self.levels or levels != self.levels[-1][1]:
                self.levels.append((now, levels))


def orders(trace: str, lines: dict[str, int]) -> list[tuple[float, str, int]]:
    """The orders of a kernel trace; it counts lines over all chips, and the lowest that is driven is our lowest."""
    found = re.findall(r" ([\d.]+): gpio_value: (\d+) set (\d)", trace)
    if not found:
        return []
    base = min(int(number) for _, number, _ in found) - min(lines.values())
    names = {base + offset: name for name, offset in lines.items()}
    return [(float(moment), names[int(number)], int(level)) for moment, number, level in found]


def unplug_camera() -> None:
    (CAMERA_DRIVER / "unbind").write_text("vivid.0")


def plug_camera() -> None:
    (CAMERA_DRIVER / "bind").write_text("vivid.0")
