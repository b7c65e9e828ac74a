"""A check about very many fields has to fit an event all the same: what is left out of it, and in which order.

What is least looked at goes first: details of fields, and of metrics in segments, that are as they were; then those of
the others. Counts stay, as long as anything else can go: later windows are merged with them. What goes follows from the
check alone, so that it is the same whenever the check is computed again.
"""

from modeltrail.events.checks import CheckCompleted, CheckField, CheckMetric

__all__ = ["CHECK_MAX_BYTES", "FOLD_MAX_BYTES", "fitted"]

CHECK_MAX_BYTES = 900_000
"""Size of the JSON of a check: its event has to fit a message of 1 MiB, which brokers take by default."""

FOLD_MAX_BYTES = 400_000
"""Size of the JSON of a model's fold in what a check carries: it leaves room for the rest."""

_KEPT = ("psi", "psi_debiased", "ks", "missing_share", "effect_1")
_OF_METRIC = ("low", "high", "variance", "reference", "reference_of", "max_drop", "threshold", "coverage")
_REASON = "details are left out, so that the check fits an event"


def fitted(check: CheckCompleted, limit: int = CHECK_MAX_BYTES) -> CheckCompleted:
    """Return the check without as many details as it takes to have at most `limit` bytes as JSON.

    It may still be larger, where hundreds of alerts or what the next check starts from take the room.
    """
    for leave_out, which in (
        (_without_bins, _is_as_it_was),
        (_without_numbers, _is_as_it_was),
        (_without_bins, _any),
        (_without_numbers, _any),
    ):
        if _size(check) <= limit:
            break
        fields = [leave_out(each) if which(each) else each for each in check.fields]
        metrics = [_without_interval(each) if each.segment and which(each) else each for each in check.metrics]
        check = check.model_copy(update={"fields": fields, "metrics": metrics})
    return check


def _size(check: CheckCompleted) -> int:
    return len(check.model_dump_json(exclude_none=True, exclude_defaults=True).encode())


def _is_as_it_was(part: CheckField | CheckMetric) -> bool:
    return part.state in {"stable", "insufficient_data"}


def _any(_part: CheckField | CheckMetric) -> bool:
    return True


def _without_bins(field: CheckField) -> CheckField:
    return field.model_copy(update={"top": [], "reason": field.reason or _REASON})


def _without_numbers(field: CheckField) -> CheckField:
    statistics = {name: value for name, value in field.statistics.items() if name in _KEPT}
    p_values = {name: value for name, value in field.p_values.items() if name == "corrected"}
    return field.model_copy(update={"statistics": statistics, "p_values": p_values})


def _without_interval(metric: CheckMetric) -> CheckMetric:
    return metric.model_copy(update=dict.fromkeys(_OF_METRIC) | {"reason": metric.reason or _REASON})
