"""The board: its processor, temperature, power supply and watchdog."""

from __future__ import annotations

from edge.doctor.finding import Finding, fail, ok, warn
from edge.doctor.machine import Machine

HOT, TOO_HOT = 70.0, 80.0
"""Degrees Celsius; a Raspberry Pi slows down from 80 on (a 3B+ from 60 on)."""
THROTTLED = "sys/devices/platform/soc*/*firmware/get_throttled"
UNDER_VOLTAGE = 0
EVENTS = {UNDER_VOLTAGE: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of get_throttled that stand now; 16 further up are those that stood once since the start."""
SINCE_START = 16
SUPPLY = (
    "use the board's own power supply (5.1 V; 3 A for a Pi 4, 5 A for a Pi 5) on a short cable; look again with "
    "`vcgencmd get_throttled`"
)
ASK_FIRMWARE = "`sudo apt install raspi-utils && sudo usermod -aG video $USER`, then log out and in again"
COOLING = "give it a heat sink or a fan, and air; look again with `vcgencmd measure_temp`"
WATCHDOG_ON = (
    "`sudo mkdir -p /etc/systemd/system.conf.d && printf '[Manager]\\nRuntimeWatchdogSec=10\\n' | "
    "sudo tee /etc/systemd/system.conf.d/watchdog.conf && sudo systemctl daemon-reexec`"
)
OTHER_BOARD = "use a Raspberry Pi 3, 4, 5 or Zero 2 W"
FLASH_64 = (
    "write the 64-bit Raspberry Pi OS: `make flash IMAGE=raspios_arm64.img.xz DEVICE=/dev/sdX` on the workstation"
)


def processor(machine: Machine) -> list[Finding]:
    """What the processor can do for INT8 networks, and whether this program may use it."""
    fields = cpu_fields(machine.text("proc/cpuinfo"))
    features = set(fields.get("Features", fields.get("flags", "")).split())
    name = machine.model or fields.get("model name", machine.processor)
    known = [feature for feature in VECTORS if feature in features]
    found = (
        f"{name}, {machine.processor}, {machine.bits} bit, {fields['count']} cores, {' '.join(known) or 'no vectors'}"
    )
    if not known:
        return [fail("processor", f"{found}: the runtime needs NEON or AVX2", OTHER_BOARD)]
    if machine.bits == 32:
        slow = f"{found}: a 32-bit system has the older, slower runtime alone"
        return [warn("processor", slow, FLASH_64 if "crc32" in features else OTHER_BOARD)]
    if "asimd" in features and "asimddp" not in features:
        found += "; without dot products (asimddp), which a Pi 5 has and is faster with"
    return [ok("processor", found)]


VECTORS = ("neon", "asimd", "asimddp", "i8mm", "avx2", "avx_vnni", "avx512_vnni")


def cpu_fields(cpuinfo: str) -> dict[str, str]:
    """The fields of /proc/cpuinfo, the first processor's, and how many there are as "count"."""
    pairs = [line.partition(":")[::2] for line in cpuinfo.splitlines() if ":" in line]
    fields = {key.strip(): value.strip() for key, value in reversed(pairs)}
    return fields | {"count": str(sum(key.strip() == "processor" for key, _ in pairs))}


def temperature(machine: Machine) -> list[Finding]:
    """The hottest of the kernel's thermal zones."""
    texts = [machine.text(str(path.relative_to(machine.root))) for path in machine.find("sys/class/thermal/*/temp")]
    degrees = [int(text) / 1000 for text in texts if text.lstrip("-").isdecimal()]
    if not degrees:
        return [ok("temperature", "no sensor here")]
    hottest = max(degrees)
    found = f"{hottest:.0f} degrees Celsius"
    if hottest >= TOO_HOT:
        return [fail("temperature", f"{found}: the processor slows itself down", COOLING)]
    return [warn("temperature", f"{found}: hot", COOLING)] if hottest >= HOT else [ok("temperature", found)]


def power(machine: Machine) -> list[Finding]:
    """Whether the firmware slows the board down, for lack of voltage or for heat."""
    bits = _throttled(machine)
    if bits is None:
        if machine.is_raspberry_pi:
            return [warn("power", "the firmware does not say", ASK_FIRMWARE)]
        return [ok("power", "no Raspberry Pi: nothing to ask")]
    now = [word for bit, word in EVENTS.items() if bits >> bit & 1]
    before = [word for bit, word in EVENTS.items() if bits >> (bit + SINCE_START) & 1]
    return [_power(bits, now, before)]


def _throttled(machine: Machine) -> int | None:
    """The firmware's bits; of Debian's own kernel, which knows nothing else, under-voltage alone."""
    text = machine.run(["vcgencmd", "get_throttled"])
    for file in machine.find(THROTTLED):
        text = text or file.read_text().strip()
    for name in machine.find("sys/class/hwmon/hwmon*/name"):
        if not text and name.read_text().strip() == "rpi_volt":
            text = (name.parent / "in0_lcrit_alarm").read_text().strip()
    try:
        return int((text or "").rpartition("=")[2], 16)
    except ValueError:
        return None


def _power(bits: int, now: list[str], before: list[str]) -> Finding:
    if not bits:
        return ok("power", "no under-voltage and no throttling since the start")
    told = [f"{', '.join(now)} now"] * bool(now) + [f"{', '.join(before)} since the start"] * bool(before)
    found = f"{'; '.join(told)} ({bits:#x})"
    mend = SUPPLY if EVENTS[UNDER_VOLTAGE] in now + before else COOLING
    return fail("power", found, mend) if EVENTS[UNDER_VOLTAGE] in now else warn("power", found, mend)


def watchdog(machine: Machine) -> list[Finding]:
    """Whether something restarts the board when its kernel hangs."""
    if not machine.find("dev/watchdog*"):
        missing = "no hardware watchdog: a board that hangs as a whole stays so"
        on = "`echo dtparam=watchdog=on | sudo tee -a /boot/firmware/config.txt && sudo reboot`"
        return [warn("watchdog", missing, on if machine.is_raspberry_pi else "use a watchdog relay, see HEARTBEAT")]
    told = machine.run(["systemctl", "show", "--property", "RuntimeWatchdogUSec", "--value"])
    if told in (None, "", "0", "infinity"):
        return [warn("watchdog", "/dev/watchdog is there, but systemd does not feed it", WATCHDOG_ON)]
    return [ok("watchdog", f"the board restarts when it has hung for {told}")]
