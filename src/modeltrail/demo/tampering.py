"""Forgeries, in scratch copies of one chain that only the demo can reach, and what the verifier says about each.

The scratch copies live in a store of their own, with a user who may do everything and a ledger table whose CHECK
constraints were dropped: what somebody could do who owns the database server.

    altered     one prediction says something else; its hashes stay as they are
    deleted     one prediction is gone
    relinked    one prediction says something else, and every hash from there to the end is computed again
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from modeltrail.demo.progress import query
from modeltrail.embedded.credentials import Role
from modeltrail.embedded.store_launcher import Store
from modeltrail.errors import ModeltrailError, RowsRefusedError
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.ledger.entry import entry_hash, preimage, record_hash
from modeltrail.ledger.findings import Finding, Severity
from modeltrail.ledger.heads import KeptHead
from modeltrail.settings import ClickHouse
from modeltrail.storage.client import connect
from modeltrail.storage.migration_files import load
from modeltrail.storage.server_errors import translated
from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger

__all__ = ["Forgery", "ScratchCopies", "Target", "find_target", "refusal_of_the_real_table"]

BEFORE = '"label":"late"'
AFTER = '"label":"on_time"'

_CONSTRAINT = re.compile(r"CONSTRAINT\s+(\w+)\s+CHECK")
_COPY = "copy"


class Target(NamedTuple):
    """The entry that is forged: a prediction that says "late"."""

    chain: str
    seq: int
    event_id: str
    item_id: str


@dataclass(frozen=True)
class Forgery:
    """A forgery and what the verifier found: by the chain alone, and with the heads that were kept outside."""

    name: str
    statement: str
    by_chain: Finding | None
    by_heads: Finding | None

    @property
    def found(self) -> bool:
        """Whether it was found at all."""
        return self.by_chain is not None or self.by_heads is not None


def find_target(client: Any, chain: str, entries: int) -> Target:
    """Choose the entry of `chain`, which has so many `entries`, that is going to be forged."""
    with translated():
        rows = client.query(
            query("target"),
            parameters={"chain": chain, "from": entries // 2, "type": PredictionRecorded.event_type},
        ).result_rows
    if not rows:
        raise ModeltrailError(f"{chain}: no prediction in its second half says late: nothing to forge")
    seq, event_id, item_id = rows[0]
    return Target(chain, seq, event_id, item_id)


def refusal_of_the_real_table(client: Any, target: Target) -> str | None:
    """Try to insert the altered row into the real ledger; return why it was refused, None if it was not."""
    try:
        with translated():
            client.command(
                query("refused_row"),
                parameters={"before": BEFORE, "after": AFTER, "chain": target.chain, "seq": target.seq},
            )
    except RowsRefusedError as refused:
        return str(refused)
    return None


class ScratchCopies:
    """A second store with copies of one chain. A context manager; nothing in it survives.

    `heads` are the heads that were kept outside before anything was forged.
    """

    def __init__(self, directory: Path, heads: Sequence[KeptHead]) -> None:
        self._store = Store(directory, scratch=True)
        self._heads = heads

    def __enter__(self) -> Self:
        self._store.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._store.kill()

    def copy(self, client: Any, target: Target) -> Forgery:
        """Copy the chain of `target` from the real ledger; return what the verifier says of the copy itself."""
        with translated(), self._connected("default") as scratch:
            scratch.command(f"CREATE DATABASE {_COPY}")
        with translated(), self._connected(_COPY) as scratch:
            _create_ledger(scratch)
            rows = client.raw_query(query("chain_rows"), parameters={"chain": target.chain}, fmt="Native")
            scratch.raw_insert("ledger", insert_block=rows, fmt="Native", settings={"async_insert": 0})
        return self._judged(_COPY, "", target)

    def alter(self, target: Target) -> Forgery:
        """Change what one prediction says."""
        changed = f"value = replaceOne(value, '{BEFORE}', '{AFTER}')"
        return self._forged("altered", f"ALTER TABLE ledger UPDATE {changed} WHERE seq = {target.seq}", target)

    def delete(self, target: Target) -> Forgery:
        """Take one prediction out."""
        return self._forged("deleted", f"ALTER TABLE ledger DELETE WHERE seq = {target.seq}", target)

    def relink(self, target: Target) -> Forgery:
        """Change what one prediction says, and compute every hash from there to the end again."""
        with translated(), self._connected("default") as scratch:
            scratch.command("CREATE DATABASE relinked")
        with translated(), self._connected("relinked") as scratch:
            _create_ledger(scratch)
            rows = scratch.query(
                query("rows_to_link"),
                parameters={"seq": target.seq},
                query_formats={"String": "bytes", "FixedString": "bytes"},
            ).result_rows
            value, digest, links = _linked_again(target.chain, rows)
            scratch.command(query("forged_links"))
            scratch.insert("forged", links, column_names=["seq", "prev_hash", "entry_hash"])
            scratch.command(
                query("relink"),
                parameters={
                    "seq": target.seq, "value": value.hex(), "record_hash": digest.hex(), "links": "relinked.forged",
                },
            )  # fmt: skip
        return self._judged("relinked", f"the same change, and {len(links):,} entries linked again", target)

    def _forged(self, name: str, statement: str, target: Target) -> Forgery:
        with translated(), self._connected("default") as scratch:
            scratch.command(f"CREATE DATABASE {name}")
        with translated(), self._connected(name) as scratch:
            _create_ledger(scratch)
            scratch.command(f"INSERT INTO ledger SELECT * FROM {_COPY}.ledger")  # noqa: S608 - our own names
            scratch.command(f"{statement} SETTINGS mutations_sync = 2")
        return self._judged(name, statement, target)

    def _judged(self, name: str, statement: str, target: Target) -> Forgery:
        kept = [head for head in self._heads if head.chain == target.chain]
        with self._connected(name) as scratch:
            by_chain, by_heads = (
                verify_ledger(scratch, VerifyRequest(heads=heads, projections=False)) for heads in (None, kept)
            )
        return Forgery(name, statement, _first_fault(by_chain), _first_fault(by_heads))

    @contextmanager
    def _connected(self, database: str) -> Iterator[Any]:
        user = self._store.credentials[Role.SCRATCH]
        client = connect(
            ClickHouse(host=self._store.host, port=self._store.port),
            user=user.user,
            password=user.password,
            database=database,
        )
        try:
            yield client
        finally:
            client.close()


def _create_ledger(scratch: Any) -> None:
    """Create the ledger as it is shipped, and take its constraints away."""
    statement = next(
        statement.text
        for migration in load()
        for statement in migration.statements
        if re.match(r"CREATE TABLE ledger\b", statement.text)
    )
    scratch.command(statement)
    for name in _CONSTRAINT.findall(statement):
        scratch.command(f"ALTER TABLE ledger DROP CONSTRAINT {name}")


def _linked_again(chain: str, rows: Iterable[Sequence[Any]]) -> tuple[bytes, bytes, list[tuple[int, bytes, bytes]]]:
    """Return the forged value of the first row, its record hash, and the new hashes of all rows.

    `rows` are as `rows_to_link.sql` gives them, in order, without holes.
    """
    forged_value = forged_digest = link = b""
    links: list[tuple[int, bytes, bytes]] = []
    for seq, offset, timestamp, digest, prev, key, names, contents, value in rows:
        if not links:
            link = prev
            forged_value = value.replace(BEFORE.encode(), AFTER.encode(), 1)
            forged_digest = record_hash(key, zip(names, contents, strict=True), forged_value)
            digest = forged_digest  # noqa: PLW2901 - the one entry that says something else
        following = entry_hash(link, preimage(chain.encode(), seq, offset, timestamp, digest))
        links.append((seq, link, following))
        link = following
    return forged_value, forged_digest, links


def _first_fault(report: Any) -> Finding | None:
    found = [each.first_fault for each in report.chains if each.first_fault is not None]
    found += [each for each in report.findings if each.kind.severity is Severity.FAULT]
    return found[0] if found else None
