import shutil
import signal
import time

import msgspec
import numpy as np
import pytest

from edge import accelerator
from edge.contract import CONTRACT_FILE, load_bundle
from edge.errors import BundleError
from edge.interpreter import networks, on_delegate
from edge.judge import Judge
from edge.values import Rgb
from tests.edge.edgetpu import build_delegate, with_edgetpu

NO_LIBRARY = "libedgetpu.so.1: cannot open shared object file"
BLACK = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """With models for an Edge TPU."""
    return with_edgetpu(tmp_path_factory.mktemp("bundle") / "maskgate-9")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A library that stands in for that of the stick, and the file that takes the stick away."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make a library")
    folder = tmp_path_factory.mktemp("library")
    flag = folder / "unplugged"
    return build_delegate(folder, flag), flag


@pytest.fixture
def unplug(built, monkeypatch):
    """A stick is there; this takes it away."""
    library, flag = built
    monkeypatch.setattr(accelerator, "LIBRARY", str(library))
    yield flag.write_text
    flag.unlink(missing_ok=True)


def astronaut() -> Rgb:
    return pytest.importorskip("skimage.data").astronaut()


def bare_face(judge) -> bool:
    return [face.classification.label for face in judge.judge(astronaut())] == ["without_mask"]


def one_line(capfd) -> str:
    (line,) = capfd.readouterr().err.splitlines()
    return line


def test_the_runtime_cannot_run_a_model_of_an_edge_tpu_by_itself(bundle):
    with pytest.raises(BundleError, match=r"Encountered unresolved custom op: edgetpu-custom-op") as refusal:
        networks(bundle, files=accelerator.edgetpu_files(bundle))
    assert isinstance(refusal.value.__cause__, RuntimeError)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the runtime's own destructor
def test_without_its_library_there_is_no_delegate():
    with pytest.raises(OSError, match=NO_LIBRARY):
        on_delegate("libedgetpu.so.1")


def test_a_library_without_a_stick_gives_no_delegate(built, unplug):
    unplug("nothing there")
    with pytest.raises(ValueError, match="no device"):
        on_delegate(str(built[0]))


@pytest.mark.parametrize("wanted", ["auto", "edgetpu"])
def test_without_the_library_the_processor_judges_and_that_is_said_once(bundle, wanted, capfd):
    judge = Judge.from_bundle(bundle, accelerator=wanted)
    assert bare_face(judge) and bare_face(judge)
    assert judge.runs_on.startswith("processor, not the Edge TPU: ") and NO_LIBRARY in judge.runs_on
    assert one_line(capfd).startswith("maskgate: the processor judges, not the Edge TPU: ")


@pytest.mark.parametrize("wanted", ["auto", "cpu"])
def test_a_bundle_without_models_for_a_stick_runs_on_the_processor_and_says_nothing(wanted, capfd):
    judge = Judge.from_bundle(load_bundle(), accelerator=wanted)
    assert judge.runs_on == "processor"
    assert capfd.readouterr().err == ""


def test_whoever_insists_on_a_stick_is_told_that_the_bundle_has_no_models_for_it(capfd):
    judge = Judge.from_bundle(load_bundle(), accelerator="edgetpu")
    assert bare_face(judge)
    assert "has no models for it" in judge.runs_on and "no models for it" in one_line(capfd)


def test_on_the_processor_no_other_process_is_started(bundle, monkeypatch):
    monkeypatch.delattr(accelerator, "start")
    assert Judge.from_bundle(bundle).runs_on == "processor"


def test_a_stick_that_works_runs_both_networks(bundle, unplug, capfd):
    stick = accelerator.open_stick(bundle, "auto")
    for number, network in enumerate(networks(bundle)):
        for level in (0, 200):
            answer = stick.answer(number, np.full(network.shape, level, np.uint8))
            assert all(output.ravel()[0] == level - 128 and (output.ravel()[1:] == -128).all() for output in answer)
    judge = Judge(None, None, None, stick)
    assert judge.runs_on == "Edge TPU"
    assert capfd.readouterr().err == ""


FAILURES = {
    "reports": "Failed to load delegate from",
    "crashes": "its process ended with SIGSEGV",
    "aborts": "its process ended with SIGABRT",
    "hangs": "no answer within 2 s",
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_stick_that_fails_while_it_is_loaded_leaves_all_to_the_processor(bundle, unplug, how, monkeypatch, capfd):
    monkeypatch.setattr(accelerator, "START_SECONDS", 2.0)
    unplug(how)
    judge = Judge.from_bundle(bundle, accelerator="auto")
    assert FAILURES[how] in judge.runs_on
    assert bare_face(judge)
    assert FAILURES[how] in one_line(capfd)


UNPLUGGED = FAILURES | {"reports": "RuntimeError", "hangs": "no answer within 0.5 s"}


@pytest.mark.parametrize("how", UNPLUGGED)
def test_a_stick_that_fails_later_leaves_that_very_picture_to_the_processor(bundle, unplug, how, capfd):
    judge = Judge.from_bundle(bundle, accelerator="auto")
    assert judge.judge(BLACK) == [] and judge.runs_on == "Edge TPU"
    assert not bare_face(judge)  # the stand-in knows no faces
    unplug(how)
    began = time.monotonic()
    assert bare_face(judge)
    assert time.monotonic() - began < 2.0
    assert bare_face(judge)
    assert UNPLUGGED[how] in judge.runs_on and UNPLUGGED[how] in one_line(capfd)
    assert judge._stick._process.poll() is not None


def test_a_process_that_is_killed_or_stopped_leaves_all_to_the_processor(bundle, unplug, capfd):
    for number, reason in ((signal.SIGKILL, "SIGKILL"), (signal.SIGSTOP, "no answer within 0.5 s")):
        judge = Judge.from_bundle(bundle, accelerator="edgetpu")
        judge._stick._process.send_signal(number)
        assert bare_face(judge)
        assert reason in one_line(capfd)


def test_a_stick_that_gives_the_same_whatever_it_sees_is_not_believed(bundle, unplug):
    judge = Judge.from_bundle(bundle, accelerator="auto")
    unplug("freezes")
    judge.judge(BLACK)  # the first of its equal answers cannot be told
    assert bare_face(judge)
    assert "locator_edgetpu.tflite: gives the same answer whatever it sees" in judge.runs_on


def test_the_stick_goes_with_its_judge(bundle, unplug):
    judge = Judge.from_bundle(bundle, accelerator="auto")
    process = judge._stick._process
    assert process.poll() is None
    del judge
    assert process.poll() is not None


def test_one_model_alone_is_refused(bundle, tmp_path):
    folder = shutil.copytree(bundle.folder, tmp_path / "half")
    half = msgspec.structs.replace(bundle.contract.locator, edgetpu=None)
    contract = msgspec.structs.replace(bundle.contract, locator=half)
    (folder / CONTRACT_FILE).write_bytes(msgspec.json.encode(contract))
    with pytest.raises(BundleError, match="one model alone is made for an Edge TPU"):
        load_bundle(folder)


def test_an_altered_model_for_the_stick_is_refused(bundle, tmp_path):
    folder = shutil.copytree(bundle.folder, tmp_path / "altered")
    with (folder / "classifier_edgetpu.tflite").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"classifier_edgetpu.tflite was altered"):
        load_bundle(folder)
