"""Keeps off the terminal what C libraries print there by themselves: the user sees our one line, not theirs."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0
_kept = -1


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Standard error leads nowhere within, for the whole process; threads and blocks may overlap."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _depth, _kept
    with _lock:
        if _depth == 0:
            _kept = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        _depth += 1


def _leave() -> None:
    global _depth
    with _lock:
        _depth -= 1
        if _depth == 0:
            os.dup2(_kept, 2)
            os.close(_kept)
