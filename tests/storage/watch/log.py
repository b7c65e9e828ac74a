"""A small log of predictions on several chains, and a slow, obvious reading of it to compare with."""

import json
from itertools import count

from modeltrail.drift.rows.columns import NUMBER, TEXT, number_text
from modeltrail.drift.windows.order import Position
from modeltrail.events.encode import encode_binary
from modeltrail.events.predictions import PredictionOutcome, PredictionRecorded
from modeltrail.ledger.chain import Chain
from tests.storage.maker import ChainMaker, insert

_clusters = count()
HOUR_US = 3_600_000_000
MODEL, VERSION = "flights-delay", "1.0.0"


def moment(us):
    seconds, rest = divmod(us, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    assert days < 28, "the tests live in January 1970"
    return f"1970-01-{days + 1:02}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}Z"


class Log:
    """Chains of one cluster of its own. Log times are given in milliseconds, event times in microseconds."""

    def __init__(self, partitions=1):
        self.cluster = f"watch{next(_clusters)}"
        self.chains = [
            ChainMaker(Chain(self.cluster, "modeltrail.predictions", partition, 0, 0))
            for partition in range(partitions)
        ]
        self._numbers = count()

    def predict(
        self, *, to=0, at_us=HOUR_US // 2, log_ms=1_000, encode=encode_binary, event_id=None, source="tests/log", **data
    ):
        chain = self.chains[to] if isinstance(to, int) else to
        number = next(self._numbers)
        named = {
            "prediction_id": f"p-{number}", "item_id": f"i-{number}", "model_id": MODEL, "model_version": VERSION,
            "kind": "binary", "label": "late",
        }  # fmt: skip
        return chain.event(
            PredictionRecorded(**named | data), encode=encode, timestamp=log_ms, time=moment(at_us),
            id=event_id or f"{self.cluster}-{number}", source=source,
        )  # fmt: skip

    def outcome(self, prediction_id, *, to=0, log_ms=2_000, encode=encode_binary, event_id=None, **data):
        chain = self.chains[to] if isinstance(to, int) else to
        named = {
            "prediction_id": prediction_id, "model_id": MODEL, "model_version": VERSION,
            "observed_at": "1970-01-02T00:00:00Z",
        }  # fmt: skip
        return chain.event(
            PredictionOutcome(**named | data), encode=encode, timestamp=log_ms,
            id=event_id or f"{self.cluster}-o{next(self._numbers)}", source="tests/log",
        )  # fmt: skip

    @property
    def rows(self):
        return [row for chain in self.chains for row in chain.rows]

    @property
    def cut(self):
        return {str(chain.chain): chain.rows[-1].seq for chain in self.chains if chain.rows}

    def insert(self, client):
        insert(client, self.rows)


def events(rows, cut, type_):
    """The valid events of a type within a cut, in watch order: (row, data)."""
    within = [
        row for row in rows if row.status == "valid" and row.type == type_ and row.seq <= cut.get(str(row.chain), -1)
    ]
    for row in sorted(within, key=lambda row: Position.at(row.log_time, row.chain, row.seq)):
        document = json.loads(row.value)
        yield row, document["data"] if row.mode == "structured" else document


def read_slowly(rows, cut, *, start_us=0, end_us=2**62, after=None, model=MODEL, version=VERSION):
    """The predictions of a window, each event once: their data in watch order, and the number of repeats."""
    seen, records, found = {}, set(), []
    for row, data in events(rows, cut, "modeltrail.prediction.recorded.v1"):
        in_window = start_us <= row.time_us < end_us and row.seq > (after or {}).get(str(row.chain), -1)
        if not in_window or (data["model_id"], data["model_version"]) != (model, version):
            continue
        chain = row.chain
        records.add((chain.cluster, chain.topic, chain.partition, row.offset, row.timestamp, row.record_hash))
        if seen.setdefault((row.source, row.id), row) is row:
            found.append(data)
    return found, len(records) - len(found)


def truth_slowly(rows, cut, prediction):
    """The latest outcome of a prediction within a cut; repeats that name it too count where they stand first."""
    latest, seen = None, set()
    for row, data in events(rows, cut, "modeltrail.prediction.outcome.v1"):
        same = all(data[name] == prediction[name] for name in ("prediction_id", "model_id", "model_version"))
        if same and (row.source, row.id) not in seen:
            latest = data
            seen.add((row.source, row.id))
    return latest


def scalar(data, name):
    """A feature as a column has it: kind, and number or text."""
    features = data.get("features") or {}
    if name not in features:
        return (0, None)
    value = features[name]
    if value is None:
        return (1, None)
    if isinstance(value, bool):
        return (TEXT, "true" if value else "false")
    return (TEXT, value) if isinstance(value, str) else (NUMBER, float(value))


def values(column):
    """A column as a list of (kind, number or text)."""
    return [
        (int(kind), float(number) if kind == NUMBER else column.dictionary[code] if kind == TEXT else None)
        for kind, number, code in zip(column.kinds, column.numbers, column.codes, strict=True)
    ]


def strata_values(strata):
    return [None if code < 0 else strata.dictionary[code] for code in strata.codes]


def stratum(data, name):
    """A stratum, or the feature of its name, as text."""
    place = data.get("strata") or {}
    kind, value = scalar({"features": place}, name) if name in place else scalar(data, name)
    return value if kind == TEXT else number_text(value) if kind == NUMBER else None
