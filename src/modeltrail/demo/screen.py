"""What the demo and `modeltrail up` show: steps that are done, what is being waited for, numbers that move.

On a terminal with colour and movement; elsewhere as plain lines. With --json everything goes to stderr, because
stdout belongs to the one document at the end.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from modeltrail.cli.output import printable

__all__ = ["Screen", "StreamView"]

_QUIET_S = 3.0
"""Without a terminal, moving numbers are a plain line this often."""
_WIDE = 100_000
_LABEL = 11
_BAR = 36


@dataclass(frozen=True)
class StreamView:
    """What is shown while events stream. Counts are records; rates are records a second."""

    total: int
    counts: Sequence[tuple[str, int, float | None, str]]
    """Name, count, rate and a remark, from the first to the last station of a record."""
    processes: Sequence[tuple[str, str, bool]]
    """Name, what it does, and whether it is alive."""

    @property
    def share(self) -> float:
        """How much of the total has come to the second station, 0 to 1."""
        return min(1.0, self.counts[1][1] / self.total) if self.total else 0.0


class Screen:
    """Where the story is told."""

    def __init__(self, *, json: bool) -> None:
        stream = sys.stderr if json else sys.stdout
        self.terminal = stream.isatty()
        self._console = Console(
            file=stream,
            force_terminal=self.terminal,
            width=None if self.terminal else _WIDE,
            no_color=None if self.terminal else True,
            emoji=False,
            highlight=False,
        )
        self.plain = self._console.options.ascii_only
        """Whether only ASCII can be shown."""
        self._good, self._bad = ("ok", "!!") if self.plain else ("✓", "✗")
        self._live: Live | None = None
        self._spoke_at = 0.0

    def title(self, text: str, below: str) -> None:
        """Begin."""
        self._print(Text(text, style="bold"))
        self._print(Text(below, style="dim"))

    def chapter(self, number: int, text: str) -> None:
        """Begin a part of the story."""
        self._print()
        self._print(Text.assemble((f"{number}  ", "bold cyan"), (text, "bold")))

    def done(self, label: str, text: str, *, seconds: float | None = None) -> None:
        """Say that something is there, or holds."""
        self._line(self._good, "green", label, text, seconds)

    def struck(self, label: str, text: str, *, seconds: float | None = None) -> None:
        """Say that something was broken, or that something broken was found."""
        self._line(self._bad, "red", label, text, seconds)

    def more(self, text: str, *, style: str = "", cut: bool = False) -> None:
        """Add a line to what was said last; `cut` it at the edge of a terminal rather than go on below."""
        self._indented(text, len(self._good) + _LABEL + 4, style, cut=cut)

    def paragraph(self, text: str, *, style: str = "") -> None:
        """Say a sentence or two."""
        self._indented(text, 3, style)

    def drawing(self, lines: Sequence[str]) -> None:
        """Show lines as they are: a chart."""
        for line in lines:
            self._print(Text(" " * 5 + line, no_wrap=True, overflow="crop"))

    def gap(self) -> None:
        """Leave a line empty."""
        self._print()

    def commands(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show commands to type, each with what it does, whole lines to be copied."""
        for command, purpose in lines:
            self._console.print(Text(f"   {command}", style="bold"), soft_wrap=True)
            self._console.print(Text(f"      {purpose}", style="dim"), soft_wrap=True)

    def summary(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show the outcome."""
        self._print()
        if not self.terminal:
            for name, value in rows:
                self._print(Text(f"   {name:{_LABEL}} {printable(value)}"))
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(Text(name), Text(printable(value)))
        self._print(Padding(Panel.fit(table, border_style="green", padding=(0, 2)), (0, 0, 0, 2)))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something takes a while."""
        if not self.terminal:
            yield
            return
        with self._console.status(Text(printable(text), style="dim"), spinner="dots"):
            yield

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Show moving numbers by `update` until the block ends; the last ones stay."""
        if not self.terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=False) as self._live:
            yield
        self._live = None

    def update(self, view: StreamView, *, last: bool = False) -> None:
        """Show newer numbers."""
        if self._live is not None:
            self._live.update(_rendered(view), refresh=True)
        elif not self.terminal and (last or time.monotonic() - self._spoke_at >= _QUIET_S):
            self._spoke_at = time.monotonic()
            numbers = ", ".join(
                f"{name} {count:,}" + (f" ({rate:,.0f}/s)" if rate else "") for name, count, rate, _ in view.counts
            )
            self._print(Text(f"   {numbers}"))

    def _line(self, mark: str, style: str, label: str, text: str, seconds: float | None) -> None:
        took = "" if seconds is None else f"  {seconds:.1f} s"
        if not self.terminal:
            self._print(Text(f"  {mark} {label:{_LABEL}} {printable(text)}{took}"))
            return
        row = Table.grid(padding=(0, 1))
        row.add_column(width=2 + len(mark), justify="right")
        row.add_column(width=_LABEL)
        row.add_column(overflow="fold")
        body = Text.assemble(printable(text), (took, "dim"))
        row.add_row(Text(mark, style=f"bold {style}"), Text(label, style="dim"), body)
        self._print(row)

    def _indented(self, text: str, columns: int, style: str, *, cut: bool = False) -> None:
        if self.terminal:
            shown = Text(printable(text), style=style, no_wrap=cut, overflow="ellipsis" if cut else "fold")
            self._print(Padding(shown, (0, 0, 0, columns)))
        else:
            self._print(Text(" " * columns + printable(text)))

    def _print(self, what: RenderableType = "") -> None:
        self._console.print(what)


def _rendered(view: StreamView) -> RenderableType:
    numbers = Table.grid(padding=(0, 2))
    numbers.add_column(width=_LABEL)
    numbers.add_column(justify="right", min_width=9)
    numbers.add_column(justify="right", min_width=10)
    numbers.add_column(style="dim")
    for name, count, rate, remark in view.counts:
        shown = "" if rate is None else f"{rate:,.0f}/s"
        numbers.add_row(Text(name, style="dim"), Text(f"{count:,}", style="bold"), Text(shown, style="cyan"), remark)
    processes = Table.grid(padding=(0, 2))
    processes.add_column(width=_LABEL)
    processes.add_column()
    for name, doing, alive in view.processes:
        processes.add_row(Text(name, style="dim"), Text(doing, style="" if alive else "red"))
    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(total=1.0, completed=view.share, width=_BAR), Text(f"{view.share:.0%}", style="bold"))
    return Padding(Group(numbers, Padding(bar, (1, 0)), processes), (1, 0, 0, 6))
