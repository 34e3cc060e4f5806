import pytest

from edge.errors import OutputError
from edge.update.service import Systemd, find_service
from edge.update.trial import Health


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Puts a script in the place of systemctl."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(script):
        (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
        (tmp_path / "systemctl").chmod(0o755)
        return lambda: (tmp_path / "asked").read_text().splitlines()

    return write


def test_what_systemd_shows_is_read(systemctl):
    systemctl("echo NRestarts=2; echo ActiveState=active; echo 'StatusText=maskgate-4: FAULT, a=b; c'")
    seen = Systemd().look()
    assert seen == Health("active", 2, "maskgate-4: FAULT, a=b; c")
    assert (seen.bundle, seen.fault) == ("maskgate-4", "a=b; c")


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "printf '\\377='", "echo NRestarts=[not set]"])
def test_when_it_shows_nothing_nothing_is_known(systemctl, script):
    systemctl(script)
    assert Systemd().look() == Health("unknown")


def test_it_is_asked_to_restart_without_waiting_for_it(systemctl):
    asked = systemctl("")
    Systemd().restart()
    Systemd().watch()
    assert asked() == ["restart --no-block maskgate.service", "restart --no-block maskgate-trial.service"]


def test_what_it_refuses_is_told_in_one_line(systemctl):
    systemctl("echo Access >&2; echo denied >&2; exit 4")
    with pytest.raises(OutputError, match=r"systemctl restart --no-block maskgate.service: Access denied"):
        Systemd().restart()


def test_without_systemctl_that_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OutputError, match="No such file"):
        Systemd().restart()


def test_it_is_there_where_systemd_runs_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.update.service.RUNNING", tmp_path)
    assert isinstance(find_service(), Systemd)
    monkeypatch.setattr("edge.update.service.RUNNING", tmp_path / "absent")
    assert find_service() is None
