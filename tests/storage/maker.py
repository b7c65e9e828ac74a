"""Makes rows of the ledger: from events as a producer sends them, or from any bytes with any judgement."""

from dataclasses import dataclass, field

from modeltrail.events.encode import Event, encode_binary, encode_structured
from modeltrail.events.fields import Data
from modeltrail.events.judge import CONTRACT_VERSION, Judgement, judge
from modeltrail.events.registry import event_type_of
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.row import Row
from modeltrail.ledger.sequencer import Head, Record, Sequencer
from modeltrail.storage.arrow_rows import COLUMNS, to_stream

APPENDED_AT = 1_700_000_000_000
TIME = "2023-11-14T22:13:19.123456Z"


@dataclass
class ChainMaker:
    """One chain; what is appended is returned and kept in `rows`. Timestamps are the offset plus a million."""

    chain: Chain
    old: "ChainMaker | None" = None
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self):
        reason = GenesisReason.REPLACED if self.old else GenesisReason.START
        self.sequencer = Sequencer.begin(self.chain, reason, self.old.head if self.old else None)

    @property
    def head(self):
        row = self.rows[-1]
        return Head(row.chain, row.seq, row.offset, row.timestamp, row.log_time, row.record_hash, row.entry_hash)

    def event(self, data: Data, *, encode=encode_binary, timestamp=None, **given):
        """Append an event as it would be sent. Without `id` each has one of its own."""
        named = {
            "source": "tests/maker",
            "actor": "tester",
            "time": TIME,
            "id": f"{self.chain}:{self.sequencer.next_offset}",
        }
        event = Event.of(data, **named | given)
        key, headers, value = encode(event)
        raw = tuple((name.encode(), content) for name, content in headers)
        found = judge(f"modeltrail.{event_type_of(data).family}", key, raw, value)
        assert found.status == "valid", found.reason
        return self.judged(found, value, key=key, headers=raw, timestamp=timestamp)

    def judged(self, judgement: Judgement, value, *, key=b"k", headers=((b"\xff", None),), timestamp=None):
        """Append a record of any content under any judgement."""
        offset = self.sequencer.next_offset
        record = Record(offset, 1_000_000 + offset if timestamp is None else timestamp, key, headers, value)
        return self.keep(self.sequencer.append(record, record.digest(), judgement, CONTRACT_VERSION))

    def again(self, row: Row):
        """Append the record of another chain's row: a second epoch that reads the same log."""
        judgement = Judgement(row.status, row.reason, row.reason_class, row.mode, *row[18:])
        return self.judged(judgement, row.value, key=row.key, headers=row.headers, timestamp=row.timestamp)

    def gap(self, last_missing):
        return self.keep(self.sequencer.append_gap(last_missing, CONTRACT_VERSION))

    def keep(self, row):
        self.rows.append(row)
        return row

    def next_epoch(self, first_offset):
        chain = self.chain._replace(epoch=self.chain.epoch + 1, first_offset=first_offset)
        return ChainMaker(chain, old=self)


BOTH_MODES = (encode_binary, encode_structured)


def insert(client, rows, *, appended_at=APPENDED_AT):
    """Insert rows as one block."""
    client.raw_insert("ledger", column_names=COLUMNS, insert_block=to_stream(rows, appended_at), fmt="ArrowStream")
