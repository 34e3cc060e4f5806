import shutil
import subprocess
import sys

import pytest

from edge.__main__ import main
from edge.update.store import load
from tests.edge.update.workshop import STRANGER, models, release, settings, tree, trust

TRIAL_SETTINGS = "[update]\ntrial_seconds = 60\n"


@pytest.fixture
def maskgate(tmp_path, monkeypatch, capsys):
    """Runs `maskgate bundle ...` on a device without systemd; gives exit code, output and errors."""
    monkeypatch.setattr("edge.update.service.RUNNING", tmp_path / "absent")
    monkeypatch.setattr("edge.update.command._self_test", lambda bundle: None)
    trust(tmp_path / "keys")
    (tmp_path / "door.toml").write_text(TRIAL_SETTINGS)

    def run(*arguments):
        own = ["--store", tmp_path / "store", "--keys", tmp_path / "keys", "--config", tmp_path / "door.toml"]
        code = main(["bundle", *map(str, [*arguments, *own])])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def archives(tmp_path):
    """Three releases of models and one of settings as files."""
    for version in (5, 6, 7):
        (tmp_path / f"maskgate-{version}.tar").write_bytes(release(models(version), version))
    (tmp_path / "door-3.tar").write_bytes(release(settings(), 3))
    return tmp_path


def test_install_list_and_roll_back(maskgate, archives):
    assert maskgate("install", archives / "maskgate-5.tar")[0] == 0
    assert maskgate("install", archives / "maskgate-6.tar")[0] == 0
    assert maskgate("install", archives / "door-3.tar")[0] == 0
    _, told, _ = maskgate("list")
    assert [line.split() for line in told.splitlines()] == [
        ["models", "maskgate-6", "in", "use"],
        ["maskgate-5", "before", "it"],
        ["settings", "door-3", "in", "use"],
        [str(archives / "door.toml"), "before", "it"],
    ]
    told = [maskgate("rollback") for _ in range(4)]
    assert [one[1] for one in told[:3]] == [
        "settings: what came with the package is in use again\n",
        "models: maskgate-5 is in use again\n",
        "models: what came with the package is in use again\n",
    ]
    assert told[3][0] == 2 and "nothing to go back to" in told[3][2]
    assert "went back from maskgate-5, 20" in maskgate("list")[1]


def test_verify_works_without_a_store_and_makes_none(maskgate, archives):
    code, told, _ = maskgate("verify", archives / "maskgate-5.tar")
    assert code == 0 and told.startswith("maskgate-5: models, whole, signed by the trusted key")
    assert not (archives / "store").exists()


def test_installed_files_can_be_read_by_the_daemon_whatever_the_umask(maskgate, archives):
    own = ["--store", str(archives / "store"), "--keys", str(archives / "keys")]
    command = ["bundle", "install", str(archives / "door-3.tar"), *own]
    script = f"import os; os.umask(0o077); from edge.__main__ import main; main({command!r})"
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    modes = {path.stat().st_mode & 0o777 for path in (archives / "store").rglob("*") if path.name != ".lock"}
    assert modes == {0o755, 0o644} and (archives / "store").stat().st_mode & 0o777 == 0o755


def test_a_store_that_cannot_be_read_is_mended_by_going_back(maskgate, archives):
    maskgate("install", archives / "maskgate-5.tar")
    (archives / "store" / "store.json").write_bytes(b"rotten")
    for action in (
        ["list"],
        ["install", archives / "maskgate-6.tar"],
        ["verify", archives / "maskgate-6.tar"],
        ["poll"],
    ):
        code, _, error = maskgate(*action)
        assert code == 2 and "`sudo maskgate bundle rollback` goes back" in error and error.count("\n") == 1
    assert maskgate("rollback")[0] == 0
    assert maskgate("install", archives / "maskgate-5.tar")[0] == 2
    assert maskgate("install", archives / "maskgate-6.tar")[0] == 0
    assert load(archives / "store").models.current == "maskgate-6"


def test_poll_without_an_index_is_no_error(maskgate):
    code, told, _ = maskgate("poll")
    assert code == 0 and "names none" in told


def test_watch_without_systemd_is_an_error(maskgate):
    code, _, error = maskgate("watch")
    assert code == 2 and "systemd does not run here" in error


def test_errors_are_one_line_and_change_nothing(maskgate, archives):
    maskgate("install", archives / "maskgate-6.tar")
    (archives / "stranger.tar").write_bytes(release(models(7), 7, key=STRANGER))
    before = tree(archives / "store")
    for action in ("install", "verify"):
        for source in ("absent.tar", "maskgate-5.tar", "stranger.tar", "door.toml"):
            code, told, error = maskgate(action, archives / source)
            assert code == 2 and told == "" and error.count("\n") == 1
            assert error.startswith(f"maskgate: error: {archives / source}: ")
    assert tree(archives / "store") == before


def test_a_store_that_cannot_be_made_is_told(maskgate, archives):
    (archives / "store").write_bytes(b"a file")
    code, _, error = maskgate("install", archives / "maskgate-5.tar")
    assert code == 2 and error.count("\n") == 1 and "store" in error


def test_a_release_made_by_make_sign_is_installed_and_run(tmp_path, monkeypatch, capsys):
    from convert.sign import main as sign

    assert sign(["key", "--key", str(tmp_path / "key.pem")]) == 0
    (tmp_path / "door.toml").write_text(TRIAL_SETTINGS)
    assert sign(["sign", str(tmp_path / "door.toml"), "--version", "3", "--key", str(tmp_path / "key.pem")]) == 0
    (tmp_path / "keys").mkdir()
    shutil.copy(tmp_path / "key.pub.pem", tmp_path / "keys")
    monkeypatch.setattr("edge.update.service.RUNNING", tmp_path / "absent")
    own = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys")]
    assert main(["bundle", "install", str(tmp_path / "door-3.tar"), *own]) == 0
    assert load(tmp_path / "store").settings.current == "door-3"
