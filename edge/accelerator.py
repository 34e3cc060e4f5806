"""A Coral Edge TPU, in a process of its own; where that fails, the processor takes over.

The stick's library ends the process that it is in when USB fails it, and may hang there. So it has one of its own; one
that ends, refuses or does not answer in time is given up for good. Only one process at a time can use a stick: the
daemon alone asks for it.

    to it      which network, one byte; a picture, uint8 (H, W, 3)
    from it    once both networks run, and then to each picture: "+" and the outputs, int8; or "-" and why not
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.contract import Bundle, load_bundle
from edge.errors import BundleError, in_one_line
from edge.interpreter import Integers, Network, networks, on_delegate
from edge.values import Rgb

LIBRARY = "libedgetpu.so.1"
START_SECONDS = 30.0
"""How long the stick may take until it has given its first answers."""
ANSWER_SECONDS = 0.5
END_SECONDS = 0.5
"""How long its process may take to be gone."""
PROCESSOR, EDGE_TPU = "processor", "Edge TPU"


class Closing(Protocol):
    """What can be closed."""

    def close(self) -> None: ...


class Stick:
    """Both networks of a bundle on an Edge TPU, while that works. fault: why it does not."""

    def __init__(self, bundle: Bundle) -> None:
        self.fault: str | None = None
        find, tell = bundle.contract.locator, bundle.contract.classifier
        self._shapes = (find.scores.shape, find.boxes.shape), (tell.logits.shape,)
        self._line, theirs = socket.socketpair()
        self._answers = self._line.makefile("rb")
        with theirs:
            self._process = start(theirs, bundle.folder)
        self._end = weakref.finalize(self, end, self._process, self._answers, self._line)
        self._ask(b"", 0, START_SECONDS)

    def answer(self, network: int, rgb: Rgb) -> Integers | None:
        """What network 0, the locator, or 1, the classifier, gives for a picture of its size; None without a stick."""
        if self.fault:
            return None
        shapes = self._shapes[network]
        content = self._ask(bytes([network]) + rgb.tobytes(), sum(map(math.prod, shapes)), ANSWER_SECONDS)
        return None if content is None else split(content, shapes)

    def _ask(self, message: bytes, size: int, seconds: float) -> bytes | None:
        """The answer's `size` bytes, or None once the stick was given up."""
        self._line.settimeout(seconds)
        try:
            self._line.sendall(message)
            sign, content = self._answers.read(1), self._answers.read(size)
            if sign == b"-":
                self._give_up((content + self._answers.read()).decode())
            elif sign == b"+" and len(content) == size:
                return content
            else:
                self._give_up(self._how_it_ended())
        except TimeoutError:
            self._give_up(f"no answer within {seconds:g} s")
        except OSError:
            self._give_up(self._how_it_ended())
        return None

    def _give_up(self, reason: str) -> None:
        self.fault = reason
        print(f"maskgate: the {PROCESSOR} judges, not the {EDGE_TPU}: {reason}; see `maskgate doctor`", file=sys.stderr)
        self._end()

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process does not listen"
        return f"its process ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"


class Assisted:
    """A network that a stick runs, as long as it works. number: of the network, for the stick."""

    def __init__(self, network: Network, stick: Stick, number: int) -> None:
        self._network, self._stick, self._number = network, stick, number

    def invoke(self, rgb: Rgb) -> list[NDArray[np.float32]]:
        """See Network."""
        answer = self._stick.answer(self._number, rgb)
        return self._network.invoke(rgb) if answer is None else self._network.real(answer)


def open_stick(bundle: Bundle, accelerator: str) -> Stick | None:
    """What the settings' `accelerator` asks for: "auto" for a stick if the bundle has models for one.

    Never fails: a stick that cannot be used says so once on standard error, and leaves all to the processor.
    """
    wanted = accelerator == "edgetpu" or (accelerator == "auto" and edgetpu_files(bundle))
    return Stick(bundle) if wanted else None


def runs_on(stick: Stick | None) -> str:
    """Where the networks run, for people."""
    if stick is None:
        return PROCESSOR
    return f"{PROCESSOR}, not the {EDGE_TPU}: {stick.fault}" if stick.fault else EDGE_TPU


def edgetpu_files(bundle: Bundle) -> list[Path]:
    """Locator and classifier compiled for an Edge TPU, or nothing."""
    parts = bundle.contract.locator.edgetpu, bundle.contract.classifier.edgetpu
    return [bundle.folder / part.file for part in parts if part is not None]


def start(line: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    """The process that has the stick, at the other end of `line`."""
    # it finds its modules where this process found them
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "edge.accelerator", str(line.fileno()), str(folder), LIBRARY],
        pass_fds=[line.fileno()],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def end(process: subprocess.Popen[bytes], *connection: Closing) -> None:
    """Whatever the process is at, it is over; one that the kernel does not let go is not waited for."""
    process.kill()
    for each in connection:
        each.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)


def split(content: bytes, shapes: tuple[tuple[int, ...], ...]) -> Integers:
    """The outputs, int8 of these shapes, that lie one behind the other."""
    integers, ends = np.frombuffer(content, np.int8), np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(integers, ends[:-1]), shapes, strict=True)]


def serve(line: socket.socket, bundle: Bundle, library: str) -> None:
    """Run pictures on the stick until the daemon closes its end."""
    if not (files := edgetpu_files(bundle)):
        raise BundleError(f"bundle {bundle.folder}: has no models for it")
    both = networks(bundle, 1, on_delegate(library), files)
    for network in both:
        network.answer(np.zeros(network.shape, np.uint8))  # the first run takes the model to the stick
    line.sendall(b"+")
    pictures = line.makefile("rb")
    while number := pictures.read(1):
        network = both[number[0]]
        rgb = np.frombuffer(pictures.read(math.prod(network.shape)), np.uint8).reshape(network.shape)
        line.sendall(b"+" + b"".join(each.tobytes() for each in network.answer(rgb)))


def main(handle: int, folder: Path, library: str) -> None:
    """Serve the daemon at the other end of a socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the daemon's end is this one's, not before
    with socket.socket(fileno=handle) as line:
        try:
            serve(line, load_bundle(folder), library)
        except Exception as error:
            line.sendall(b"-" + in_one_line(error).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
