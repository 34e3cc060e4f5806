import socket

import pytest

from edge.notify import Status, notify, read_status


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(5)
        channel.bind(str(tmp_path / "notify"))
        yield channel


def test_a_message_reaches_the_service_manager(manager, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    notify("WATCHDOG=1")
    assert manager.recv(100) == b"WATCHDOG=1"


def test_an_abstract_address_is_understood(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(5)
        channel.bind("\0maskgate-test")
        monkeypatch.setenv("NOTIFY_SOCKET", "@maskgate-test")
        notify("READY=1")
        assert channel.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify"])
def test_without_a_service_manager_nothing_happens(address, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


def test_a_manager_that_does_not_listen_is_not_waited_for(manager, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    for _ in range(5000):
        notify("WATCHDOG=1")


def test_what_the_daemon_says_of_itself_is_read_back_as_it_was_said():
    fault = Status("maskgate-4", "FAULT", "no frame for 0.5 s; check: its cable, and power")
    assert read_status(str(fault)) == fault
    assert fault.fault == fault.more
    assert read_status("maskgate-4: IDLE, 15.0 frames/s").fault == ""


@pytest.mark.parametrize("text", ["", "starting", "maskgate-4 IDLE", "maskgate 4: IDLE, fine"])
def test_any_other_text_says_nothing(text):
    assert read_status(text) == Status("", "", "")
