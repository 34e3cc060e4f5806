import resource
import tarfile

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from edge.errors import BundleError, InputError, MaskgateError
from edge.settings import ModelSettings, Settings, UpdateSettings
from edge.update.archive import LARGEST_ARCHIVE, read_manifest, unpack
from edge.update.change import locked
from edge.update.install import install, verify
from edge.update.signature import SIGNATURE_FILE, read_folder, trusted_keys
from edge.update.store import Trial, current, installed_settings, load
from edge.update.trial import Health
from tests.edge.update.workshop import (
    KEY,
    STRANGER,
    FakeService,
    archive,
    device,
    flipped,
    manifest,
    models,
    release,
    resigned,
    settings,
    stream,
    tree,
    trust,
)

FILES = models()
RELEASE = release(FILES)


def members(**changes):
    """A good release member by member, each as (name, content), with some replaced, or left out where None."""
    files = {SIGNATURE_FILE: msgspec.json.encode(manifest(FILES))} | FILES
    changed = {name: changes.get(name.replace(".", "_"), content) for name, content in files.items()}
    return [(f"maskgate-5/{name}", content) for name, content in changed.items() if content is not None]


def link(kind, name="maskgate-5/extra"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def with_signature(changed):
    return archive(*members(bundle_sig=msgspec.json.encode(changed)))


def listing(**files):
    """A manifest signed by the right key that lists other files."""
    listed = manifest(FILES)
    return resigned(msgspec.structs.replace(listed, files=listed.files | files))


def test_an_installed_bundle_is_whole_in_use_and_on_trial(tmp_path):
    service = FakeService()
    told = install(device(tmp_path, service), stream(RELEASE))
    store = tmp_path / "store"
    assert current(store, "models") == store / "models" / "maskgate-5"
    assert read_folder(current(store, "models")) == manifest(FILES)
    assert installed_settings(store, None).model.bundle == str(store / "models" / "maskgate-5")
    trial = load(store).trial
    assert (trial.kind, trial.release, trial.left) == ("models", "maskgate-5", 60.0)
    assert (store / "trial").exists()
    assert service.asked == ["restart", "watch"]
    assert told.startswith("maskgate-5: in use, on trial for 60 s")


def test_installed_settings_replace_those_of_the_package(tmp_path):
    install(device(tmp_path), stream(release(settings(), 3)))
    found = installed_settings(tmp_path / "store", None)
    assert found.door.mode == "remind" and load(tmp_path / "store").settings.current == "door-3"


def test_without_systemd_nothing_is_on_trial(tmp_path):
    assert "next start" in install(device(tmp_path), stream(RELEASE))
    assert load(tmp_path / "store").trial is None and not (tmp_path / "store" / "trial").exists()


def test_what_was_wrong_before_the_switch_is_noted_without_its_numbers(tmp_path):
    service = FakeService(Health("active", 0, "maskgate-4: FAULT, no frame for 0.5 s; check the camera"))
    install(device(tmp_path, service), stream(RELEASE))
    assert load(tmp_path / "store").trial.known_fault == "no frame for # s; check the camera"


def test_verify_tells_what_it_is_and_changes_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    assert "maskgate-5: models, whole, signed" in verify(device(tmp_path), stream(RELEASE), tmp_path / "folder")
    assert tree(tmp_path / "store") == {}


def test_the_same_release_again_is_no_error_and_changes_nothing(tmp_path):
    one = device(tmp_path)
    install(one, stream(RELEASE))
    before = tree(one.store)
    assert install(one, stream(RELEASE)) == "maskgate-5: in use already"
    assert tree(one.store) == before


def test_only_the_current_and_the_previous_release_are_kept(tmp_path):
    one = device(tmp_path)
    for version in (5, 6, 7):
        install(one, stream(release(models(version), version)))
    assert sorted(path.name for path in (one.store / "models").iterdir()) == ["maskgate-6", "maskgate-7"]
    state = load(one.store)
    assert (state.models.current, state.models.previous, state.models.highest) == ("maskgate-7", "maskgate-6", 7)


def test_what_interrupted_installs_left_is_swept_away(tmp_path):
    one = device(tmp_path)
    (one.store / ".incoming-x").mkdir()
    (one.store / ".incoming-x" / "locator.tflite").write_bytes(b"half")
    (one.store / "models" / "maskgate-9").mkdir(parents=True)
    (one.store / "trial").touch()
    install(one, stream(release(settings(), 1)))
    assert [path.name for path in one.store.iterdir() if path.name.startswith(".")] == []
    assert list((one.store / "models").iterdir()) == [] and not (one.store / "trial").exists()


def refuses(tmp_path, content, told, **changes):
    """Install and verify both refuse it in one line, and leave the device, which has a release, as it was."""
    one = device(tmp_path)
    install(one, stream(release(settings(), 3)))
    before = tree(one.store)
    one = device(tmp_path, **changes)
    (tmp_path / "folder").mkdir()
    for attempt in (lambda: install(one, stream(content)), lambda: verify(one, stream(content), tmp_path / "folder")):
        with pytest.raises(MaskgateError, match=told) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert tree(one.store) == before


BAD = {
    "empty": (b"", "not a whole tar archive"),
    "not a tar": (b"PK\3\4" * 1000, "not a whole tar archive"),
    "truncated in a file": (RELEASE[: len(RELEASE) // 2], "cut off"),
    "truncated in a header": (RELEASE[:1300], "cut off|not a whole tar"),
    "without its end": (archive(*members())[:-10240], "not a whole tar archive|cut off"),
    "a file altered": (archive(*members(classifier_tflite=flipped(FILES["classifier.tflite"], 7))), "altered after"),
    "a file of another size": (archive(*members(golden_npz=b"gold")), "is not in it as it was signed"),
    "a file missing": (archive(*members(golden_npz=None)), "golden.npz is missing"),
    "an extra file": (archive(*members(), ("maskgate-5/extra", b"x")), "extra' is not in it as it was signed"),
    "a file twice": (archive(*members(), members()[1]), "bundle.json' is not in it as it was signed"),
    "another path": (archive(*members(), ("../../etc/passwd", b"x")), "passwd' is not in it as it was signed"),
    "a path from the root": (archive(*members(), ("/etc/passwd", b"x")), "passwd' is not in it as it was signed"),
    "another folder": (archive(*((f"x/{name}", data) for name, data in members())), "not in the folder maskgate-5"),
    "a symbolic link": (archive(*members(), (link(tarfile.SYMTYPE), b"")), "no plain file"),
    "a link": (archive(*members(), (link(tarfile.LNKTYPE), b"")), "no plain file"),
    "a device": (archive(*members(), (link(tarfile.CHRTYPE), b"")), "no plain file"),
    "a folder": (archive((link(tarfile.DIRTYPE, "maskgate-5"), b""), *members()), "no plain file"),
    "something after its end": (RELEASE + b"x" * 512, "something follows its end"),
    "no bundle.sig": (archive(*members(bundle_sig=None)), "does not come first"),
    "bundle.sig later": (archive(*members()[::-1]), "does not come first"),
    "bundle.sig too large": (archive(*members(bundle_sig=b" " * 20_000)), "has 20000 bytes"),
    "bundle.sig not JSON": (archive(*members(bundle_sig=b"\xff\xfe")), "bundle.sig: "),
    "bundle.sig deep": (archive(*members(bundle_sig=b"[" * 16_000)), "bundle.sig: "),
    "unsigned": (with_signature(msgspec.structs.replace(manifest(FILES), signature="")), "not signed"),
    "signature not base64": (with_signature(msgspec.structs.replace(manifest(FILES), signature="?")), "does not fit"),
    "another version": (with_signature(msgspec.structs.replace(manifest(FILES), version=6)), "does not fit"),
    "another kind": (with_signature(msgspec.structs.replace(manifest(FILES), kind="settings")), "no door.toml in it"),
    "an untrusted key": (release(FILES, key=STRANGER), "which this device does not trust"),
    "a key of another name": (
        with_signature(msgspec.structs.replace(manifest(FILES, key=STRANGER), key=manifest(FILES).key)),
        "does not fit",
    ),
    "an odd name": (with_signature(listing(**{"../x": manifest(FILES).files["golden.npz"]})), "Expected `str`"),
    "too many files": (
        with_signature(listing(**{f"f{n}": manifest(FILES).files["golden.npz"] for n in range(40)})),
        "length <= 32",
    ),
    "too large when unpacked": (
        with_signature(
            listing(
                **{f"f{n}": msgspec.structs.replace(manifest(FILES).files["golden.npz"], size=2**25) for n in range(3)}
            )
        ),
        "bytes when unpacked; at most",
    ),
    "an older version": (release(models(2), 2), "version 2 of the models is not newer than"),
    "a replayed version": (release(settings("[door]\nmode = 'indicate'\n"), 3), "is not newer than 3"),
    "a contract of another version": (release(models(6), 5), "its contract says maskgate-6"),
    "a contract with a wrong key": (release(models(colour="red")), "maskgate-5: bundle.json: .*colour"),
    "no golden answers": (release(models(golden=None)), "no golden answers"),
    "settings with a wrong key": (release(settings("[door]\nmood = 1\n"), 4), "door-4/door.toml: door.mood is no key"),
    "settings that are no TOML": (release(settings("<xml>"), 4), "not a TOML file"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_release_is_refused_and_changes_nothing(tmp_path, bad):
    refuses(tmp_path, *BAD[bad])


def test_a_release_that_fails_its_self_test_is_refused(tmp_path):
    def fail(bundle):
        raise BundleError(f"bundle {bundle.folder}: the locator answers otherwise")

    refuses(tmp_path, RELEASE, "release.tar: bundle maskgate-5: the locator answers otherwise", self_test=fail)


def test_an_archive_that_is_too_large_is_refused_while_it_is_read(tmp_path):
    content = RELEASE + bytes(2000)
    with pytest.raises(BundleError, match=r"more than .* bytes"):
        install(device(tmp_path), stream(content, limit=len(RELEASE)))
    assert tree(tmp_path / "store") == {}
    assert 64e6 < LARGEST_ARCHIVE < 68e6


def test_models_that_the_settings_would_not_use_are_refused(tmp_path):
    own = Settings(model=ModelSettings(bundle="/srv/mine-3"), update=UpdateSettings())
    with pytest.raises(BundleError, match=r"would not be used, model.bundle in the settings is /srv/mine-3"):
        install(device(tmp_path, settings=own), stream(RELEASE))
    assert tree(tmp_path / "store") == {}


def test_one_trial_at_a_time(tmp_path):
    service = FakeService()
    one = device(tmp_path, service)
    install(one, stream(RELEASE))
    before = tree(one.store)
    with pytest.raises(BundleError, match=r"maskgate-5 is on trial for another 60 s .*rollback"):
        install(one, stream(release(settings(), 1)))
    assert tree(one.store) == before


def test_a_trial_whose_watch_was_killed_is_watched_again_at_the_next_occasion(tmp_path):
    service = FakeService()
    one = device(tmp_path, service)
    install(one, stream(RELEASE))
    service.asked.clear()
    install(one, stream(RELEASE))
    assert service.asked == ["watch"] and isinstance(load(one.store).trial, Trial)


def test_two_at_once_are_refused(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="another `maskgate bundle` is at work"), locked(tmp_path):
        pass


def test_too_little_room_is_told_before_anything_is_unpacked(tmp_path, monkeypatch):
    class Usage:
        free = 4_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage)
    with pytest.raises(BundleError, match=r"needs 4.* bytes in .*store, where 4000000 are free; make room"):
        install(device(tmp_path), stream(RELEASE))
    assert tree(tmp_path / "store") == {}


OTHER_KEY = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        (None, "no key to trust"),
        (b"hello", "holds no public key"),
        (OTHER_KEY, "not an Ed25519 key"),
        (b"-----BEGIN PRIVATE KEY-----", "holds a private key, which never leaves the workstation"),
    ],
)
def test_keys_that_cannot_be_used_are_named(tmp_path, pem, told):
    if pem:
        (tmp_path / "x.pem").write_bytes(pem)
    with pytest.raises(InputError, match=told):
        trusted_keys(tmp_path)


def test_a_disk_that_is_full_half_way_leaves_nothing(tmp_path):
    one = device(tmp_path)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, usual[1]))
    try:
        with pytest.raises(BundleError, match=r"cannot be unpacked to .*; make room"):
            install(one, stream(RELEASE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert tree(one.store) == {}


def test_several_keys_may_be_trusted(tmp_path):
    trust(tmp_path / "keys", STRANGER)
    install(device(tmp_path), stream(release(FILES, key=STRANGER)))
    install(device(tmp_path), stream(release(models(6), 6, key=KEY)))
    assert load(tmp_path / "store").models.current == "maskgate-6"


SMALL = release(settings(), 3)


@given(place=st.integers(0, len(SMALL) - 1), bit=st.integers(0, 7))
@given_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=600)
def test_any_bit_flipped_is_refused_or_changes_nothing_that_counts(tmp_path_factory, place, bit):
    changed = bytearray(SMALL)
    changed[place] ^= 1 << bit
    refused_or_the_same(tmp_path_factory, bytes(changed))


@given(cut=st.integers(0, len(SMALL)), more=st.binary(max_size=600), begin=st.integers(0, len(SMALL)))
@given_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_any_splice_is_refused_or_changes_nothing_that_counts(tmp_path_factory, cut, more, begin):
    refused_or_the_same(tmp_path_factory, SMALL[:cut] + more + SMALL[begin:])


def refused_or_the_same(factory, content):
    folder = factory.mktemp("release")
    source, keys = stream(content), {manifest(settings(), 3).key: KEY.public_key()}
    try:
        found, _ = read_manifest(source, keys)
        unpack(source, found, folder)
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert found == manifest(settings(), 3)
        assert tree(folder) == settings()
