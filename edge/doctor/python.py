"""Python and the packages: there, and made for each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

from edge.doctor.finding import Finding, fail, ok, warn
from edge.errors import in_one_line

OLDEST, NEWEST = (3, 11), (3, 13)
"""For which the packages have wheels."""
PACKAGE_FOLDER = Path("/opt/maskgate")
MODELS = Path(__file__).parents[1] / "models"
DISTRIBUTION = Path("/usr/lib/python3/dist-packages")
"""Where Debian has Python packages."""
DEBIAN = Path("/usr")
"""Where pip may not install anything (PEP 668)."""
REINSTALL = "copy maskgate_*_arm64.deb here, then `sudo apt install --reinstall ./maskgate_*_arm64.deb`"

Import = Callable[[str], ModuleType]


@dataclass(frozen=True)
class Package:
    """name: for pip. module: to import."""

    name: str
    module: str


NUMPY = Package("numpy", "numpy")
PACKAGES = (
    Package("msgspec", "msgspec"),
    NUMPY,
    Package("opencv-python-headless", "cv2"),
    Package("cryptography", "cryptography.hazmat.bindings._rust"),
    Package("gpiod", "gpiod"),
)
RUNTIMES = (
    Package("ai-edge-litert", "ai_edge_litert.interpreter"),
    Package("tflite-runtime", "tflite_runtime.interpreter"),
)


def python(version: tuple[int, int] = sys.version_info[:2], full: str = sys.version.split()[0]) -> list[Finding]:
    """Whether this Python has wheels. version: major and minor."""
    found = f"Python {full}, {sys.executable}"
    flash = (
        "use Raspberry Pi OS bookworm or trixie: `make flash IMAGE=raspios.img.xz DEVICE=/dev/sdX` on the workstation"
    )
    if version < OLDEST:
        return [fail("python", f"{found}: too old, maskgate needs 3.11 to 3.13", flash)]
    if version > NEWEST:
        return [warn("python", f"{found}: newer than 3.13, the packages may have no wheels for it", flash)]
    return [ok("python", found)]


def package(wanted: Package, load: Import = import_module, prefix: Path = Path(sys.prefix)) -> list[Finding]:
    """Whether a package can be imported. prefix: of the environment."""
    try:
        load(wanted.module)
    except Exception as error:
        return [_unfit(wanted, error, prefix)]
    return [ok(wanted.name, f"{wanted.name} {version_of(wanted)}")]


def runtime(
    load: Import = import_module, numpy: str | None = None, prefix: Path = Path(sys.prefix), models: Path = MODELS
) -> list[Finding]:
    """Whether a TFLite runtime is there and fits numpy, which only building an interpreter tells.

    numpy: its version, by default that of the installed one. models: folder of bundles; any of their models will do.
    """
    numpy = numpy or version_of(NUMPY)
    model = next(iter(sorted(models.glob("*/*.tflite"))))
    for wanted in RUNTIMES:
        try:
            module = load(wanted.module)
        except ModuleNotFoundError:
            continue
        except Exception as error:
            return [_unfit(wanted, error, prefix)]
        return [_build(wanted, module, model.read_bytes(), numpy, prefix)]
    missing = f"neither {RUNTIMES[0].name} nor {RUNTIMES[1].name} is installed"
    return [fail("runtime", missing, install(prefix, RUNTIMES[0].name))]


def _build(wanted: Package, module: ModuleType, model: bytes, numpy: str, prefix: Path) -> Finding:
    both = f"{wanted.name} {version_of(wanted)} with numpy {numpy}"
    try:
        module.Interpreter(model_content=model).allocate_tensors()
    except Exception as error:
        older = wanted is RUNTIMES[1] and not numpy.startswith("1.")
        mend = install(prefix, "numpy<2") if older else install(prefix, wanted.name, "numpy")
        return fail("runtime", f"{both}: no interpreter can be built ({in_one_line(error)})", mend)
    return ok("runtime", both)


def picamera2(
    source: str,
    others: Sequence[str],
    load: Import = import_module,
    prefix: Path = Path(sys.prefix),
    distribution: Path = DISTRIBUTION,
) -> list[Finding]:
    """Whether picamera2 can be imported, if it is needed.

    source: camera.source of the settings. others: cameras that there are without it. distribution: see DISTRIBUTION.
    """
    wanted = Package("picamera2", "picamera2")
    if source not in ("picamera2", "auto"):
        return [ok("picamera2", f"not needed for camera.source {source}")]
    try:
        load("picamera2")
    except Exception as error:
        if source == "auto" and others and isinstance(error, ModuleNotFoundError):
            return [ok("picamera2", f"not installed, and not needed for {others[0]}")]
        if isinstance(error, ModuleNotFoundError) and error.name in ("picamera2", "libcamera"):
            return [fail("picamera2", in_one_line(error), _see_distribution(prefix, distribution / str(error.name)))]
        return [_unfit(wanted, error, prefix)]
    return [ok("picamera2", f"picamera2 {version_of(wanted)}")]


def _see_distribution(prefix: Path, there: Path) -> str:
    """What mends that a package of the distribution cannot be found."""
    if not there.exists():
        return "`sudo apt install python3-picamera2`"
    line = "s/^include-system-site-packages.*/include-system-site-packages = true/"
    return f"it is installed, but this environment does not see it: `sudo sed -i '{line}' {prefix}/pyvenv.cfg`"


def _unfit(wanted: Package, error: Exception, prefix: Path) -> Finding:
    """Why a package cannot be imported, and what helps."""
    said = in_one_line(error)
    if isinstance(error, ModuleNotFoundError) and error.name == wanted.module.partition(".")[0]:
        return fail(wanted.name, "not installed", install(prefix, wanted.name))
    if "numpy.dtype size changed" in said or "_ARRAY_API" in said or "numpy.core.multiarray" in said:
        found = f"made for another numpy than {version_of(NUMPY)}, which this environment has ({said})"
        return fail(wanted.name, found, _other_numpy(wanted, prefix))
    if "libGL" in said:
        opencv = f"{pip(prefix)} uninstall opencv-python && {pip(prefix)} install --force-reinstall {wanted.name}"
        return fail(
            wanted.name, f"the desktop's OpenCV is installed in place of the headless one ({said})", f"`{opencv}`"
        )
    return fail(wanted.name, f"cannot be imported ({said})", install(prefix, "--force-reinstall", wanted.name))


def _other_numpy(wanted: Package, prefix: Path) -> str:
    """Debian's packages were compiled for Debian's numpy: bookworm's for 1, trixie's for 2."""
    if wanted.name != "picamera2":
        return install(prefix, "numpy", wanted.name)
    return install(prefix, "numpy<2" if version_of(NUMPY) >= "2" else "numpy>=2")


def install(prefix: Path, *names: str) -> str:
    """The command that installs packages into the environment at `prefix`; the Debian package carries its own."""
    if prefix in (PACKAGE_FOLDER, DEBIAN):
        return REINSTALL
    return f"`{pip(prefix)} install --upgrade {' '.join(map(_quoted, names))}`"


def pip(prefix: Path) -> str:
    return f"{prefix}/bin/python3 -m pip"


def _quoted(name: str) -> str:
    return f"'{name}'" if set(name) & set("<>=") else name


def version_of(wanted: Package) -> str:
    """The installed version of a package; "?" when it does not say."""
    try:
        return metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "?"
