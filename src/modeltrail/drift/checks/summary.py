"""A check in few lines, for whoever prints its result in a notebook.

CheckResult: critical, flights-delay 1.0.0, 5,412 predictions, 2013-07-01 to 2013-07-08
  dep_delay  critical  PSI 0.31
  carrier    shifted   PSI 0.012, 2 % unseen
  score      stable    PSI 0
"""

from collections.abc import Iterator, Mapping

from modeltrail.drift.checks.wording import number_words, percent, shown, window_words
from modeltrail.drift.windows.closing import window_of
from modeltrail.events.checks import CheckCompleted, CheckField, CheckGap, CheckMetric, CheckSegment

__all__ = ["check_text"]

_LINES = 20
_RANKS = ("critical", "warning", "shifted", "stable", "insufficient_data")
_SHARES: Mapping[str, str] = {"missing_share": "missing", "unseen_share": "unseen", "mistyped_share": "text"}


def check_text(check: CheckCompleted) -> str:
    """Return the state and rows of a check, and a line for each field, metric and gap: the worst first, at most 20."""
    found = check.state if check.status == "completed" and check.state else check.status.replace("_", " ")
    version = f" {check.model_version}" if check.model_version else ""
    window = "" if check.window is None else f", {window_words(window_of(check.window, {}))}"
    head = f"CheckResult: {found}, {check.model_id}{version}, {check.rows:,} predictions{window}"
    lines = sorted(_lines(check), key=lambda line: _RANKS.index(line[1]))
    shown_lines, left = lines[:_LINES], lines[_LINES:]
    name_width = max((len(name) for name, _, _ in shown_lines), default=0)
    state_width = max((len(state) for _, state, _ in shown_lines), default=0)
    texts = [f"  {name:<{name_width}}  {state:<{state_width}}  {words}".rstrip() for name, state, words in shown_lines]
    error = [f"  {shown(check.error)}"] if check.error else []
    more = [f"  and {len(left):,} more, the worst of them {left[0][1].replace('_', ' ')}"] if left else []
    return "\n".join([head, *error, *texts, *more])


def _lines(check: CheckCompleted) -> Iterator[tuple[str, str, str]]:
    for field in check.fields:
        yield _name(field.name, field.segment), field.state, field.reason or _field_words(field)
    for metric in check.metrics:
        yield _name(metric.metric, metric.segment), metric.state, metric.reason or _against(metric)
    for gap in check.gaps:
        yield f"{gap.metric} by {gap.by}", gap.state, _gap_words(gap)


def _name(name: str, segment: CheckSegment | None) -> str:
    return f"{name} where {segment.by} is {shown(segment.value)}" if segment else name


def _field_words(field: CheckField) -> str:
    psi = field.statistics.get("psi_debiased")
    words = [] if psi is None else [f"PSI {psi:.2g}"]
    shares = ((field.statistics.get(name), word) for name, word in _SHARES.items())
    return ", ".join([*words, *(f"{percent(share)} {word}" for share, word in shares if share)])


def _against(measured: CheckMetric | CheckGap) -> str:
    if measured.value is None:
        return ""
    before = "" if measured.reference is None else f" instead of {number_words(measured.reference)}"
    return f"{number_words(measured.value)}{before}"


def _gap_words(gap: CheckGap) -> str:
    ends = f", {shown(gap.lowest)} to {shown(gap.highest)}" if gap.lowest and gap.highest else ""
    return gap.reason or f"gap {_against(gap)}{ends}"
