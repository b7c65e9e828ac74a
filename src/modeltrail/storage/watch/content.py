"""What the events of a window say, in columns: read from the ledger up to a cut, each event once.

Numbers and texts are those of the typed view (`storage/sql/watch/content.sql` uses its functions). Binning happens
here, in numpy: it costs a tenth of reading the JSON, and stays exact to the last edge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from modeltrail.drift.checks.content import LABEL, PREDICTION, SCORE, TRUTH_LABEL, TRUTH_VALUE, ContentPlan
from modeltrail.drift.rows.columns import NULL, Column, Columns, FieldKey, Strata
from modeltrail.errors import ConfigurationError
from modeltrail.storage.queries import sql
from modeltrail.storage.watch.arrow_columns import (
    digests,
    distinct_texts,
    either,
    integers,
    number_column,
    scalars,
    text_column,
)
from modeltrail.storage.watch.pieces import Piece, cut_up
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.scope import Scope

__all__ = ["OUTCOME_LEAD_MS", "Chunk", "Wanted", "read_content", "read_labelled"]

OUTCOME_LEAD_MS = 86_400_000
"""An outcome counts if it stands in the log at most a day before the first prediction of the window: what stands
earlier cannot be about it, and need not be read."""

_CONFIDENCE = FieldKey("confidence", "confidence")
_OF_ITSELF = 3
"""A row weighs as much as so many fields: with many fields, fewer rows are read at a time."""
_LEAST = 1000
_FOR_THE_JOIN = frozenset({"prediction_id", "is_known"})
_NAMES_MAX = 100_000
"""Bytes of names that fit the parameters of a query: the server takes 128 KiB."""


@dataclass(frozen=True)
class Wanted:
    """What to read of each event beside the prediction itself.

    `features` by name; `by`: strata, or features where an event has no stratum of this name; `known`: features that
    are not news; `positive`: the class whose probability stands in for a score that is absent.
    """

    features: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    positive: str | None = None

    @classmethod
    def of(cls, plan: ContentPlan) -> "Wanted":
        """Return what the plan adds up."""
        keys = plan.references.keys()
        return cls(
            tuple(sorted({key.name for key in keys if key.role == "feature"})),
            tuple(sorted({*plan.bias, *(each.by for each in plan.segments)})),
            plan.known_features,
            plan.positive_label,
        )

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the query; ConfigurationError where the names are too long together."""
        names = {
            "features": [*self.features, *(name for name in self.by if name not in self.features)],
            "strata": list(self.by),
            "known": sorted(self.known | {*self.features, *self.by}),
        }
        size = max(sum(len(name.encode()) + 4 for name in each) for each in names.values())
        if size > _NAMES_MAX:
            raise ConfigurationError(
                f"the names of the {len(self.known)} fields have {size} bytes together, expected at most {_NAMES_MAX}: "
                "split the monitor, or give the features shorter names"
            )
        return names | {"positive": self.positive or ""}


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some events of a window, each once, in watch order.

    `times_us` int64[rows]: their event times. `log_times` int64[rows], milliseconds, and `places` int64[rows, 2], the
    number of the chain in the window and the seq: their order. `duplicates`: repeats that were left out (copies of one
    record are none). `features`: names of features that are not known.
    """

    columns: Columns
    times_us: NDArray[np.int64]
    log_times: NDArray[np.int64]
    places: NDArray[np.int64]
    duplicates: int
    features: frozenset[str]


def read_content(reader: Reader, scope: Scope, wanted: Wanted) -> Iterator[Chunk]:
    """Yield the events of a window, a bounded number at a time; what they add up to does not depend on how many.

    Repeats of (source, id) count where they stand first in watch order. Raises what `Reader.ask` raises.
    """
    yield from _read(reader, scope, wanted, labelled=False)


def read_labelled(reader: Reader, scope: Scope, wanted: Wanted) -> Iterator[Chunk]:
    """Yield the same events as `read_content`, with the role `truth`: their latest outcomes within the cut.

    An outcome belongs to the prediction that it names, if it names the model and the version too.
    """
    yield from _read(reader, scope, wanted, labelled=True)


def _read(reader: Reader, scope: Scope, wanted: Wanted, *, labelled: bool) -> Iterator[Chunk]:
    content = scope.content()
    if content is None:
        return
    parameters = {**wanted.parameters(), "model_id": scope.model_id, "model_version": scope.model_version}
    fields = len(parameters["features"]) + len(parameters["strata"])
    most = max(_LEAST, reader.rows_at_once * _OF_ITSELF // (_OF_ITSELF + fields))
    cut = cut_up(reader, content, most)
    if cut.first_log_time is None:
        return
    text = sql("watch/content")
    if labelled:
        text = sql("watch/labelled").replace("$rows", text)
        parameters |= scope.outcomes(cut.first_log_time - OUTCOME_LEAD_MS)
    aside = []
    for piece in cut.pieces:
        rows = _of_window(reader.columns_of(text, **parameters, **piece.parameters), piece)
        if cut.repeated.size and rows.num_rows:
            again = pa.array(cut.set_aside(digests(_whole(rows.column("event")))))
            aside.append(rows.filter(again))
            rows = rows.filter(pa.compute.invert(again))
        if rows.num_rows:
            rows, duplicates = _each_once(rows)
            yield _chunk(rows, duplicates, wanted, parameters["features"], labelled=labelled)
    rows = pa.concat_tables(aside) if aside else None
    if rows is not None and rows.num_rows:
        rows, duplicates = _each_once(rows)
        yield _chunk(rows, duplicates, wanted, parameters["features"], labelled=labelled)


def _of_window(rows: Any, piece: Piece) -> Any:
    """Return what is looked at of rows, with the ranks that their chains have in the whole window."""
    rows = rows.select([name for name in rows.column_names if name not in _FOR_THE_JOIN])
    at = rows.schema.get_field_index("rank")
    ranks = piece.ranks[np.asarray(rows.column(at).to_numpy(), dtype=np.intp)]
    return rows.set_column(at, "rank", pa.array(ranks))


def _each_once(rows: Any) -> tuple[Any, int]:
    """Return the first row of each event, in watch order, and how many repeats were left out."""
    table = rows.combine_chunks()
    chosen, duplicates = _first_of_each(table)
    if np.array_equal(chosen, np.arange(table.num_rows)):
        return table, duplicates
    return table.take(pa.array(chosen)), duplicates


def _chunk(table: Any, duplicates: int, wanted: Wanted, features: Sequence[str], *, labelled: bool) -> Chunk:
    column = {name: _whole(table.column(name)) for name in table.column_names}
    of_feature = dict(zip(features, _scalars(column, "feature", len(features)), strict=True))
    of_stratum = dict(zip(wanted.by, _scalars(column, "strata", len(wanted.by)), strict=True))
    score = number_column(column["score"])
    if wanted.positive is not None:
        score = either(score, number_column(column["probability"]), where=NULL)
    fields: dict[FieldKey, Column] = {FieldKey("feature", name): of_feature[name] for name in wanted.features}
    fields |= {
        PREDICTION: number_column(column["value"]),
        LABEL: text_column(column["label"]),
        SCORE: score,
        _CONFIDENCE: number_column(column["confidence"]),
    }
    if labelled:
        fields[TRUTH_VALUE] = number_column(column["truth_value"])
        fields[TRUTH_LABEL] = either(text_column(column["truth_label"]), fields[TRUTH_VALUE], where=NULL)
    strata: dict[str, Strata] = {name: either(of_stratum[name], of_feature[name]).as_strata() for name in wanted.by}
    return Chunk(
        Columns(table.num_rows, fields, strata),
        integers(column["time_us"]),
        integers(column["log_time"]),
        np.column_stack((integers(column["rank"]), integers(column["seq"]))),
        duplicates,
        distinct_texts(column["others"]),
    )


def _whole(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _scalars(column: dict[str, Any], role: str, fields: int) -> list[Column]:
    if not fields:
        return []
    return scalars(column[f"{role}_kinds"], column[f"{role}_numbers"], column[f"{role}_strings"], fields)


def _first_of_each(table: Any) -> tuple[NDArray[np.intp], int]:
    """Return which rows to keep, in watch order, and how many repeats were left out."""
    order = np.lexsort([integers(_whole(table.column(name))) for name in ("seq", "rank", "log_time")])
    events = digests(_whole(table.column("event")))[order]
    by_event = np.lexsort((events[:, 1], events[:, 0]))  # stable: in watch order within an event
    grouped = events[by_event]
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (grouped[1:] != grouped[:-1]).any(axis=1)
    if begins.all():
        return order, 0
    records = digests(_whole(table.column("record")))[order][by_event]
    group = np.cumsum(begins, dtype=np.uint64)
    several = np.unique(np.column_stack((group, records)), axis=0)
    return order[np.sort(by_event[begins])], len(several) - int(begins.sum())
