"""Modules are stood in for: what libraries really say when they do not fit is quoted from their own errors."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.doctor.finding import Status
from edge.doctor.python import NUMPY, PACKAGES, REINSTALL, package, picamera2, python, runtime

ENVIRONMENT = Path("/home/door/env")
OPENCV = PACKAGES[2]
DTYPE = "numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject"


def missing(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named '{name}'", name=name)


class Modules:
    """Imports what it has; an exception is raised, all else is not there."""

    def __init__(self, **modules: object) -> None:
        self.modules = modules

    def __call__(self, name: str):
        found = self.modules.get(name.partition(".")[0])
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise missing(name.partition(".")[0])
        return found


class Interpreters:
    """A runtime's module whose interpreters fail with `error`, if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def Interpreter(self, model_content: bytes):
        if self.error:
            raise self.error
        return SimpleNamespace(allocate_tensors=lambda: None)


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 9), Status.FAIL), ((3, 11), Status.OK), ((3, 13), Status.OK), ((3, 14), Status.WARN)],
)
def test_python_is_one_that_has_wheels(version, status):
    (finding,) = python(version, "3.x")
    assert finding.status == status and bool(finding.mend) == (status != Status.OK)


def test_what_is_installed_here_is_well():
    assert [package(each)[0].status for each in PACKAGES] == [Status.OK] * len(PACKAGES)
    assert runtime()[0].status == Status.OK


def test_a_missing_package_names_the_command():
    (finding,) = package(NUMPY, Modules(), ENVIRONMENT)
    assert finding.found == "not installed"
    assert finding.mend == "`/home/door/env/bin/python3 -m pip install --upgrade numpy`"


@pytest.mark.parametrize("prefix", ["/opt/maskgate", "/usr"])
def test_where_pip_may_not_install_the_debian_package_is_what_mends(prefix):
    assert package(NUMPY, Modules(), Path(prefix))[0].mend == REINSTALL


def test_a_broken_package_is_installed_anew():
    (finding,) = package(NUMPY, Modules(numpy=ImportError("libopenblas.so: file too short")), ENVIRONMENT)
    assert "file too short" in finding.found and "--force-reinstall numpy" in finding.mend


def test_opencv_for_another_numpy_is_told_so():
    (finding,) = package(OPENCV, Modules(cv2=ImportError("numpy.core.multiarray failed to import")), ENVIRONMENT)
    assert "made for another numpy than" in finding.found
    assert "install --upgrade numpy opencv-python-headless" in finding.mend


def test_the_desktops_opencv_is_replaced():
    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    (finding,) = package(OPENCV, Modules(cv2=error), ENVIRONMENT)
    assert "uninstall opencv-python &&" in finding.mend


def test_the_older_runtime_with_numpy_2_fails_only_when_an_interpreter_is_built():
    modules = Modules(tflite_runtime=Interpreters(AttributeError("_ARRAY_API not found")))
    (finding,) = runtime(modules, "2.2.4", ENVIRONMENT)
    assert finding.status == Status.FAIL
    assert "with numpy 2.2.4: no interpreter can be built (AttributeError: _ARRAY_API not found)" in finding.found
    assert finding.mend.endswith("'numpy<2'`")


def test_the_older_runtime_with_numpy_1_is_well():
    assert runtime(Modules(tflite_runtime=Interpreters()), "1.26.4")[0].status == Status.OK


def test_no_runtime_at_all_names_the_newer_one():
    (finding,) = runtime(Modules(), "2.2.4", ENVIRONMENT)
    assert finding.status == Status.FAIL and "ai-edge-litert" in finding.mend


@pytest.mark.parametrize("source", ["v4l2:0", "/dev/video0", "door.avi"])
def test_picamera2_is_not_asked_for_where_the_settings_name_another_source(source):
    assert picamera2(source, [], Modules())[0].status == Status.OK


def test_picamera2_is_needed_when_there_is_no_other_camera(tmp_path):
    (finding,) = picamera2("auto", [], Modules(), ENVIRONMENT, tmp_path)
    assert (finding.status, finding.mend) == (Status.FAIL, "`sudo apt install python3-picamera2`")
    assert picamera2("auto", ["/dev/video0 (HD Webcam)"], Modules())[0].status == Status.OK
    assert picamera2("picamera2", ["/dev/video0 (HD Webcam)"], Modules())[0].status == Status.FAIL


def test_an_environment_that_does_not_see_the_distribution_is_opened(tmp_path):
    (tmp_path / "picamera2").mkdir()
    (finding,) = picamera2("auto", [], Modules(), ENVIRONMENT, tmp_path)
    assert "include-system-site-packages = true" in finding.mend
    assert finding.mend.endswith(" /home/door/env/pyvenv.cfg`")


def test_picamera2_of_the_distribution_wants_the_distributions_numpy(tmp_path):
    (finding,) = picamera2("picamera2", [], Modules(picamera2=ValueError(DTYPE)), ENVIRONMENT, tmp_path)
    assert finding.status == Status.FAIL and "made for another numpy" in finding.found
    assert finding.mend.endswith("'numpy<2'`")


def test_a_picamera2_that_loads_is_well():
    assert picamera2("picamera2", [], Modules(picamera2=object()))[0].status == Status.OK
