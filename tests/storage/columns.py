"""The stream of the query `verify/columns`, made from rows without a store."""

import pyarrow as pa

from modeltrail.ledger.row import Row

_NUMBERS = {"partition": pa.uint32(), "epoch": pa.uint32(), "contract": pa.uint16(), "without_reason": pa.uint8()} | dict.fromkeys(
    ("first_offset", "seq", "offset", "timestamp", "log_time", "gap_first", "time_us"), pa.int64()
)  # fmt: skip
_OTHERS = {
    "header_names": pa.list_(pa.binary()),
    "header_values": pa.list_(pa.binary()),
} | dict.fromkeys(("record_hash", "prev_hash", "entry_hash"), pa.binary(32))
_FEW = {
    "chain",
    "cluster",
    "topic",
    "kind",
    "status",
    "reason_class",
    "mode",
    "source",
    "type",
    "actor",
    "tenant",
    "retentionclass",
}


def columns(rows, text=None):
    """Rows by column, in the order in which the server sends them; `text` is the chain that they stand under."""
    rows = sorted(rows, key=lambda row: (row.seq, row.entry_hash))
    made = {
        "chain": [text or str(row.chain) for row in rows],
        **{
            part: [getattr(row.chain, part) for row in rows]
            for part in ("cluster", "topic", "partition", "epoch", "first_offset")
        },
        "header_names": [[name for name, _ in row.headers] for row in rows],
        "header_values": [[value for _, value in row.headers] for row in rows],
        "without_reason": [row.reason == "" for row in rows],
    }
    for name in Row._fields[1:]:
        if name not in ("headers", "reason"):
            made[name] = [getattr(row, name) for row in rows]
    return made


def to_arrow(made, *, dictionaries=True, rows_a_batch=7):
    """An Arrow stream of several batches, as the server sends it."""
    arrays = {}
    for name, values in made.items():
        if name in _NUMBERS:
            arrays[name] = pa.array([int(value) if value is not None else None for value in values], _NUMBERS[name])
        elif name in _OTHERS:
            arrays[name] = pa.array(values, _OTHERS[name])
        else:
            raw = [value.encode() if isinstance(value, str) else value for value in values]
            array = pa.array(raw, pa.binary())
            arrays[name] = array.dictionary_encode() if dictionaries and name in _FEW else array
    table = pa.table(arrays)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows_a_batch)
    return sink.getvalue()
