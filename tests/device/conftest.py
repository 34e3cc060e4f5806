"""What the device tests measured is told at the end."""

import pytest

NOTES = pytest.StashKey[list[str]]()


@pytest.fixture
def note(pytestconfig):
    """Takes a line for the summary."""
    return pytestconfig.stash.setdefault(NOTES, []).append


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(NOTES, []):
        terminalreporter.write_line(line)
