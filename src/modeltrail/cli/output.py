"""What commands print, and where.

stdout    results: text and tables, or with --json one document in one line, the last one
stderr    progress, notes, warnings, errors

Text that may come from an event is escaped, so that nobody's data moves the cursor or changes a colour. There is
neither colour nor animation where the stream is not a terminal.
"""

import json as json_text
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol

from modeltrail.cli.options import ConfigOption, JsonOption, SetOption, examples, settings_of

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ConfigOption",
    "JsonOption",
    "Meter",
    "Output",
    "SetOption",
    "counted",
    "examples",
    "printable",
    "settings_of",
]

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_QUIET_SECONDS = 10.0
"""Without a terminal, progress is a plain line at most this often."""
_DRAW_SECONDS = 0.1
_WIDE = 100_000
"""Columns of a stream that is not a terminal: nothing is ever cut or wrapped for its reader."""


def printable(text: object) -> str:
    """Return text without control characters; each is written as an escape, backslash and letters."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode(), str(text))


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 chain`, `2 chains`: a number with its noun. `many` is the plural where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


class Meter(Protocol):
    """What `Output.progress` yields."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more."""
        ...

    def total(self, amount: int | None) -> None:
        """Say how many there will be; None: not known."""
        ...

    def describe(self, text: str) -> None:
        """Replace the text before the bar."""
        ...


class Output:
    """The two streams of one command. `json` is its option --json."""

    def __init__(self, *, json: bool = False) -> None:
        self.json_mode = json
        self._consoles: dict[bool, Console] = {}

    def line(self, text: object = "", *, style: str | None = None) -> None:
        """Print a line for people on stdout; nothing with --json. `style` is rich's (`bold`, `red`)."""
        if not self.json_mode:
            self._print(text, style, stderr=False)

    def note(self, text: object, *, style: str | None = None) -> None:
        """Print a line on stderr, with --json too."""
        self._print(text, style, stderr=True)

    def warning(self, text: object) -> None:
        """Print a line on stderr that stands out."""
        self._print(f"warning: {text}", "yellow", stderr=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        title: str | None = None,
        styles: Mapping[str, str] | None = None,
    ) -> None:
        """Print rows in columns on stdout; nothing with --json. Columns of numbers only are aligned right.

        `styles` are rich's, of cells that hold exactly this word.
        """
        if self.json_mode:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        body = [list(row) for row in rows]
        console = self._console(stderr=False)
        table = Table(box=box.SIMPLE if console.is_terminal else None, title=title, pad_edge=False)
        for number, column in enumerate(columns):
            cells = [row[number] for row in body]
            numbers = bool(cells) and all(isinstance(cell, int | float) for cell in cells)
            table.add_column(Text(column), justify="right" if numbers else "left", overflow="fold")
        for row in body:
            texts = ("" if cell is None else printable(cell) for cell in row)
            table.add_row(*(Text(text, style=styles.get(text, "") if styles else "") for text in texts))
        console.print(table)

    def result(self, document: object) -> None:
        """With --json, print the document in one line on stdout; it has to be the last. Otherwise nothing."""
        if self.json_mode:
            self.record(document)

    def record(self, document: object) -> None:
        """Print one line of NDJSON on stdout, with or without --json."""
        sys.stdout.write(_json(document) + "\n")
        sys.stdout.flush()

    @contextmanager
    def progress(self, text: str, *, total: int | None = None, unit: str = "") -> Iterator[Meter]:
        """Show progress on stderr while the block runs; `unit` is what is counted (`events`)."""
        console = self._console(stderr=True)
        if not console.is_terminal:
            yield _PlainMeter(sys.stderr, text, total, unit)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}", markup=False),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as shown:
            meter = _RichMeter(shown, printable(text), total, unit)
            yield meter
            meter.finish()

    def _print(self, text: object, style: str | None, *, stderr: bool) -> None:
        lines = "\n".join(printable(line) for line in str(text).split("\n"))
        self._console(stderr=stderr).print(lines, style=style, markup=False, highlight=False, soft_wrap=True)

    def _console(self, *, stderr: bool) -> "Console":
        if stderr not in self._consoles:
            from rich.console import Console

            stream = sys.stderr if stderr else sys.stdout
            terminal = stream.isatty()
            # FORCE_COLOR and the like do not apply: a pipe is read by programs.
            self._consoles[stderr] = Console(
                file=stream,
                force_terminal=terminal,
                width=None if terminal else _WIDE,
                no_color=None if terminal else True,
                emoji=False,
            )
        return self._consoles[stderr]


class _PlainMeter:
    def __init__(self, stream: IO[str], text: str, total: int | None, unit: str) -> None:
        self._stream = stream
        self._text = text
        self._total = total
        self._unit = unit
        self._done = 0
        self._spoke_at = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._spoke_at >= _QUIET_SECONDS:
            self._spoke_at = now
            of = "" if self._total is None else f" of {self._total:,}"
            self._stream.write(f"{printable(self._text)}: {self._done:,}{of} {self._unit}".rstrip() + "\n")
            self._stream.flush()

    def total(self, amount: int | None) -> None:
        self._total = amount

    def describe(self, text: str) -> None:
        self._text = text


class _RichMeter:
    def __init__(self, shown: Any, text: str, total: int | None, unit: str) -> None:
        self._shown = shown
        self._task = shown.add_task(text, total=total, unit=unit, rate="")
        self._done = 0
        self._began = self._drawn_at = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        now = time.monotonic()
        # Telling rich of every event would cost more than publishing it.
        if now - self._drawn_at >= _DRAW_SECONDS:
            self._drawn_at = now
            self._draw()

    def total(self, amount: int | None) -> None:
        self._shown.update(self._task, total=amount)

    def describe(self, text: str) -> None:
        self._shown.update(self._task, description=printable(text))

    def finish(self) -> None:
        self._draw()

    def _draw(self) -> None:
        rate = self._done / max(time.monotonic() - self._began, _DRAW_SECONDS)
        self._shown.update(self._task, completed=self._done, rate=f"{rate:,.0f}/s")


def _json(document: object) -> str:
    # ASCII only: no encoding of a terminal or a pipe can fail, and no control character gets through.
    return json_text.dumps(document, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
