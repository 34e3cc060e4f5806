import msgspec
import pytest

from edge.contract import Contract, load_bundle
from edge.doctor import models
from edge.doctor.finding import Status
from edge.doctor.service import Service
from edge.settings import CameraSettings, ModelSettings, Settings, UpdateSettings
from edge.update.signature import SIGNATURE_FILE
from edge.update.store import State
from tests.edge.update import workshop

PACKAGED = Settings()


@pytest.fixture
def keys(tmp_path):
    """A folder with the key that workshop's releases are signed by."""
    return workshop.trust(tmp_path / "keys")


@pytest.fixture
def installed(tmp_path):
    """Puts a release of models into a store, as an installation leaves it; gives the store and the settings."""

    def install(signer=workshop.KEY, leave_out=()):
        store, files = tmp_path / "store", workshop.models()
        files[SIGNATURE_FILE] = msgspec.json.encode(workshop.manifest(files, key=signer))
        folder = store / "models" / "maskgate-5"
        folder.mkdir(parents=True)
        for name in files.keys() - set(leave_out):
            (folder / name).write_bytes(files[name])
        (store / "store.json").write_bytes(msgspec.json.encode(State()))
        return store, Settings(model=ModelSettings(bundle=str(folder)))

    return install


def test_the_packaged_bundle_is_well_and_needs_no_signature(tmp_path):
    findings = models.bundle(PACKAGED)
    assert findings[0].status == Status.OK and findings[0].found.startswith("maskgate-")
    assert findings[1].name == "self-test" and findings[1].status != Status.FAIL
    (finding,) = models.signatures(PACKAGED, None, tmp_path)
    assert finding.status == Status.OK and "part of the package" in finding.found


def test_a_bundle_that_is_not_there_fails(tmp_path):
    (finding,) = models.bundle(Settings(model=ModelSettings(bundle=str(tmp_path / "none"))))
    assert finding.status == Status.FAIL and "cannot read bundle.json" in finding.found


def test_an_altered_bundle_fails(installed):
    _, settings = installed(leave_out=["locator.tflite"])
    (finding,) = models.bundle(settings)
    assert finding.status == Status.FAIL and finding.found.endswith("locator.tflite is missing")
    assert finding.mend == "install the bundle again"


def test_networks_that_answer_otherwise_than_at_home_fail(installed):
    _, settings = installed()
    _, finding = models.bundle(settings)
    assert (finding.name, finding.status) == ("self-test", Status.FAIL)


def test_a_bundle_without_golden_answers_says_so(tmp_path):
    packaged = load_bundle()
    contract: Contract = msgspec.structs.replace(packaged.contract, golden=None, reference=None)
    for file in (packaged.locator_file, packaged.classifier_file):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "bundle.json").write_bytes(msgspec.json.encode(contract))
    _, finding = models.bundle(Settings(model=ModelSettings(bundle=str(tmp_path))))
    assert finding.status == Status.WARN and "no golden answers" in finding.found


def test_an_installed_bundle_is_proven_with_the_trusted_keys(installed, keys):
    store, settings = installed()
    (finding,) = models.signatures(settings, store, keys)
    assert finding.status == Status.OK and finding.found.startswith("maskgate-5: signed by ")


def test_an_installed_bundle_of_a_strangers_key_fails(installed, keys):
    store, settings = installed(workshop.STRANGER)
    (finding,) = models.signatures(settings, store, keys)
    assert finding.status == Status.FAIL and "does not trust" in finding.found


def test_an_installed_bundle_without_its_signature_fails(installed, keys):
    store, settings = installed(leave_out=[SIGNATURE_FILE])
    assert models.signatures(settings, store, keys)[0].status == Status.FAIL


def test_an_unsigned_bundle_that_somebody_named_is_told(installed, keys):
    _, settings = installed(leave_out=[SIGNATURE_FILE])
    (finding,) = models.signatures(settings, None, keys)
    assert finding.status == Status.WARN and "make sign" in finding.mend


def test_without_keys_an_installed_bundle_cannot_be_proven(installed, tmp_path):
    store, settings = installed()
    (finding,) = models.signatures(settings, store, tmp_path / "none")
    assert finding.status == Status.FAIL and "no key to trust" in finding.found


def test_a_fleet_without_keys_to_trust_fails(tmp_path):
    settings = Settings(update=UpdateSettings(index="https://door.example/index.json"))
    (finding,) = models.signatures(settings, None, tmp_path / "none")
    assert finding.status == Status.FAIL and "no key to trust" in finding.found


def test_the_time_to_a_verdict_is_measured():
    (finding,) = models.verdict(PACKAGED, Service())
    assert finding.name == "verdict" and "on the processor" in finding.found


def test_while_the_service_runs_its_own_time_counts():
    words = "maskgate-4: IDLE, 14.9 frames/s, 21 ms from frame to decision"
    (finding,) = models.verdict(PACKAGED, Service(installed=True, active=True, status=words))
    assert finding.status == Status.OK and finding.found.startswith("21 ms")


@pytest.mark.parametrize(("delay", "status"), [(0.04, Status.OK), (0.2, Status.WARN), (0.6, Status.FAIL)])
def test_a_verdict_has_a_frames_time_and_at_most_the_limit_of_its_age(delay, status):
    finding = models.budget(Settings(camera=CameraSettings(frames_per_second=15.0)), delay, "")
    assert finding.status == status and bool(finding.mend) == (status != Status.OK)


def test_the_slowest_of_twenty_does_not_count():
    ticks = iter([0.0, 9.0, *(10.0 + k / 2 for k in range(38))])
    assert models.late_of(lambda: None, 20, lambda: next(ticks)) == 0.5
