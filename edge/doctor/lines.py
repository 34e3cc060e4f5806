"""The GPIO chip and its lines: there, and free. Nothing is driven: they are only asked about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.doctor.finding import Finding, fail, ok, refused
from edge.doctor.service import Service

if TYPE_CHECKING:
    from edge.settings import InputSettings, LineSettings, OutputSettings

OURS = "maskgate"
"""What the daemon's guard calls itself where it holds a line."""
HOLDERS = {
    "sysfs": "`echo {line} | sudo tee /sys/class/gpio/unexport`",
    "spi": "`sudo raspi-config nonint do_spi 1 && sudo reboot`, if you do not need SPI",
    "onewire": "`sudo raspi-config nonint do_onewire 1 && sudo reboot`, if you do not need 1-wire",
    OURS: "`sudo systemctl stop maskgate`, or end the `maskgate run` of another terminal",
}
"""What frees a line, by how the name of its holder begins."""
OTHER = "end that program (`sudo fuser -v {chip}` names it) or overlay (dtoverlay in config.txt), or use another line"


def lines(settings: OutputSettings, service: Service, gpiod: Any = None, devices: Path = Path("/dev")) -> list[Finding]:
    """Whether the lines of the settings can be had. gpiod: the module, or a stand-in. devices: folder of the chips."""
    if settings.kind == "simulated":
        return [ok("lines", f"simulated, in {settings.file}; set output.kind for real ones")]
    if gpiod is None:
        import gpiod
    from edge.errors import MaskgateError
    from edge.output import find_chip

    try:
        path = find_chip(settings.chip, gpiod, devices)
    except MaskgateError as error:
        return [_no_chip(refused("lines", str(error)))]
    return _check(path, [*settings.lines, *settings.inputs], service, gpiod)


def _no_chip(finding: Finding) -> Finding:
    """The error names the chips that there are; what can be done depends on the machine."""
    if "there are:" in finding.mend:
        choose = "name one of these in output.chip, as `gpiodetect` (package gpiod) shows it, or use a Raspberry Pi"
        return fail("lines", f"{finding.found}; {finding.mend}", choose)
    return finding


def _check(path: Path, wanted: list[LineSettings | InputSettings], service: Service, gpiod: Any) -> list[Finding]:
    with gpiod.Chip(str(path)) as chip:
        about = chip.get_info()
        found = f"{path} ({about.label})"
        beyond = [line for line in wanted if line.line >= about.num_lines]
        if beyond:
            number = f"line {beyond[0].line} is beyond {found}, which has 0 to {about.num_lines - 1}"
            return [fail("lines", number, "give it another line in /etc/maskgate/door.toml")]
        held = {line: chip.get_line_info(line.line) for line in wanted}
    others = [_held(path, line, info.consumer) for line, info in held.items() if _by_another(info, service)]
    if others:
        return others
    numbers = ", ".join(str(line.line) for line in wanted)
    return [ok("lines", f"{found}: {numbers} are {'of the service' if service.active else 'free'}")]


def _by_another(info: Any, service: Service) -> bool:
    return info.used and not (service.active and info.consumer == OURS)


def _held(path: Path, line: LineSettings | InputSettings, holder: str) -> Finding:
    mend = next((mend for start, mend in HOLDERS.items() if holder.startswith(start)), OTHER)
    found = f'line {line.line} ("{_name(line)}") of {path} is held by "{holder}"'
    return fail("lines", found, mend.format(line=line.line, chip=path))


def _name(line: LineSettings | InputSettings) -> str:
    return str(getattr(line, "name", getattr(line, "kind", "")))
