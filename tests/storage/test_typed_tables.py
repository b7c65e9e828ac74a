"""Typed tables hold what the events said, whatever way the rows came in, and nothing makes an insert fail."""

from random import Random

import pytest

from modeltrail.events.encode import encode_binary, encode_structured
from modeltrail.events.judge import Judgement
from modeltrail.storage.projections import fill, projections
from tests.storage.events import TYPES, as_read, draw, expected
from tests.storage.maker import insert

BY_TABLE = {kind.table: kind for kind in TYPES}
EVENTS = 60


def typed(client, table, chain):
    """Rows of a chain by position."""
    found = client.query(f"SELECT * FROM {table} FINAL WHERE chain = {{chain:String}}", {"chain": str(chain.chain)})
    return {row["seq"]: row for row in found.named_results()}


def test_every_event_type_has_its_typed_table():
    assert {(item.type, item.table) for item in projections()} == {(kind.name, kind.table) for kind in TYPES}


@pytest.mark.parametrize("encode", [encode_binary, encode_structured])
@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.table)
def test_a_typed_row_equals_the_model(client, chain, kind, encode):
    random = Random(f"{kind.table}{encode.__name__}")
    events = {chain.event(data, encode=encode).seq: data for data in (draw(kind, random) for _ in range(EVENTS))}
    insert(client, chain.rows)
    rows = typed(client, kind.table, chain)
    assert set(rows) == set(events)
    for seq, data in events.items():
        for name, wanted in expected(kind, data).items():
            found = as_read(name, rows[seq][name], wanted)
            assert found == wanted, (name, data)
            assert repr(found) == repr(wanted) or not isinstance(wanted, float), (name, data)


@pytest.mark.parametrize("table", sorted(BY_TABLE))
def test_a_typed_row_carries_position_and_envelope(client, chain, table):
    row = chain.event(
        draw(BY_TABLE[table], Random(1)), source="a/b", actor="somebody", subject="about", tenant="acme", id="7"
    )
    insert(client, chain.rows)
    found = typed(client, table, chain)[row.seq]
    assert found["entry_hash"] == row.entry_hash
    assert found["record_hash"] == row.record_hash
    assert (found["cluster"], found["topic"], found["partition"]) == row.chain[:3]
    assert (found["offset"], found["timestamp"], found["log_time"]) == (row.offset, row.timestamp, row.log_time)
    assert (found["source"], found["actor"], found["subject"], found["tenant"], found["id"]) == (
        "a/b", "somebody", "about", "acme", "7",
    )  # fmt: skip
    assert found["time"].isoformat() == "2023-11-14T22:13:19.123456"


POISON = [
    None, b"", b"garbage", b"\x00\xff\xfe", b"{", b"[]", b"null", b"true", b"0", b'"text"', b"{}", b'{"data": 1}',
    b'{"a": NaN}', b'{"score": 1e999}', b'{"features": []}', b'{"features": {"a": {"b": [1]}}}', b'{"features": null}',
    b'{"score": "x", "latency_ms": [], "probabilities": {"a": "b"}, "selected": 7, "strata": 1}',
    b'{"checks": [1, null, {"name": []}], "counts": {"processed": -1e30}, "observed_at": "soon", "opened_at": 7}',
    b'{"observed_at": "9999-99-99T99:99:99Z", "input": [], "confidence": "high", "matched_rules": {"a": 1}}',
    b'{"item_id": "a", "item_id": "b"}', b'{"duration_ms": 123456789012345678901234567890}', b"{" * 5000,
    b'{"features": {"\\ud800": 1, "a": "\\udfff"}}', b'\xef\xbb\xbf{"item_id": "x"}', b'{"item_id": "\xff"}',
]  # fmt: skip


@pytest.mark.parametrize("mode", ["binary", "structured", "", "nonsense"])
def test_no_value_makes_an_insert_fail(client, chain, mode):
    """A row that says valid and holds garbage would be a fault of a worker; it must not stop the ledger."""
    for kind in TYPES:
        for value in POISON:
            judgement = Judgement("valid", "", "", mode, "s", "i", kind.name, "", None, "", "")
            chain.judged(judgement, value)
    insert(client, chain.rows)
    for kind in TYPES:
        assert len(typed(client, kind.table, chain)) == len(POISON)
    fill(client, str(chain.chain), 0, len(chain.rows))


def test_rejected_records_and_gaps_have_no_typed_row(client, chain):
    for kind in TYPES:
        chain.judged(Judgement("rejected", "why", "data", "binary", "s", "i", kind.name), b"{}")
        chain.gap(chain.sequencer.next_offset + 3)
    insert(client, chain.rows)
    for kind in TYPES:
        assert typed(client, kind.table, chain) == {}


def test_filling_by_hand_gives_the_rows_of_the_views(own, chain):
    random = Random(5)
    for kind in TYPES:
        for encode in (encode_binary, encode_structured):
            for _ in range(10):
                chain.event(draw(kind, random), encode=encode)
    insert(own, chain.rows)
    by_view = {kind.table: contents(own, kind.table) for kind in TYPES}
    for kind in TYPES:
        own.command(f"TRUNCATE TABLE {kind.table}")
    filled = fill(own, str(chain.chain), 0, len(chain.rows) - 1)
    assert filled == sorted(BY_TABLE)
    assert {kind.table: contents(own, kind.table) for kind in TYPES} == by_view
    fill(own, str(chain.chain), 0, len(chain.rows) - 1)
    assert {kind.table: contents(own, kind.table) for kind in TYPES} == by_view


def contents(client, table):
    """Every row of a typed table, in a fixed order."""
    found = client.query(f"SELECT * FROM {table} FINAL ORDER BY chain, seq, entry_hash").result_rows
    return [repr(row) for row in found]


def test_fill_touches_only_its_range_and_the_types_in_it(own, chain):
    for kind in TYPES[:2]:
        for _ in range(3):
            chain.event(draw(kind, Random(2)))
    insert(own, chain.rows)
    for kind in TYPES[:2]:
        own.command(f"TRUNCATE TABLE {kind.table}")
    assert fill(own, str(chain.chain), 1, 2) == [TYPES[0].table]
    assert set(typed(own, TYPES[0].table, chain)) == {1, 2}
    assert typed(own, TYPES[1].table, chain) == {}
    assert fill(own, str(chain.chain), 500, 900) == []


def test_a_failing_view_leaves_entries_without_typed_rows_and_fill_mends_them(own, chain):
    own.command(
        "CREATE MATERIALIZED VIEW broken TO predictions AS "
        "SELECT chain, seq, throwIf(seq >= 0, 'broken on purpose') AS partition FROM ledger"
    )
    for _ in range(5):
        chain.event(draw(BY_TABLE["predictions"], Random(3)))
    with pytest.raises(Exception, match="broken on purpose"):
        insert(own, chain.rows)
    own.command("DROP VIEW broken")
    stored = own.query("SELECT count() FROM ledger").result_rows[0][0]
    if stored == 0:  # the engine stopped before it wrote; it may do either
        insert(own, chain.rows)
        own.command("TRUNCATE TABLE predictions")
    fill(own, str(chain.chain), 0, 4)
    assert set(typed(own, "predictions", chain)) == {0, 1, 2, 3, 4}


def test_a_block_inserted_twice_counts_once_before_any_merge(own, chain):
    for kind in TYPES:
        own.command(f"SYSTEM STOP MERGES {kind.table}")
        for number in range(4):
            chain.event(draw(kind, Random(number)))
    entries = len(chain.rows)
    for appended_at in (1_700_000_000_000, 1_700_000_000_001, 1_710_000_000_000):  # the last in another partition
        insert(own, chain.rows, appended_at=appended_at)
    for kind in TYPES:
        assert own.query(f"SELECT count() FROM {kind.table}").result_rows[0][0] > 4
        assert own.query(f"SELECT count() FROM {kind.table} FINAL").result_rows[0][0] == 4
    assert own.query("SELECT entries, positions, records, valid FROM chains").result_rows == [(entries,) * 4]
    assert own.query("SELECT sum(records), sum(valid) FROM ingest_stats").result_rows == [(entries, entries)]
    assert own.query("SELECT count() FROM duplicates").result_rows == [(0,)]
    assert own.query("SELECT count() FROM resource_trail").result_rows == [(entries,)]


@pytest.mark.parametrize("order", ["old first", "new first", "together"])
@pytest.mark.parametrize("merged", [False, True])
def test_a_record_in_two_epochs_counts_once_in_the_lowest(client, chain, order, merged):
    for number in range(3):
        chain.event(draw(BY_TABLE["predictions"], Random(number)))
    second = chain.next_epoch(1)
    for row in chain.rows[1:]:
        second.again(row)
    second.event(draw(BY_TABLE["predictions"], Random(9)))
    blocks = {
        "old first": [chain.rows, second.rows], "new first": [second.rows, chain.rows], "together": [second.rows + chain.rows],
    }[order]  # fmt: skip
    for block in blocks:
        insert(client, block)
    if merged:
        client.command("OPTIMIZE TABLE predictions FINAL")

    def ask(what, table):
        return client.query(
            f"SELECT {what} FROM {table} WHERE cluster = {{c:String}}", {"c": chain.chain.cluster}
        ).result_rows

    assert sorted(ask("toString(chain), seq", "predictions FINAL")) == [
        (str(chain.chain), 0), (str(chain.chain), 1), (str(chain.chain), 2), (str(second.chain), 2),
    ]  # fmt: skip
    assert ask("sum(records)", "ingest_stats") == [(4,)]
    assert ask("sum(records)", "chains") == [(6,)]
    ids = [row.id for row in chain.rows + second.rows]
    assert client.query("SELECT count() FROM duplicates WHERE id IN {ids:Array(String)}", {"ids": ids}).result_rows == [
        (0,)
    ]
