"""Queries of the watch: read-only, in bounded memory, on a bounded share of the server."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from modeltrail.errors import StoreUnavailableError
from modeltrail.storage.queries import sql
from modeltrail.storage.server_errors import translated

__all__ = ["Reader"]

_MEMORY = 1 << 30
"""Bytes that one query may take."""

_ARROW = {
    "output_format_arrow_string_as_string": "0",
    "output_format_arrow_low_cardinality_as_dictionary": "1",
    "output_format_arrow_compression_method": "lz4_frame",
}
"""Spares time; the columns are understood without."""


_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The last bytes of an Arrow stream that is whole."""


class Reader:
    """Named queries over one clickhouse-connect client.

    `memory` bytes and `threads` bound each query; what does not fit is sorted and joined on the server's disk.
    `rows_at_once`: rows (of few fields) that are read and sorted here at a time. `replicated`: several servers hold the
    ledger, and one that is behind must not answer as if nothing more were there.
    """

    def __init__(
        self,
        client: Any,
        *,
        memory: int = _MEMORY,
        threads: int = 2,
        rows_at_once: int = 100_000,
        replicated: bool = False,
    ) -> None:
        self._client = client
        self.rows_at_once = rows_at_once
        with translated(starting=True):
            limited = client.query("SELECT toUInt8(getSetting('readonly'))").result_rows[0][0]
        bounds = {
            "max_threads": str(threads),
            "max_memory_usage": str(memory),
            "max_bytes_before_external_group_by": str(memory // 4),
            "max_bytes_before_external_sort": str(memory // 4),
            "max_block_size": "16384",
            "join_algorithm": "grace_hash",
            "max_bytes_in_join": str(memory // 4),
        }
        if replicated:
            bounds["select_sequential_consistency"] = "1"
        # A user who is read-only by profile may not change these, and is bounded by that profile.
        self._settings: dict[str, str] = {} if limited == 1 else bounds
        if not limited:
            self._settings["readonly"] = "2"  # the server refuses to write, whatever the user may do otherwise
        self._arrow = {} if limited == 1 else _ARROW

    def ask(self, name: str, /, **parameters: object) -> Sequence[Sequence[Any]]:
        """Run the named query and return its rows. Raises what `translate` makes of the server's errors."""
        with translated():
            answer = self._client.query(sql(name), parameters=parameters, settings=self._settings)
            return list(answer.result_rows)

    def columns(self, name: str, /, **parameters: object) -> Any:
        """Run the named query and return its answer as an Arrow table; texts may be binary, or dictionaries."""
        return self.columns_of(sql(name), **parameters)

    def columns_of(self, text: str, /, **parameters: object) -> Any:
        """Run a query by its text and return its answer as an Arrow table. Raises as `ask` does."""
        with translated():
            stream = self._client.raw_stream(
                text, parameters=parameters, settings=self._settings | self._arrow, fmt="ArrowStream"
            )
            try:
                answer = stream.read()
            finally:
                stream.close()
        # An error in the middle of an answer cuts it, or puts a text behind it: Arrow may take either for its end.
        if answer[-len(_END) :] != _END:
            raise StoreUnavailableError("ClickHouse ended an answer early: it cannot do this work now")
        with pa.ipc.open_stream(answer) as batches:
            return batches.read_all()
