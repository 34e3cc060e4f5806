"""Cuts the power at the n-th change of the disk: the process is gone at once, and with it what was never flushed.

A child process counts every change that goes through `os`. What is lost with the power is chosen: "nothing" (as after
a kill), the "data" of files that were written but not flushed, or the "names" too: whatever was made or renamed in a
folder that was not flushed since.
"""

import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHANGES = ("mkdir", "open", "write", "fsync", "rename", "replace", "unlink", "rmdir", "chmod")
LOSSES = ("nothing", "data", "names")


@dataclass
class Unflushed:
    """A name that is not on the disk yet; `before`: what had been renamed, `kept`: what it replaced."""

    name: Path
    before: Path | None = None
    kept: Path | None = None

    def lose(self) -> None:
        if self.before:
            self.name.rename(self.before)
        elif self.name.is_dir():
            shutil.rmtree(self.name)
        else:
            self.name.unlink(missing_ok=True)
        if self.kept:
            os.link(self.kept, self.name)


class Power:
    """step: before which of the changes from now on it fails. store: the folder beside which it may keep files."""

    def __init__(self, step: int, loss: str, store: Path) -> None:
        self._left, self._loss = step, loss
        self._data: set[Path] = set()
        self._names: list[Unflushed] = []
        self._aside = Path(tempfile.mkdtemp(dir=store.parent))
        self._real = {name: getattr(os, name) for name in CHANGES}
        for name in CHANGES:
            setattr(os, name, getattr(self, name))

    def fail(self) -> None:
        """What was not flushed is lost."""
        for name, real in self._real.items():
            setattr(os, name, real)
        if self._loss != "nothing":
            for file in self._data:
                if file.exists():
                    os.truncate(file, file.stat().st_size // 2)
        if self._loss == "names":
            for name in reversed(self._names):
                name.lose()

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            self.fail()
            os.kill(os.getpid(), signal.SIGKILL)

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        if not flags & os.O_CREAT or os.path.exists(path):
            return self._real["open"](path, flags, mode, dir_fd=dir_fd)
        self._step()
        self._data.add(Path(path))
        self._names.append(Unflushed(Path(path)))
        return self._real["open"](path, flags, mode)

    def write(self, descriptor, data):
        half = len(data) // 2
        self._step()
        self._real["write"](descriptor, bytes(data)[:half])
        self._step()
        return half + self._real["write"](descriptor, bytes(data)[half:])

    def fsync(self, descriptor):
        """Not for real: the tests would take long, and their power never fails."""
        self._step()
        flushed = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        self._data.discard(flushed)
        self._names = [each for each in self._names if each.name.parent != flushed]

    def mkdir(self, path, mode=0o777, *, dir_fd=None):
        self._step()
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        self._names.append(Unflushed(Path(path)))

    def rename(self, old, new):
        self._step()
        self._moved(Path(old), Path(new))
        self._real["rename"](old, new)

    def replace(self, old, new):
        self._step()
        kept = None
        if os.path.exists(new):
            kept = self._aside / str(len(os.listdir(self._aside)))
            os.link(new, kept)
        self._moved(Path(old), Path(new), kept)
        self._real["replace"](old, new)

    def _moved(self, old, new, kept=None):
        def there(path):
            return new / path.relative_to(old) if path.is_relative_to(old) else path

        self._data = {there(file) for file in self._data}
        # a name made in the same folder and not flushed yet: it was never there under the old one
        made = [each for each in self._names if each.name == old]
        self._names = [Unflushed(there(each.name), each.before, each.kept) for each in self._names if each not in made]
        self._names.append(Unflushed(new, None if made and old.parent == new.parent else old, kept))

    def unlink(self, path, *, dir_fd=None):
        self._step()
        self._real["unlink"](path, dir_fd=dir_fd)

    def rmdir(self, path, *, dir_fd=None):
        self._step()
        self._real["rmdir"](path, dir_fd=dir_fd)

    def chmod(self, *arguments, **more):
        self._step()
        self._real["chmod"](*arguments, **more)


def cut_at(step, loss, store, work) -> bool:
    """Do `work` in a process of its own whose power fails at that step, or right after; whether it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            power = Power(step, loss, store)
            work()
            power.fail()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), "failed by itself"
    return status == 0
