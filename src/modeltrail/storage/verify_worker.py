"""Another process that checks rows by column, so that verification here takes every core.

It is started by `verify_recompute`, reads tasks from its standard input and answers on its standard output. It has no
connection of its own. What goes over is a sequence of frames, each 4 bytes of length, big-endian, and its content:

    in    first      JSON: the judge as [module, name], null for none
          a task     JSON: the spans; then the Arrow stream of their rows in any number of frames, and an empty frame
    out   a task     JSON: for each span what holds, null if not everything does
"""

import gc
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Self

from modeltrail.errors import ModeltrailError
from modeltrail.ledger.verification import Judge, Link
from modeltrail.storage.verify_columns import Held, Span, held

__all__ = ["CheckingProcess", "can_be_named"]

_LENGTH = 4
_FRAME = 1 << 20


def can_be_named(judge: Judge | None) -> bool:
    """Whether another process can import the judge."""
    if judge is None:
        return True
    module = sys.modules.get(getattr(judge, "__module__", None) or "")
    return module is not None and getattr(module, getattr(judge, "__qualname__", ""), None) is judge


class CheckingProcess:
    """The process, as seen from this one: one task at a time is given and its answer taken.

    Every method raises ModeltrailError where the process has ended, which it does only if something ended it.
    """

    def __init__(self, judge: Judge | None) -> None:
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", "modeltrail.storage.verify_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._send(json.dumps(judge and [judge.__module__, getattr(judge, "__qualname__", "")]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def give(self, spans: Sequence[Span], begin: bytes, rest: Any) -> None:
        """Hand over a task: the stream begins with `begin`, and what the file `rest` holds follows."""
        self._send(json.dumps(spans).encode())
        part = begin
        while part:
            for at in range(0, len(part), _FRAME):
                self._send(part[at : at + _FRAME])
            part = rest.read(_FRAME)
        self._send(b"")

    def take(self) -> list[Held | None]:
        """Return what the process says about the task that it was given."""
        said = _receive(self._process.stdout)
        if said is None:
            raise self._ended()
        return [None if one is None else _held(*one) for one in json.loads(said)]

    def _send(self, content: bytes) -> None:
        try:
            _write(self._process.stdin, content)
        except OSError:
            raise self._ended() from None

    def _ended(self) -> ModeltrailError:
        return ModeltrailError(
            f"a process that verifies ended with {self._process.wait()}; is there enough memory for it?"
        )


def _held(first: Sequence[Any], last: Sequence[Any], repeats: int) -> Held:
    return Held(_link(first), _link(last), repeats)


def _link(fields: Sequence[Any]) -> Link:
    *others, prev, entry = fields
    return Link._make((*others, bytes.fromhex(prev), bytes.fromhex(entry)))


def _fields(link: Link) -> list[Any]:
    return [*link[:-2], link.prev_hash.hex(), link.entry_hash.hex()]


def _write(pipe: Any, content: bytes) -> None:
    pipe.write(len(content).to_bytes(_LENGTH))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: Any) -> bytes | None:
    head = pipe.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    length = int.from_bytes(head)
    content = pipe.read(length)
    return bytes(content) if len(content) == length else None


class _Frames(io.RawIOBase):
    """The frames up to an empty one, as a file."""

    def __init__(self, pipe: Any) -> None:
        super().__init__()
        self._pipe = pipe
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._ended:
            self._left = _receive(self._pipe) or b""
            self._ended = not self._left
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)

    def drain(self) -> None:
        """Read what nobody wanted."""
        while not self._ended:
            self._left = _receive(self._pipe) or b""
            self._ended = not self._left


def _serve(asked: Any, told: Any) -> None:
    named = json.loads(_receive(asked) or b"null")
    judge = getattr(importlib.import_module(named[0]), named[1]) if named else None
    gc.freeze()
    gc.disable()  # rows hold no cycles, and looking for some takes half of the time
    while (spans := _receive(asked)) is not None:
        frames = _Frames(asked)
        answers = held(io.BufferedReader(frames, _FRAME), [Span(*span) for span in json.loads(spans)], judge)
        frames.drain()
        said = [None if one is None else [_fields(one.first), _fields(one.last), one.repeats] for one in answers]
        _write(told, json.dumps(said).encode())


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
