"""The event log: one JSON object a line at each change of state."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from edge.errors import InputError
from edge.values import Decision, Frame, State, Track


class Stream(Protocol):
    """What the lines go to: a file opened for bytes, without a buffer, so that each event is on disk at once."""

    def write(self, data: bytes, /) -> int | None: ...


class EventLog:
    """Writes an event whenever the state differs from the one before.

    A failing write never stops the caller: the first is reported on standard error, and later events are tried anew.
    """

    def __init__(self, stream: Stream, name: str = "events") -> None:
        self._stream = stream
        self._name = name
        self._state: State | None = None
        self._reported = False

    def __call__(self, decision: Decision, frame: Frame | None = None) -> None:
        """Take note of a decision; the frame is of no interest here."""
        if decision.state != self._state:
            self._state = decision.state
            self._write((json.dumps(event(decision)) + "\n").encode())

    def _write(self, line: bytes) -> None:
        try:
            self._stream.write(line)
        except OSError as error:
            if not self._reported:
                print(f"maskgate: {self._name}: an event was lost ({error.strerror})", file=sys.stderr)
            self._reported = True


@contextmanager
def open_events(file: Path, append: bool = True) -> Iterator[EventLog]:
    """An event log in a file, which is added to or, without `append`, begun anew. Raises InputError."""
    try:
        stream = file.open("ab" if append else "wb", buffering=0)
    except OSError as error:
        raise InputError(f"{file}: cannot write the events there ({error.strerror}); name another file") from error
    with stream:
        yield EventLog(stream, str(file))


def event(decision: Decision) -> dict[str, Any]:
    """A decision as one object of the log: time to the millisecond, boxes to a tenth of a pixel, scores to 3 digits."""
    faces = [_face(track) for track in decision.tracks]
    return {"time": round(decision.time, 3), "state": decision.state, "reason": decision.reason, "faces": faces}


def _face(track: Track) -> dict[str, Any]:
    box = [round(edge, 1) for edge in track.box]
    return {"id": track.id, "box": box, "label": track.label, "score": round(track.score, 3)}
