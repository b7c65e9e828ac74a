"""What must hold after any fault: the same bytes as an undisturbed run, everything announced, nothing acknowledged early."""

import aiokafka
import pyarrow as pa

from modeltrail.events.notices import Block, Reject
from modeltrail.storage.arrow_rows import COLUMNS, to_stream
from modeltrail.streaming.records import to_record
from tests.integration.installation import DEADLINE_S, folded, until

COMPARED = [name for name in COLUMNS if name != "appended_at"]


async def alerts(installation, kind, within=60, count=1):
    """The alerts of a kind that the ledger holds, as (kind, severity, message); waits for the first `count`."""

    def raised():
        client = installation.client()
        try:
            rows = client.query("SELECT kind, severity, message FROM alerts_raised FINAL").result_rows
            found = [row for row in rows if row[0] == kind]
            return found if len(found) >= count else None
        finally:
            client.close()

    return await until(raised, within=within, what=f"{count} alerts {kind}")


def _plain(table):
    """Rows of an Arrow table as tuples; text as bytes, whatever the column's type."""

    def value(item):
        match item:
            case str():
                return item.encode()
            case list():
                return tuple(tuple(value(part) for part in entry.values()) for entry in item)
            case _:
                return item

    columns = [[value(item) for item in table.column(name).to_pylist()] for name in COMPARED]
    return list(zip(*columns, strict=True))


async def logs_of(installation, family="predictions"):
    """{partition number: (begin, committed records)} of a whole topic, read by one consumer without a group."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=installation.stack.bootstrap_servers,
        group_id=None,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        tps = [aiokafka.TopicPartition(installation.topic(family), n) for n in range(installation.partitions)]
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        consumer.assign(tps)
        for tp, begin in begins.items():
            consumer.seek(tp, begin)
        records = {tp.partition: [] for tp in tps}
        while [tp for tp in tps if await consumer.position(tp) < ends[tp]]:
            for tp, came in (await consumer.getmany(timeout_ms=200)).items():
                records[tp.partition] += [to_record(record) for record in came]
        return {tp.partition: (begins[tp], records[tp.partition]) for tp in tps}
    finally:
        await consumer.stop()


async def folds_of(installation, family="predictions"):
    """{partition: the rows that an undisturbed run of its log would have stored in epoch 0}."""
    return {
        (partition := installation.partition(number, family)): folded(partition, begin, records)
        for number, (begin, records) in (await logs_of(installation, family)).items()
    }


def stored_rows(installation, family="predictions"):
    """{partition number: rows} as the ledger holds them, every column but the time of the insert, duplicates merged."""
    client = installation.client()
    try:
        table = client.query_arrow(
            f"SELECT {', '.join(COMPARED)} FROM ledger FINAL WHERE topic = {{topic:String}}"
            " ORDER BY partition, epoch, first_offset, seq",
            parameters={"topic": installation.topic(family)},
            settings={
                "output_format_arrow_string_as_string": 0,
                "output_format_arrow_low_cardinality_as_dictionary": 0,
            },
        )
    finally:
        client.close()
    stored = {number: [] for number in range(installation.partitions)}
    for row in _plain(table):
        stored[row[COMPARED.index("partition")]].append(row)
    return stored


def assert_same_bytes(folds, stored):
    """The ledger equals the fold of the same log in every column, row by row."""
    for partition, rows in folds.items():
        mine = _plain(pa.ipc.open_stream(to_stream(rows, 0)).read_all()) if rows else []
        theirs = stored[partition.partition]
        for a, b in zip(mine, theirs, strict=False):
            differing = [name for name, x, y in zip(COMPARED, a, b, strict=True) if x != y]
            assert not differing, f"{partition} seq {a[COMPARED.index('seq')]} differs in {differing}"
        assert len(theirs) == len(mine), f"{partition}: {len(mine)} in the log, {len(theirs)} in the ledger"


async def messages_of(installation, topic):
    """Every value in one of the topics that Modeltrail writes itself."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=installation.stack.bootstrap_servers, group_id=None, auto_offset_reset="none"
    )
    await consumer.start()
    try:
        tps = [aiokafka.TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        for tp, begin in (await consumer.beginning_offsets(tps)).items():
            consumer.seek(tp, begin)
        found = {tp: [] for tp in tps}
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp] += [record.value for record in records]
        return found
    finally:
        await consumer.stop()


async def _partitions(consumer, topic):
    metadata = await consumer._client.fetch_all_metadata()
    return sorted(metadata.partitions_for_topic(topic))


async def assert_announced(installation, folds):
    """Every entry is covered by a receipt in every partition of blocks, every rejected one by its reject."""
    blocks = await messages_of(installation, f"{installation.prefix}.blocks")
    rejected = await messages_of(installation, f"{installation.prefix}.rejected")
    announced = {
        (reject.chain, reject.seq): reject.record_hash
        for values in rejected.values()
        for reject in map(Reject.parse, values)
    }
    receipts = {tp: [Block.parse(value) for value in values] for tp, values in blocks.items()}
    for rows in filter(None, folds.values()):
        chain, heads = str(rows[0].chain), {row.seq: row.entry_hash.hex() for row in rows}
        for tp, found in receipts.items():
            covered = set()
            for block in found:
                if block.chain == chain:
                    covered.update(range(block.first_seq, block.last_seq + 1))
                    assert block.head == heads[block.last_seq], f"{tp}: a receipt for another entry: {block}"
            assert covered == set(heads), f"{tp}: no receipt for {sorted(set(heads) - covered)[:5]} of {chain}"
        for row in rows:
            if row.status == "rejected":
                assert announced.get((chain, row.seq)) == row.record_hash.hex(), f"seq {row.seq} of {chain}: no reject"


def assert_acknowledged(committed, stored):
    """The group's offsets do not lie beyond what the ledger holds."""
    offset_at = COMPARED.index("offset")
    for number, offset in committed.items():
        rows = stored[number]
        assert (offset or 0) <= (rows[-1][offset_at] + 1 if rows else 0), (
            f"partition {number}: {offset} is acknowledged"
        )


def assert_typed(installation, folds):
    """Every valid prediction has its typed row, once."""
    valid = sum(row.status == "valid" for rows in folds.values() for row in rows)
    client = installation.client()
    try:
        assert client.query("SELECT count() FROM predictions FINAL").result_rows[0][0] == valid
    finally:
        client.close()


async def assert_undisturbed(installation, family="predictions", *, verify=False):
    """All of it: bytes, typed rows, announcements, acknowledgements.

    With `verify`, and in the whole set always, also the verdict of the command, which recomputes the typed rows.
    """
    folds, stored = await folds_of(installation, family), stored_rows(installation, family)
    assert_same_bytes(folds, stored)
    if family == "predictions":
        assert_typed(installation, folds)
    await assert_announced(installation, folds)
    assert_acknowledged(await installation.committed(family), stored)
    if verify or getattr(installation, "thorough", True):
        code, result = installation.verify()
        assert code == 0, result


async def caught_up(installation, family="predictions", *, within=DEADLINE_S):
    """Wait until the ledger reaches the end of what the log holds now; it may stand still `within` seconds at most."""
    wanted = {n: records[-1].offset for n, (_, records) in (await logs_of(installation, family)).items() if records}
    client = installation.client()

    def behind():
        rows = client.query(
            "SELECT partition, max(offset) FROM ledger WHERE topic = {topic:String} GROUP BY partition",
            parameters={"topic": installation.topic(family)},
        ).result_rows
        ledger = dict(rows)
        return {n: (ledger.get(n, -1), last) for n, last in wanted.items() if ledger.get(n, -1) < last}

    try:
        while left := behind():
            what = f"progress to the end of the log; partition: (in the ledger, in the log): {left}"
            await until(lambda left=left: behind() != left, within=within, what=what, every=0.2)
    finally:
        client.close()


async def acknowledged(installation, family="predictions"):
    """Wait until the group has acknowledged all that the log holds now; return its offsets."""
    wanted = {n: records[-1].offset for n, (_, records) in (await logs_of(installation, family)).items() if records}

    async def done():
        committed = await installation.committed(family)
        return committed if all((committed[number] or 0) > last for number, last in wanted.items()) else None

    return await until(done, what="everything acknowledged", every=0.3)


async def finish(installation, worker, family="predictions"):
    """Wait until everything is chained and acknowledged and this worker is ready; stop it in order."""
    await caught_up(installation, family)
    await until(worker.ready, what="the worker is ready")
    await acknowledged(installation, family)
    assert worker.stop() == 0, worker.output[-2000:]
