"""Charts in text: blocks of eighths, one character a value or a bin. Pure: numbers in, lines out, no colours.

    sparkline   ▁▁▂▁▃▇█·▂       one character a value; a dot where there is none
    bar         ██████▍         a share of a width
    columns     a chart with an axis, thresholds as lines, one column a value

What is drawn never goes beyond the width that is given.
"""

from collections.abc import Mapping, Sequence
from math import floor, isfinite

__all__ = ["NO_VALUE", "bar", "columns", "sparkline"]

NO_VALUE = "·"
"""Stands where there is no value."""

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_LINE = "┄"
_AXIS_TICKS = 4


def sparkline(values: Sequence[float | None], *, top: float | None = None) -> str:
    """Return one character a value, from nothing (`▁`) to `top` or more (`█`).

    `top` is the largest value where it is not given. None and what is not finite become NO_VALUE; values below zero
    are drawn as zero.
    """
    shown = [value if value is not None and isfinite(value) else None for value in values]
    highest = top if top is not None else max((value for value in shown if value is not None), default=0.0)
    return "".join(NO_VALUE if value is None else _LEVELS[_level(value, highest)] for value in shown)


def _level(value: float, highest: float) -> int:
    if highest <= 0 or value <= 0:
        return 0
    return min(len(_LEVELS) - 1, floor(len(_LEVELS) * (value / highest)))


def bar(share: float, width: int) -> str:
    """Return a bar of `share` (0 to 1; what lies outside is cut) of `width` characters, to an eighth of one.

    A share above zero shows at least an eighth. The bar is not padded.
    """
    if width <= 0 or not share > 0:
        return ""
    eighths = max(1, round(min(share, 1.0) * width * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + _EIGHTHS[rest]


def columns(
    values: Sequence[float | None],
    *,
    height: int = 10,
    width: int = 80,
    lines: Mapping[str, float] | None = None,
    marks: str = "",
    ends: tuple[str, str] | None = None,
) -> list[str]:
    """Return a chart, the top line first: an axis with ticks, then one column a value, from zero upwards.

    `lines` are thresholds by name, drawn across and named at the right; one above the largest value is shown all the
    same, unless it would press the values into less than a quarter of the height. `marks`: one character a value,
    written under its column; `ends`: what is written under the first and the last. Columns get wider where there is
    room. The newest values are shown where there are too many for the width.
    """
    limits = dict(lines or {})
    finite = [value for value in values if value is not None and isfinite(value)]
    largest = max(finite, default=0.0)
    limits = {name: at for name, at in limits.items() if at > 0 and (at <= 4 * largest or largest <= 0)}
    top = max([largest, *limits.values()]) * 1.05 or 1.0
    ticks = [top * (tick + 1) / _AXIS_TICKS for tick in range(_AXIS_TICKS)]
    axis = max(len(_tick(tick)) for tick in [*ticks, *limits.values()])
    names = max((len(name) + 1 for name in limits), default=0)
    room = max(1, width - axis - 2 - names)
    shown = list(values)[-room:]
    wide = max(1, min(4, room // max(1, len(shown))))
    row_of = {name: min(height - 1, floor(at / top * height)) for name, at in limits.items()}
    text: list[str] = []
    for row in reversed(range(height)):
        here = [name for name, at in row_of.items() if at == row]
        cells = "".join(_cell(value, row, height, top, wide, line=bool(here)) for value in shown)
        label = _tick(limits[here[0]]) if here else _axis_label(row, height, top)
        name = f" {'/'.join(here)}" if here else ""
        text.append(f"{label:>{axis}} ┤{cells}{name}".rstrip())
    span = wide * len(shown)
    text.append(f"{'0':>{axis}} └{'─' * span}")
    indent = " " * (axis + 2)
    if marks:
        text.append((indent + "".join(f"{mark:<{wide}}" for mark in marks[-len(shown) :])).rstrip())
    if ends is not None:
        first, last = ends
        room = max(span, len(first) + 1 + len(last))
        text.append(f"{indent}{first}{' ' * (room - len(first) - len(last))}{last}"[:width])
    return text


def _cell(value: float | None, row: int, height: int, top: float, wide: int, *, line: bool) -> str:
    gap = 1 if wide > 1 else 0
    empty = _LINE if line else " "
    if value is None or not isfinite(value):
        return (NO_VALUE if row == 0 else empty) * (wide - gap) + empty * gap
    eighths = max(0, round(value / top * height * 8) - row * 8)
    if row == 0 and value > 0:
        eighths = max(1, eighths)
    block = empty if eighths == 0 else _LEVELS[min(8, eighths) - 1]
    return block * (wide - gap) + empty * gap


def _axis_label(row: int, height: int, top: float) -> str:
    every = max(1, height // _AXIS_TICKS)
    return _tick(top * row / height) if row and row % every == 0 else ""


def _tick(value: float) -> str:
    return f"{value:.2g}" if value < 1 else f"{value:.3g}"
