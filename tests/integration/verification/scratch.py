"""A store in which the ledger can be tampered with, for the tests of verification."""

import io
import re

import pyarrow as pa
import pytest
from pydantic import SecretStr

from modeltrail.embedded.credentials import Role
from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.findings import Severity
from modeltrail.ledger.heads import KeptHead
from modeltrail.settings import ClickHouse
from modeltrail.storage import migration_files
from modeltrail.storage.arrow_rows import COLUMNS, to_stream
from modeltrail.storage.client import connect
from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger
from tests.ledger.genuine import genuine

MODES = pytest.mark.parametrize("recompute", [False, True], ids=["sql", "here"])
GENUINE = genuine()
TOTAL = sum(len(rows) for rows in GENUINE.values())


def login(store, role, database):
    who = store.credentials[role]
    address = ClickHouse(
        host=store.host, port=store.port, user=who.user, password=SecretStr(who.password), database=database
    )
    return connect(address)


def scratch_database(store, name, *, whole):
    """A database without the constraints that would refuse the attacks; with the typed tables where `whole`."""
    client = login(store, Role.SCRATCH, "modeltrail")
    client.command(f"CREATE DATABASE {name}")
    client.close()
    client = login(store, Role.SCRATCH, name)
    for migration in migration_files.load()[: None if whole else 1]:
        for statement in migration.statements:
            client.command(re.sub(r",\s*CONSTRAINT.*\n\)\n(?=ENGINE)", "\n)\n", statement.text, flags=re.DOTALL))
    return client


def insert(client, ledger, *, appended_at=1_388_534_500_000):
    """Insert rows as they are: the text of the chain apart from its columns, repeats within the block kept."""
    rows = [row for rows in ledger.values() for row in rows]
    texts = [str(chain) for chain, rows in ledger.items() for _ in rows]
    table = pa.ipc.open_stream(io.BytesIO(to_stream(rows, appended_at))).read_all()
    table = table.set_column(0, "chain", pa.array(texts))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    settings = {"optimize_on_insert": 0, "async_insert": 0}
    client.raw_insert("ledger", COLUMNS, bytes(sink.getvalue()), fmt="ArrowStream", settings=settings)


def check(client, *, recompute, views=(), contract=CONTRACT_VERSION, **options):
    request = VerifyRequest(recompute=recompute, judge=judge, contract=contract, **options)
    return verify_ledger(client, request, views=views, insert_seconds=0.0)


def heads_of(ledger):
    """What `modeltrail heads` would have kept of it."""
    return [KeptHead(str(chain), rows[-1].seq, rows[-1].entry_hash) for chain, rows in ledger.items()]


HEADS = heads_of(GENUINE)


def first_faults(report):
    found = {chain.chain: chain.first_fault for chain in report.chains if chain.first_fault is not None}
    found |= {one.chain: one for one in report.findings}
    return {chain: (one.seq, one.kind) for chain, one in found.items()}


def faults_of(report, cluster):
    """The faults of the chains of a cluster by chain, each first position first."""
    told = [found for chain in report.chains for found in chain.told()] + report.findings
    faults = {}
    for found in sorted(told, key=lambda one: one.order):
        if found.chain.startswith(f"{cluster}/") and found.kind.severity is Severity.FAULT:
            faults.setdefault(found.chain, []).append((found.seq, found.kind))
    return faults


class SpyClient:
    """Passes queries on, and keeps them with their settings. The embedded store runs every SELECT read-only and says
    so; `may_write` lets it say what a server says to a user who may write."""

    def __init__(self, client, *, may_write=False):
        self._client = client
        self._may_write = may_write
        self.sent = []

    def query(self, text, **options):
        self.sent.append((text, options.get("settings")))
        if self._may_write and "getSetting('readonly')" in text:
            text = "SELECT 0"
        return self._client.query(text, **options)

    def raw_stream(self, text, **options):
        self.sent.append((text, options.get("settings")))
        return self._client.raw_stream(text, **options)

    def query_column_block_stream(self, text, **options):
        self.sent.append((text, options.get("settings")))
        return self._client.query_column_block_stream(text, **options)
