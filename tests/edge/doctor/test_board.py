import pytest

from edge.doctor.board import WATCHDOG_ON, power, processor, temperature, watchdog
from edge.doctor.finding import Status


def cpuinfo(features: str, part: str, model: str) -> str:
    """As a Raspberry Pi's /proc/cpuinfo; 32-bit programs see other features of the same processor."""
    core = (
        f"BogoMIPS\t: 108.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: {part}\nCPU revision\t: 3\n"
    )
    cores = "".join(f"processor\t: {number}\n{core}\n" for number in range(4))
    return f"{cores}Revision\t: c03114\nSerial\t\t: 100000001d7e5f00\nModel\t\t: {model}\n"


PI_4 = cpuinfo("fp asimd evtstrm crc32 cpuid", "0xd08", "Raspberry Pi 4 Model B Rev 1.4")
PI_5 = cpuinfo(
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    "0xd0b",
    "Raspberry Pi 5 Model B Rev 1.0",
)
PI_4_32 = cpuinfo(
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32",
    "0xd08",
    "Raspberry Pi 4 Model B Rev 1.4",
)
PI_1 = cpuinfo("half thumb fastmult vfp edsp java tls", "0xb76", "Raspberry Pi Model B Plus Rev 1.2")
MODEL = "proc/device-tree/model"
IS_PI = {MODEL: "Raspberry Pi 4 Model B Rev 1.4\0"}


@pytest.mark.parametrize(
    ("text", "bits", "status", "says"),
    [
        (PI_5, 64, Status.OK, "64 bit, 4 cores, asimd asimddp"),
        (PI_4, 64, Status.OK, "without dot products"),
        (PI_4_32, 32, Status.WARN, "32-bit system"),
        (PI_1, 32, Status.FAIL, "needs NEON or AVX2"),
        ("processor: 0\nmodel name: AMD EPYC\nflags: fpu sse avx2 avx512_vnni\n", 64, Status.OK, "avx2 avx512_vnni"),
    ],
)
def test_the_processor_is_told_by_its_vectors(machine, text, bits, status, says):
    (finding,) = processor(machine({"proc/cpuinfo": text}, bits=bits))
    assert finding.status == status and says in finding.found


def test_a_32_bit_system_on_a_64_bit_kernel_is_told_to_be_written_anew(machine):
    (finding,) = processor(machine({"proc/cpuinfo": PI_4_32}, processor="aarch64", bits=32))
    assert "64-bit Raspberry Pi OS" in finding.mend


def test_the_board_is_named(machine):
    (finding,) = processor(machine({"proc/cpuinfo": PI_4} | IS_PI))
    assert finding.found.startswith("Raspberry Pi 4 Model B Rev 1.4, aarch64")


@pytest.mark.parametrize(
    ("thousandths", "status"), [("48200", Status.OK), ("71500", Status.WARN), ("84000", Status.FAIL)]
)
def test_heat_is_told_before_it_slows_the_processor(machine, thousandths, status):
    zones = {"sys/class/thermal/thermal_zone0/temp": "41000\n", "sys/class/thermal/thermal_zone1/temp": thousandths}
    (finding,) = temperature(machine(zones))
    assert finding.status == status
    assert bool(finding.mend) == (status != Status.OK)


def test_a_machine_without_a_sensor_is_not_hot(machine):
    assert temperature(machine())[0].status == Status.OK


@pytest.mark.parametrize(
    ("told", "status", "says"),
    [
        ("throttled=0x0", Status.OK, "no under-voltage"),
        ("throttled=0x50005", Status.FAIL, "under-voltage, throttled now; under-voltage, throttled since the start"),
        ("throttled=0x50000", Status.WARN, "under-voltage, throttled since the start"),
        ("throttled=0x80008", Status.WARN, "soft temperature limit now"),
    ],
)
def test_the_bits_of_get_throttled_are_told_in_words(machine, told, status, says):
    (finding,) = power(machine(IS_PI, {"vcgencmd get_throttled": told}))
    assert finding.status == status and says in finding.found


def test_under_voltage_wants_a_supply_and_heat_wants_air(machine):
    asked = "vcgencmd get_throttled"
    assert "power supply" in power(machine(IS_PI, {asked: "throttled=0x10000"}))[0].mend
    assert "heat sink" in power(machine(IS_PI, {asked: "throttled=0x60000"}))[0].mend


@pytest.mark.parametrize("bus", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_without_vcgencmd_the_kernel_is_asked(machine, bus):
    (finding,) = power(machine(IS_PI | {f"sys/devices/platform/{bus}/get_throttled": "50000\n"}))
    assert "since the start (0x50000)" in finding.found


def test_debians_own_kernel_knows_under_voltage_alone(machine):
    hwmon = "sys/class/hwmon/hwmon1"
    files = IS_PI | {f"{hwmon}/name": "rpi_volt\n", f"{hwmon}/in0_lcrit_alarm": "1\n"}
    (finding,) = power(machine(files))
    assert finding.status == Status.FAIL and "under-voltage now" in finding.found


def test_a_raspberry_pi_whose_firmware_does_not_answer_says_so(machine):
    (finding,) = power(machine(IS_PI))
    assert finding.status == Status.WARN and "apt install raspi-utils" in finding.mend


def test_other_boards_have_no_such_firmware(machine):
    assert power(machine())[0].status == Status.OK


ASKED = "systemctl show --property RuntimeWatchdogUSec --value"


@pytest.mark.parametrize("told", ["0", "infinity", ""])
def test_a_watchdog_that_nobody_feeds_is_told_with_the_command(machine, told):
    (finding,) = watchdog(machine({"dev/watchdog": "", "dev/watchdog0": ""}, {ASKED: told}))
    assert (finding.status, finding.mend) == (Status.WARN, WATCHDOG_ON)


def test_a_fed_watchdog_is_well(machine):
    (finding,) = watchdog(machine({"dev/watchdog0": ""}, {ASKED: "1min"}))
    assert finding.status == Status.OK and "1min" in finding.found


def test_a_raspberry_pi_without_a_watchdog_is_told_how_to_get_it(machine):
    assert "dtparam=watchdog=on" in watchdog(machine(IS_PI))[0].mend
    assert "HEARTBEAT" in watchdog(machine({MODEL: "Radxa ROCK 5B"}))[0].mend
