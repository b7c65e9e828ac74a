"""The rows of a baseline that is made of the ledger: every field that the predictions of a range have."""

from collections.abc import Sequence

from modeltrail.drift.rows.columns import NULL, Columns
from modeltrail.errors import InvalidEventError
from modeltrail.storage.watch.content import Chunk, Wanted, read_whole
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.scope import Scope

__all__ = ["read_sample"]


def read_sample(
    reader: Reader, scope: Scope, *, by: Sequence[str] = (), positive: str | None = None, labelled: bool = False
) -> Chunk:
    """Return all predictions of the scope at once, in watch order, with every field that has a value in one of them.

    `by`: strata, or features, to split by. `labelled`: with their outcomes up to the cut. Memory: some 20 bytes a row
    and field. InvalidEventError where the scope holds no prediction.
    """
    content = scope.content()
    names: Sequence[str] = ()
    if content is not None:
        names = reader.ask("watch/names", **content, model_id=scope.model_id, model_version=scope.model_version)[0][0]
    chunk = read_whole(
        reader, scope, Wanted(tuple(names), tuple(sorted(by)), frozenset(names), positive), labelled=labelled
    )
    if chunk is None:
        raise InvalidEventError("rows", 0, f"must be at least one prediction of {scope.model_id} {scope.model_version}")
    columns = chunk.columns
    fields = {key: column for key, column in columns.fields.items() if (column.kinds > NULL).any()}
    return Chunk(
        Columns(columns.rows, fields, columns.strata), chunk.times_us, chunk.log_times, chunk.duplicates, chunk.features
    )
