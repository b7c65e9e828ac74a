"""What is odd about a baseline that can be made all the same: a warning, because one of them may be meant."""

from collections.abc import Iterator

from modeltrail.cli.output import counted
from modeltrail.drift.baselines.baseline import SEGMENT_ROWS
from modeltrail.events.baselines import BaselineField, BaselineRegistered

__all__ = ["oddities"]

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NAMED = 5


def oddities(event: BaselineRegistered) -> Iterator[str]:
    """Yield a sentence for each: few rows, fields that are all constant, a name that looks like a line of a file."""
    if event.rows < SEGMENT_ROWS:
        yield (
            f"the baseline has {counted(event.rows, 'row')}: what is usual cannot be told from chance;"
            f" take a sample of some hundred or more"
        )
    if event.rows > 1 and all(map(_is_constant, event.fields)):
        yield f"every field is constant ({_names(event.fields)}): any other value will count as drift"
    if len(event.fields) == 1:
        name = event.fields[0].name
        for separator, called in _SEPARATORS.items():
            if separator in name:
                yield f"the only field is named {name!r}: if the file is separated by {called}, write it with commas"


def _is_constant(field: BaselineField) -> bool:
    return max(field.counts) == field.n


def _names(fields: list[BaselineField]) -> str:
    more = f" and {len(fields) - _NAMED:,} more" if len(fields) > _NAMED else ""
    return ", ".join(each.name for each in fields[:_NAMED]) + more
