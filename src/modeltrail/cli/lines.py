"""Lines of a file or of standard input, plain or gzip, in bounded memory and without blocking the event loop."""

import asyncio
import os
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from modeltrail.errors import ConfigurationError

__all__ = ["LINE_MAX", "Line", "LineSource"]

LINE_MAX = 16 * 2**20
"""Bytes of the longest line that is read; a longer one is cut, which its reader can tell by its length."""

_CHUNK = 256 * 1024
_CHUNKS_AHEAD = 8
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


class Line(NamedTuple):
    """A line without its end; `number` counts from 1."""

    number: int
    text: bytes


class LineSource:
    """Reads `path`, or standard input for `-`; a context manager.

    The file is read by a thread of its own, a few chunks ahead: reading a pipe may wait for ever, and meanwhile what
    was published has to go on.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._size: int | None = None
        self._read_bytes = 0
        self._lines_read = 0
        self._stopping = threading.Event()
        self._room = threading.Semaphore(_CHUNKS_AHEAD)
        self._file = -1

    def __enter__(self) -> Self:
        """Open the file; ConfigurationError where that is not possible."""
        if self._path == "-":
            self._file = 0
            return self
        try:
            self._file = os.open(self._path, os.O_RDONLY)
            if Path(self._path).is_dir():
                raise IsADirectoryError(21, os.strerror(21))
        except OSError as error:
            self.__exit__()
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from error
        self._size = os.fstat(self._file).st_size or None
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file. A thread that waits for standard input is left behind: nothing else can end it."""
        self._stopping.set()
        self._room.release()
        if self._file > 0:
            os.close(self._file)
            self._file = -1

    def estimate(self) -> int | None:
        """Return how many lines there will be, judging by those read so far; None where nobody can tell."""
        if self._size is None or not self._read_bytes:
            return None
        return round(self._lines_read * self._size / self._read_bytes)

    async def lines(self) -> AsyncIterator[Line]:
        """Yield the lines that are not blank. ConfigurationError where the file cannot be read to its end."""
        number, rest, overlong = 0, b"", False
        async for chunk in self._unpacked():
            *whole, rest = (rest + chunk).split(b"\n")
            self._lines_read += len(whole)
            for text in whole:
                number += 1
                if overlong:  # its beginning has been yielded already
                    overlong = False
                elif text.strip():
                    yield Line(number, text.removesuffix(b"\r"))
            if len(rest) > LINE_MAX:
                if not overlong:
                    yield Line(number + 1, rest)
                overlong, rest = True, b""
        if rest.strip() and not overlong:
            yield Line(number + 1, rest.removesuffix(b"\r"))

    async def _unpacked(self) -> AsyncIterator[bytes]:
        unpack: _Gunzip | None = None
        begin: bytes | None = b""
        async for chunk in self._chunks():
            packed = chunk
            if begin is not None:
                packed = begin + chunk
                if len(packed) < len(_GZIP_MAGIC) and _GZIP_MAGIC.startswith(packed):
                    begin = packed  # a pipe may hand over a byte at a time
                    continue
                begin = None
                unpack = _Gunzip(self._path) if packed.startswith(_GZIP_MAGIC) else None
            if unpack is None:
                yield packed
            else:
                for part in unpack.feed(packed):
                    yield part
        if begin:
            yield begin
        if unpack is not None:
            unpack.finish()

    async def _chunks(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes | OSError] = asyncio.Queue()

        def hand_over(item: bytes | OSError) -> bool:
            try:
                loop.call_soon_threadsafe(queue.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody wants more
                return False
            return True

        def pump() -> None:
            while True:
                self._room.acquire()
                if self._stopping.is_set():
                    return
                try:
                    chunk = os.read(self._file, _CHUNK)
                except OSError as error:
                    hand_over(error)
                    return
                if not hand_over(chunk) or not chunk:
                    return

        threading.Thread(target=pump, name="read-lines", daemon=True).start()
        while True:
            item = await queue.get()
            self._room.release()
            if isinstance(item, OSError):
                raise ConfigurationError(f"{self._path}: cannot be read: {item.strerror}") from item
            if not item:
                return
            self._read_bytes += len(item)
            yield item


class _Gunzip:
    """Unpacks gzip, several members one after the other included."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, packed: bytes) -> Iterator[bytes]:
        try:
            while packed:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                part = self._member.decompress(packed, _CHUNK)
                packed = self._member.unconsumed_tail or self._member.unused_data
                if part:
                    yield part
        except zlib.error as error:
            raise ConfigurationError(f"{self._path}: is damaged: {error}") from error

    def finish(self) -> None:
        if not self._member.eof:
            raise ConfigurationError(f"{self._path}: ends in the middle of its gzip data")
