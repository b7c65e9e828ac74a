"""What is said to people: which bins moved most, and one sentence an alert.

flights-delay 1.0.0: `dep_delay` moved: PSI 0.31 (critical above 0.25) over 5,412 predictions, 2013-07-01 to
2013-07-08; 14 % instead of 6 % above 60
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.baselines.reference import Reference
from modeltrail.drift.policy.policy import Policy
from modeltrail.drift.policy.states import Aspect, Subject
from modeltrail.drift.windows.closing import Window
from modeltrail.events.moment import format_moment

__all__ = [
    "Moved",
    "bin_words",
    "measure_words",
    "moment_text",
    "moved_bins",
    "moved_words",
    "number_words",
    "percent",
    "resolved_words",
    "shown",
    "subject_words",
    "told_words",
    "window_words",
]

Floats = NDArray[np.float64]

_TOP = 5
_LINE = 120
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALIKE = 0.25
"""Neighbours that moved the same way are told as one, where each contributes this share of the largest."""


class Moved(NamedTuple):
    """Neighbouring coarse bins, or one category: what they hold, and their shares in the baseline and in the window."""

    words: str
    reference: float
    current: float


def moved_bins(reference: Reference, current: FieldCounts, limit: int = _TOP) -> list[Moved]:
    """Return what contributes most to the PSI, the largest first; none where either side has no values."""
    n, m = current.binned, reference.sample.binned
    if n == 0 or m == 0:
        return []
    before, now = reference.coarse(reference.sample), reference.coarse(current)
    p: Floats = np.divide(before + 0.5, m + 0.5 * before.size)
    q: Floats = np.divide(now + 0.5, n + 0.5 * now.size)
    parts: Floats = special.xlogy(q - p, q / p)
    found: list[Moved] = []
    told: set[int] = set()
    for at in np.argsort(-parts, kind="stable").tolist():
        if at in told or len(found) == limit or parts[at] <= 0:
            continue
        first, last = at, at
        if reference.kind == "numeric":
            first, last = _extended(at, -1, p, q, parts, told), _extended(at, 1, p, q, parts, told)
        told.update(range(first, last + 1))
        here = slice(first, last + 1)
        found.append(Moved(bin_words(reference, first, last), before[here].sum() / m, now[here].sum() / n))
    return found


def _extended(at: int, step: int, p: Floats, q: Floats, parts: Floats, told: set[int]) -> int:
    """Return the last bin in one direction that moved as bin `at` did, and much of it."""
    end = at
    while 0 <= end + step < parts.size and end + step not in told:
        other = end + step
        if (q[other] > p[other]) != (q[at] > p[at]) or parts[other] < _ALIKE * parts[at]:
            break
        end = other
    return end


def bin_words(reference: Reference, first: int, last: int) -> str:
    """Return what the coarse bins `first` to `last` hold: `below 5`, `5 to 10`, `above 60`, `at 0`, `JFK`."""
    if reference.kind == "categorical":
        return shown(reference.categories[first])
    begin = int(reference.groups[first])
    end = int(reference.groups[last + 1]) if last + 1 < reference.groups.size else reference.bins
    low = float(reference.edges[begin - 1]) if begin > 0 else None
    high = float(reference.edges[end - 1]) if end - 1 < reference.edges.size else None
    if low is None and high is None:
        return "anywhere"
    if low is None or high is None:
        return f"below {_number(high)}" if high is not None else f"above {_number(low or 0.0)}"
    if end - begin == 1 and reference.points[begin]:  # an atom: its edges are two neighbouring doubles
        return f"at {_number(high)}"
    for digits in (4, 6, 9, 17):
        texts = _number(low, digits), _number(high, digits)
        if texts[0] != texts[1]:
            break
    return " to ".join(texts)


def _number(value: float, digits: int = 4) -> str:
    text = f"{value:.{digits}g}"
    return text if "e" in text else f"{float(text):,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"


def percent(share: float) -> str:
    """Return a share as whole per cent; with a digit below one, and never a rounded 0 or 100."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    if value < 1:
        return f"{value:.1f} %" if value >= 0.05 else "less than 0.1 %"
    return f"{value:.0f} %" if value < 99.5 else "more than 99 %"


def subject_words(subject: Subject) -> str:
    """Return how a subject is called in a sentence."""
    if subject.kind == "bias":
        return f"`{subject.name}` by `{subject.by}`"
    where = f" where `{subject.by}` is {shown(subject.value)}" if subject.by else ""
    return f"`{subject.name}`{where}"


def shown(text: str) -> str:
    """Return a text of users as it may stand in a sentence: printable, and not longer than a line."""
    printable = text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:_LINE])
    return printable if len(printable) <= _LINE else printable[: _LINE - 3] + "..."


def window_words(window: Window, earlier: Sequence[Window] = ()) -> str:
    """Return the span of a window and of earlier ones that were merged with it: `2013-07-01 to 2013-07-08`."""
    if window.index is not None:
        first = min((each.index for each in earlier if each.index is not None), default=window.index)
        return f"window {window.index}" if first == window.index else f"windows {first} to {window.index}"
    starts = [each.start_us for each in (window, *earlier) if each.start_us is not None]
    return f"{_time(min(starts))} to {_time(window.end_us or 0)}"


def moment_text(time_us: int) -> str:
    """Return the time of microseconds since 1970 as events write it."""
    return format_moment(_EPOCH + timedelta(microseconds=time_us))


def _time(time_us: int) -> str:
    """Return a time in UTC as short as it can be told: the date alone at midnight."""
    text = moment_text(time_us)
    date, clock = text[:10], text[11:19]
    if clock == "00:00:00":
        return date
    return f"{date} {clock[:5] if clock.endswith(':00') else clock}"


def told_words(reference: Reference, words: str) -> str:
    """Return the words of a bin as they stand after a share in a sentence: `above 60`, `from 5 to 10`, "`JFK`"."""
    if reference.kind == "categorical":
        return f"`{words}`"
    return f"from {words}" if " to " in words else words


def moved_words(aspect: Aspect, moved: Sequence[Moved], shares: tuple[float, float]) -> tuple[str, str]:
    """Return what happened to a field, and what follows after a semicolon (may be empty).

    `shares`: that of missing, unseen or mistyped values before and now, looked at where the aspect is one of them.
    """
    before, now = shares
    if aspect == "missing":
        if now == 1:
            return "has vanished", f"missing in all instead of {percent(before)}"
        return "is missing more often" if now > before else "is missing less often", _instead(now, before, "missing")
    if aspect == "unseen":
        return "has values that the baseline lacks", _instead(now, before, "of them")
    if aspect == "mistyped":
        return "has turned into text", _instead(now, before, "text")
    if not moved:
        return "moved", ""
    return "moved", _instead(moved[0].current, moved[0].reference, moved[0].words)


def _instead(now: float, before: float, words: str) -> str:
    return f"{percent(now)} instead of {percent(before)} {words}"


def number_words(value: float | None) -> str:
    """Return a figure as short as it can be told: three digits."""
    return "?" if value is None else f"{value:.3g}"


def measure_words(effect: float, level: str, threshold: float | None, tolerance: float) -> str:
    """Return how large a change is, and what that means: `PSI 0.31 (critical above 0.25)`."""
    size = f"{effect:.2f}" if effect >= 0.095 else f"{effect:.3f}"
    limit = f"beyond the tolerance of {tolerance:g}" if threshold is None else f"{level} above {threshold:g}"
    return f"PSI {size} ({limit})"


def resolved_words(reason: str, effect: float | None, policy: Policy) -> str:
    """Return why an alert is over; `effect` is that of the last window, None where it is not one of PSI."""
    if reason == "unwatched":
        return "is not watched any more"
    if reason == "corrected":
        return "had not changed so much: late predictions corrected the window"
    if reason == "gone":
        return f"has had no predictions in {policy.gone_windows} windows"
    threshold = policy.threshold(policy.raise_at)
    windows = f"in {policy.quiet_windows} windows"
    if effect is None or not threshold:
        return f"is back within what is allowed {windows}"
    return f"is back: PSI {effect:.3f}, below {policy.hysteresis * threshold:.3g} {windows}"
