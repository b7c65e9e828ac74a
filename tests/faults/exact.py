"""What must hold after any fault: the same bytes as an undisturbed run, everything announced, nothing acknowledged early."""

import aiokafka
import pyarrow as pa

from modeltrail.events.notices import Block, Reject
from modeltrail.storage.arrow_rows import COLUMNS, to_stream
from tests.integration.installation import until

COMPARED = [name for name in COLUMNS if name != "appended_at"]


async def alerts(installation, kind, within=60):
    """The alerts of a kind that the ledger holds, as (kind, severity, message); waits for the first."""

    def raised():
        client = installation.client()
        try:
            rows = client.query("SELECT kind, severity, message FROM alerts_raised FINAL").result_rows
            return [row for row in rows if row[0] == kind]
        finally:
            client.close()

    return await until(raised, within=within, what=f"an alert {kind}")


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


async def folded_rows(installation, partition):
    """What an undisturbed run would have stored: every column of every row but the time of the insert."""
    rows = await installation.fold(partition)
    return _plain(pa.ipc.open_stream(to_stream(rows, 0)).read_all()) if rows else []


def stored_rows(installation, partition):
    """The same columns as the ledger holds them, duplicates merged."""
    client = installation.client()
    try:
        table = client.query_arrow(
            f"SELECT {', '.join(COMPARED)} FROM ledger FINAL"
            " WHERE topic = {topic:String} AND partition = {partition:UInt32} ORDER BY epoch, first_offset, seq",
            parameters={"topic": partition.topic, "partition": partition.partition},
            settings={
                "output_format_arrow_string_as_string": 0,
                "output_format_arrow_low_cardinality_as_dictionary": 0,
            },
        )
    finally:
        client.close()
    return _plain(table)


async def assert_same_bytes(installation, family="predictions"):
    """The ledger equals the fold of the same log in every column, row by row."""
    for number in range(installation.partitions):
        partition = installation.partition(number, family)
        folded, stored = await folded_rows(installation, partition), stored_rows(installation, partition)
        for mine, theirs in zip(folded, stored, strict=False):
            differing = [name for name, a, b in zip(COMPARED, mine, theirs, strict=True) if a != b]
            assert not differing, f"{partition} seq {mine[COMPARED.index('seq')]} differs in {differing}"
        assert len(stored) == len(folded), f"{partition}: {len(folded)} in the log, {len(stored)} in the ledger"


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


async def assert_announced(installation, family="predictions"):
    """Every entry is covered by a receipt in every partition of blocks, every rejected one by its reject."""
    blocks = await messages_of(installation, f"{installation.prefix}.blocks")
    rejected = await messages_of(installation, f"{installation.prefix}.rejected")
    announced = {
        (reject.chain, reject.seq): reject.record_hash
        for values in rejected.values()
        for reject in map(Reject.parse, values)
    }
    for number in range(installation.partitions):
        partition = installation.partition(number, family)
        rows = await installation.fold(partition)
        if not rows:
            continue
        chain, heads = str(rows[0].chain), {row.seq: row.entry_hash.hex() for row in rows}
        for tp, values in blocks.items():
            covered = set()
            for block in map(Block.parse, values):
                if block.chain == chain:
                    covered.update(range(block.first_seq, block.last_seq + 1))
                    assert block.head == heads[block.last_seq], f"{tp}: a receipt for another entry: {block}"
            assert covered == set(heads), f"{tp}: no receipt for {sorted(set(heads) - covered)[:5]} of {chain}"
        for row in rows:
            if row.status == "rejected":
                assert announced.get((chain, row.seq)) == row.record_hash.hex(), f"seq {row.seq} of {chain}: no reject"


async def assert_acknowledged(installation, family="predictions"):
    """The group's offsets do not lie beyond what the ledger holds."""
    committed = await installation.committed(family)
    for number, offset in committed.items():
        rows = installation.rows(installation.partition(number, family))
        assert (offset or 0) <= (rows[-1][2] + 1 if rows else 0), f"partition {number}: {offset} is acknowledged"


async def assert_undisturbed(installation, family="predictions", *, verify=True):
    """All of it: bytes, announcements, acknowledgements, and the verdict of the command, typed tables included."""
    await assert_same_bytes(installation, family)
    await assert_announced(installation, family)
    await assert_acknowledged(installation, family)
    if verify:
        code, result = installation.verify()
        assert code == 0, result


async def finish(installation, worker, family="predictions"):
    """Wait until this worker is ready and the group has acknowledged all that the log holds; stop it in order."""
    await until(worker.ready, what="the worker is ready")

    async def acknowledged():
        committed = await installation.committed(family)
        for number, offset in committed.items():
            _, records = await installation.log_of(installation.partition(number, family))
            if records and (offset or 0) <= records[-1].offset:
                return False
        return True

    await until(acknowledged, what="everything acknowledged", every=0.3)
    assert worker.stop() == 0, worker.output[-2000:]
