"""A machine made of the files and the commands' output that a test gives it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.doctor.machine import Machine


class Commands:
    """What commands print, by the whole command line; None for those that are not there."""

    def __init__(self, printed: Mapping[str, str]) -> None:
        self.printed = printed

    def __call__(self, command) -> str | None:
        return self.printed.get(" ".join(command))


@pytest.fixture
def machine(tmp_path):
    """Makes a machine: files by path without the root, commands by their line."""

    def made(
        files: Mapping[str, str] = {}, commands: Mapping[str, str] = {}, processor: str = "aarch64", bits: int = 64
    ) -> Machine:
        for name, content in files.items():
            path: Path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return Machine(tmp_path, Commands(commands), processor, bits)

    return made
