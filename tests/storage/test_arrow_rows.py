"""A block by column is the block by row."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltrail.ledger.entries import Entries
from modeltrail.storage.arrow_rows import COLUMNS, to_stream
from tests.ledger.test_entries import in_batches, logs


def table(rows):
    return pa.ipc.open_stream(to_stream(rows, 1_700_000_000_123)).read_all()


@settings(deadline=None)
@given(st.lists(logs(), min_size=1, max_size=3))
def test_entries_go_to_the_store_as_their_rows_would(of_chains):
    entries = Entries.joined(in_batches(records, [len(records) // 2]) for records in of_chains)
    by_column = table(entries)
    assert by_column == table(list(entries))
    assert by_column.column_names == list(COLUMNS)
    by_column.validate(full=True)
