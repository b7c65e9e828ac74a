"""The front as clickhouse-connect, the production client, sees it."""

import datetime as dt
import io
import threading

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from modeltrail.embedded.credentials import Role

MILLION = "SELECT number AS n, toString(number) AS s FROM numbers(1000000)"


@pytest.mark.parametrize("compress", [False, True, "lz4", "zstd", "gzip"])
def test_rows_survive_the_way_there_and_back(connect, table, compress):
    client = connect(Role.WRITER, compress=compress)
    rows = [(1, "a'b\n\t\\"), (2, "ü€\x00"), (2**64 - 1, "")]
    summary = client.insert(table, rows, column_names=["a", "s"])
    assert summary.written_rows == 3
    assert client.query(f"SELECT a, s FROM {table} ORDER BY a").result_rows == rows


def test_large_compressed_inserts_arrive_whole(connect, table):
    rows = [(n, f"{n:0>40}") for n in range(50_000)]
    connect(Role.WRITER, compress="lz4").insert(table, rows, column_names=["a", "s"])
    found = connect(Role.READER).query(f"SELECT count(), uniqExact(a), sum(length(s)) FROM {table}").result_rows
    assert found == [(50_000, 50_000, 2_000_000)]


def arrow_stream(rows: int) -> bytes:
    columns = pa.table({"a": pa.array(range(rows), pa.uint64()), "s": pa.array(["x"] * rows)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, columns.schema) as writer:
        writer.write_table(columns)
    return sink.getvalue()


def test_arrow_blocks_are_inserted_and_counted(connect, table):
    client = connect(Role.WRITER)
    summary = client.raw_insert(table, insert_block=arrow_stream(1000), fmt="ArrowStream")
    assert summary.written_rows == 1000
    assert client.command(f"SELECT count(), sum(a) FROM {table}") == ["1000", "499500"]


def test_a_compressed_raw_block_is_inserted(connect, table):
    import gzip

    client = connect(Role.WRITER)
    client.raw_insert(table, insert_block=gzip.compress(b"1,x\n2,y\n"), fmt="CSV", compression="gzip")
    assert client.command(f"SELECT count() FROM {table}") == 2


def test_a_million_rows_stream_in_blocks(connect):
    client = connect(Role.READER)
    seen, total = 0, 0
    with client.query_row_block_stream(MILLION) as blocks:
        for block in blocks:
            seen += len(block)
            total += sum(row[0] for row in block)
    assert (seen, total) == (1_000_000, 499_999_500_000)


def test_a_million_rows_stream_as_arrow(connect):
    client = connect(Role.READER)
    with client.query_arrow_stream(MILLION, use_strings=True) as batches:
        assert sum(batch.num_rows for batch in batches) == 1_000_000


def test_a_million_rows_come_whole_when_the_client_wants_them_whole(connect):
    assert connect(Role.READER).query_arrow(MILLION).num_rows == 1_000_000


def test_a_raw_stream_is_read_piece_by_piece(connect):
    with connect(Role.READER).raw_stream(MILLION, fmt="TabSeparated") as stream:
        lines = sum(1 for _ in io.TextIOWrapper(stream))
    assert lines == 1_000_000


def test_an_empty_result_keeps_its_columns(connect, table):
    client = connect(Role.READER)
    assert client.query(f"SELECT * FROM {table}").result_rows == []
    assert client.query(f"SELECT * FROM {table} LIMIT 0").column_names == ("a", "s")
    assert client.query_arrow(f"SELECT * FROM {table}").schema.names == ["a", "s"]


def test_types_keep_their_meaning(connect):
    client = connect(Role.READER)
    row = client.query(
        "SELECT toDateTime64('2024-02-29 12:00:00.123', 3, 'UTC') AS t, CAST('x' AS LowCardinality(String)) AS l, "
        "[(1, NULL), (2, 'b')] AS p, toFixedString('ab', 3) AS f, toDecimal64('1.50', 2) AS d, "
        "CAST(NULL AS Nullable(UInt8)) AS z, toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS u"
    )
    (found,) = row.named_results()
    assert found["t"].replace(tzinfo=None) == dt.datetime(2024, 2, 29, 12, 0, 0, 123000)  # noqa: DTZ001
    assert found["l"] == "x"
    assert found["p"] == [(1, None), (2, "b")]
    assert found["f"] == b"ab\x00"
    assert str(found["d"]) == "1.50"
    assert found["z"] is None
    assert str(found["u"]) == "61f0c404-5cb3-11e7-907b-a6006ad3dba0"


def test_parameters_are_values_never_text(connect):
    client = connect(Role.READER)
    hostile = "x'); DROP TABLE t; --\\\n\t{a:String}"
    found = client.query("SELECT {s:String} AS s, {n:Int64} AS n, {a:Array(String)} AS a",
                         parameters={"s": hostile, "n": -5, "a": ["p", "q'"]})  # fmt: skip
    assert found.result_rows == [(hostile, -5, ["p", "q'"])]


def test_long_parameters_come_as_a_form(connect):
    client = connect(Role.READER)
    long = "ü" * 20_000
    assert client.query("SELECT length({s:String})", parameters={"s": long}).result_rows == [(40_000,)]


def test_settings_of_one_request_are_gone_in_the_next(connect):
    client = connect(Role.READER)
    asked = "SELECT getSetting('max_block_size'), getSetting('max_threads')"
    before = client.query(asked).result_rows
    assert client.query(asked, settings={"max_block_size": 1234, "max_threads": 3}).result_rows == [(1234, 3)]
    assert client.query(asked).result_rows == before


def test_the_database_of_one_request_is_gone_in_the_next(connect):
    migrator = connect(Role.MIGRATOR)
    migrator.command("CREATE DATABASE IF NOT EXISTS other")
    other = connect(Role.READER, database="other")
    assert other.command("SELECT currentDatabase()") == "other"
    assert connect(Role.READER).command("SELECT currentDatabase()") == "modeltrail"
    migrator.command("DROP DATABASE other")


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT nope", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nope", 60, "UNKNOWN_TABLE"),
        ("SELECT nope()", 46, "UNKNOWN_FUNCTION"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT 1 +", 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1)", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT {x:UInt8}", 456, "UNKNOWN_QUERY_PARAMETER"),
        ("SELECT 1 SETTINGS nope = 1", 115, "UNKNOWN_SETTING"),
    ],
)
def test_errors_carry_the_code_and_the_name_of_the_engine(connect, sql, code, name):
    with pytest.raises(DatabaseError) as failed:
        connect(Role.READER).query(sql)
    assert failed.value.code == code
    assert name in str(failed.value)


def test_an_unknown_database_is_said(connect):
    with pytest.raises(DatabaseError) as failed:
        connect(Role.READER, database="nope").command("SELECT 1")
    assert failed.value.code == 81


def test_an_error_in_the_middle_of_a_stream_is_not_an_end(connect):
    client = connect(Role.READER)
    seen: list[int] = []

    def read() -> None:
        with client.query_row_block_stream("SELECT throwIf(number = 900000) FROM numbers(1000000)") as blocks:
            seen.extend(len(block) for block in blocks)

    with pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF") as failed:
        read()
    assert failed.value.code == 395
    assert 0 < sum(seen) <= 900_000


def test_an_error_in_the_middle_of_a_whole_result_is_an_error_of_the_request(connect):
    with pytest.raises(DatabaseError) as failed:
        connect(Role.READER).query("SELECT throwIf(number = 900000) FROM numbers(1000000)")
    assert failed.value.code == 395


def test_a_constraint_that_quotes_binary_values_is_code_469(connect):
    migrator = connect(Role.MIGRATOR)
    migrator.command(
        "CREATE TABLE checked (h FixedString(4), CONSTRAINT ok CHECK h = unhex('00000000')) "
        "ENGINE = MergeTree ORDER BY h"
    )
    writer = connect(Role.WRITER)
    for _ in range(2):  # the front is as good afterwards as before
        with pytest.raises(DatabaseError) as failed:
            writer.raw_insert("checked", insert_block=b"\xff\xfe\xfd\xfc", fmt="RowBinary")
        assert failed.value.code == 469
        assert "VIOLATED_CONSTRAINT" in str(failed.value)
    writer.raw_insert("checked", insert_block=b"\x00\x00\x00\x00", fmt="RowBinary")
    assert writer.command("SELECT count() FROM checked") == 1
    migrator.command("DROP TABLE checked SYNC")


def test_a_block_is_stored_whole_or_not_at_all(connect, table):
    migrator, writer = connect(Role.MIGRATOR), connect(Role.WRITER)
    migrator.command(f"ALTER TABLE {table} ADD CONSTRAINT small CHECK a < 10")
    with pytest.raises(DatabaseError):
        writer.raw_insert(table, insert_block=b"1,a\n99,b\n", fmt="CSV")
    assert writer.command(f"SELECT count() FROM {table}") == 0


def test_what_is_not_the_announced_format_is_refused(connect, table):
    with pytest.raises(DatabaseError):
        connect(Role.WRITER).raw_insert(table, insert_block=b"not arrow", fmt="ArrowStream")


def test_queries_run_side_by_side(connect):
    """A query that waits does not hold up others: all of these wait at the same time or the barrier breaks."""
    together = threading.Barrier(4, timeout=30)
    answers: list[object] = []

    def ask(number: int) -> None:
        client = connect(Role.READER)
        with client.query_row_block_stream(f"SELECT {number}, number FROM numbers(5000000)") as blocks:
            first = next(iter(blocks))
            together.wait()  # every query is open now
            answers.append((first[0][0], sum(len(block) for block in blocks) + len(first)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(number, 5_000_000) for number in range(4)]


def test_inserts_and_reads_side_by_side_lose_nothing(connect, table):
    def write(part: int) -> None:
        client = connect(Role.WRITER)
        for step in range(10):
            client.insert(table, [[part * 1000 + step * 10 + n, "x"] for n in range(10)], column_names=["a", "s"])

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connect(Role.READER).command(f"SELECT count(), uniqExact(a) FROM {table}") == ["400", "400"]
