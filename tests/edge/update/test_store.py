import subprocess
import sys

import pytest

from edge.errors import BundleError, SettingsError
from edge.update.change import back, save, start_over, sweep
from edge.update.install import install
from edge.update.store import Shelf, State, current, installed_settings, load, packaged, settings_for_safety, version_of
from tests.edge.update.workshop import device, models, release, settings, stream


@pytest.fixture
def one(tmp_path):
    """A device with door-3 and maskgate-5 installed."""
    made = device(tmp_path)
    for content in (release(settings(), 3), release(models())):
        install(made, stream(content))
    return made


def test_without_a_store_the_file_counts_and_without_a_file_the_defaults(tmp_path):
    file = tmp_path / "door.toml"
    file.write_text("[door]\nmode = 'indicate'\n")
    assert installed_settings(None, file).door.mode == "indicate"
    assert installed_settings(tmp_path / "nowhere", file).door.mode == "indicate"
    assert installed_settings(None, None).door.mode == "must_wear"
    assert installed_settings(tmp_path / "nowhere", None).model.bundle == ""


def test_models_that_the_settings_name_go_before_installed_ones(one, tmp_path):
    file = tmp_path / "door.toml"
    file.write_text("[model]\nbundle = '/srv/mine-3'\n")
    save(one.store, load(one.store).with_shelf("settings", Shelf()))
    assert installed_settings(one.store, file).model.bundle == "/srv/mine-3"


def test_a_newer_bundle_that_came_with_a_newer_package_goes_before_an_installed_one(one, tmp_path, monkeypatch):
    for name in ("maskgate-9", "maskgate-10"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "bundle.json").touch()
    monkeypatch.setattr("edge.update.store.DEFAULT_BUNDLES", tmp_path / "models")
    assert packaged() == "maskgate-10" and current(one.store, "models") is None
    state = load(one.store)
    (one.store / "models" / "site-5").mkdir()
    (one.store / "models" / "site-5" / "bundle.json").touch()
    save(one.store, state.with_shelf("models", Shelf("site-5")))
    assert current(one.store, "models").name == "site-5"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b'{"models": {"current": "../../x-1"}}', b'{"trial": {"kind": "x"}}']
)
def test_a_store_that_cannot_be_read_is_an_error_with_its_remedy(one, content):
    (one.store / "store.json").write_bytes(content)
    for read in (lambda: load(one.store), lambda: installed_settings(one.store, None)):
        with pytest.raises(BundleError, match=r"store\.json: .*maskgate bundle rollback") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_keys_of_a_newer_program_are_left_out(one):
    (one.store / "store.json").write_bytes(b'{"models": {"highest": 7, "colour": "red"}, "weather": 1}')
    assert load(one.store).models.highest == 7


def test_a_release_that_is_gone_is_an_error_with_its_remedy(one):
    (one.store / "settings" / "door-3" / "door.toml").unlink()
    with pytest.raises(BundleError, match=r"door-3: door\.toml is missing; .*rollback"):
        installed_settings(one.store, None)


def test_installed_settings_that_this_program_does_not_know_are_an_error_with_its_remedy(one):
    (one.store / "settings" / "door-3" / "door.toml").write_text("[mood]\n")
    with pytest.raises(SettingsError, match=r"door-3/door\.toml: mood is no key.*rollback"):
        installed_settings(one.store, None)


def test_for_the_safe_level_a_broken_store_is_passed_over(one, tmp_path):
    file = tmp_path / "door.toml"
    file.write_text("[door]\nmode = 'indicate'\n")
    assert settings_for_safety(one.store, file).door.mode == "remind"
    (one.store / "store.json").write_bytes(b"rotten")
    assert settings_for_safety(one.store, file).door.mode == "indicate"
    with pytest.raises(SettingsError):
        settings_for_safety(one.store, tmp_path / "absent.toml")


def test_going_back_twice_ends_with_what_came_with_the_package(one):
    install(one, stream(release(models(6), 6)))
    state = back(one.store, load(one.store), "models", "by hand", "today")
    assert state.models == Shelf("maskgate-5", "", 6)
    state = back(one.store, state, "models", "by hand", "today")
    assert state.models == Shelf("", "", 6) and current(one.store, "models") is None
    with pytest.raises(BundleError, match="nothing to go back to"):
        back(one.store, state, "models", "by hand", "today")


def test_what_was_taken_back_does_not_come_again(one):
    sweep(one.store, back(one.store, load(one.store), "models", "by hand", "today"))
    assert not (one.store / "models" / "maskgate-5").exists()
    with pytest.raises(BundleError, match="version 5 of the models is not newer than 5"):
        install(one, stream(release(models())))


def test_a_previous_release_that_is_no_longer_whole_is_passed_over(one):
    install(one, stream(release(models(6), 6)))
    (one.store / "models" / "maskgate-5" / "locator.tflite").write_bytes(b"rotten")
    assert back(one.store, load(one.store), "models", "by hand", "today").models.current == ""


def test_starting_over_uses_what_came_with_the_package_and_forgets_no_version(one):
    (one.store / "store.json").write_bytes(b"rotten")
    (one.store / "models" / "odd").mkdir()
    state = start_over(one.store)
    assert state == load(one.store) == State(Shelf(highest=5), Shelf(highest=3))


def test_versions_are_read_off_names():
    assert [version_of(name) for name in ("", "maskgate-5", "a_b-12")] == [0, 5, 12]


def test_the_daemon_loads_nothing_of_signatures_or_networks_for_it():
    script = "import sys, edge.update.store; print([m for m in ('cryptography', 'ssl', 'cv2') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
