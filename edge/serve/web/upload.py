"""A picture that somebody sends to be judged: it is held in memory alone, judged in a process apart, and forgotten."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES = 8_000_000
SENDING_SECONDS = 60.0
JUDGING_SECONDS = 20.0
BEGINNINGS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n", "image/webp": b"RIFF"}


class Trial:
    """Judges one picture at a time. bundle: folder of the models, "" for those that come with maskgate."""

    def __init__(self, bundle: str) -> None:
        self._command = [sys.executable, "-I", "-m", "edge.serve.web.try_picture", *([bundle] if bundle else [])]
        self._busy = False

    async def answer(self, request: Request) -> bytes:
        """What try_picture says of the request's body, JSON. Raises HTTPException."""
        if self._busy:
            raise HTTPException(429, "another picture is being judged; try again in a moment", {"Retry-After": "2"})
        self._busy = True
        try:
            with os.fdopen(os.memfd_create("picture"), "wb", buffering=0) as file:
                await _receive(request, file)
                return await self._judge(file)
        finally:
            self._busy = False

    async def _judge(self, file: BinaryIO) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            answer, _ = await asyncio.wait_for(process.communicate(), JUDGING_SECONDS)
        except TimeoutError as error:
            raise HTTPException(
                422, f"the picture took longer than {JUDGING_SECONDS:g} s; try a smaller one"
            ) from error
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.returncode == 0:
            return answer
        # without an answer it was ended, by the limits that it had set itself
        fault = msgspec.json.decode(answer)["fault"] if process.returncode == 2 else "too much for this device"
        raise HTTPException(422, f"the picture cannot be judged: {fault}")


async def _receive(request: Request, file: BinaryIO) -> None:
    """Raises HTTPException when it is too long, too slow, or not what it says it is."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in BEGINNINGS:
        raise HTTPException(415, "not a JPEG, PNG or WebP picture; send one of these")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:12]) > MOST_BYTES:
        raise _too_long()
    try:
        async with asyncio.timeout(SENDING_SECONDS):
            await _copy(request.stream(), file, BEGINNINGS[kind])
    except TimeoutError as error:
        raise HTTPException(
            408, f"the picture took longer than {SENDING_SECONDS:g} s to arrive; send it again"
        ) from error


async def _copy(chunks: AsyncIterator[bytes], file: BinaryIO, beginning: bytes) -> None:
    head, length = b"", 0
    async for chunk in chunks:
        length += len(chunk)
        if length > MOST_BYTES:
            raise _too_long()
        if len(head) < len(beginning):
            head += chunk[: len(beginning)]
            if not beginning.startswith(head[: len(beginning)]):
                break
        file.write(chunk)
    if not head.startswith(beginning):
        raise HTTPException(415, "not the kind of picture that it claims to be, or none; send a JPEG, PNG or WebP file")


def _too_long() -> HTTPException:
    return HTTPException(413, f"the picture is too large; {MOST_BYTES / 1e6:g} MB at most")
