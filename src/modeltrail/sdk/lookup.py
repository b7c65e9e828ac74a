"""Find a chained record in the store: its exact place and its entry hash."""

import threading
from typing import Any, NamedTuple

from modeltrail.errors import NotDurableError, NotVerifiableError
from modeltrail.events.notices import Block
from modeltrail.storage.client import ClickHouseAddress, connect, translated
from modeltrail.storage.queries import sql

__all__ = ["Place", "StoreLookup"]


class Place(NamedTuple):
    """Position in the chain, and the entry hash (32 bytes)."""

    seq: int
    entry_hash: bytes


class StoreLookup:
    """One connection to the store; made at the first question. Methods block and may be called from any thread."""

    def __init__(self, address: ClickHouseAddress) -> None:
        self._address = address
        self._client: Any = None
        self._connecting = threading.Lock()

    def find(self, block: Block, offset: int, record_hash: bytes) -> Place:
        """Return where the record is in the chain of `block`.

        Raises NotDurableError when another record stands at its offset, NotVerifiableError when the store does not
        hold what the block announced, and what `storage.client.connect` raises.
        """
        with self._connecting:
            if self._client is None:
                self._client = connect(self._address)
        with translated():
            rows = self._client.query(
                sql("ledger/chained"),
                parameters={"chain": block.chain, "first": offset, "last": offset},
                query_formats={"FixedString": "bytes"},
            ).result_rows
        if not rows:
            raise NotVerifiableError(
                f"{block.chain}: a block announced offset {offset}, and the store has no such entry"
            )
        for seq, _offset, _timestamp, stored_hash, entry_hash in rows:
            if stored_hash == record_hash:
                return Place(seq, entry_hash)
        raise NotDurableError(
            f"{block.chain}: offset {offset} holds another record: the log was replaced before this one was chained"
        )

    def close(self) -> None:
        """Close the connection."""
        with self._connecting:
            client, self._client = self._client, None
        if client is not None:
            client.close()
