"""Events of every type with values that are hard to carry over, and what the typed tables should say of them."""

import json
import struct
from datetime import datetime, timedelta

from modeltrail.events.moment import parse_moment
from modeltrail.events.registry import EVENT_TYPES
from tests.storage import drift_events

TEXTS = (
    "x",
    "é漢🙂",
    'quote " and \\ backslash',
    "it's, a\ttab\nand 'more'",
    "null",
    "true",
    "1",
    "-1.5",
    "[1]",
    "{",
    "\u2028",
)
NAMES = ("a", "B c", "dé", 'q"uote', "back\\slash", "a.b", "1")
INTEGERS = (0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))
NUMBERS = (
    0.0,
    -0.0,
    0.1,
    1 / 3,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    -1e21,
    1e16,
    123456789.123456789,
)
MOMENTS = (
    "1970-01-01T00:00:00Z", "2200-12-31T23:59:59.999999Z", "2013-03-10T02:30:00.5-05:00", "2024-02-29T23:59:59+05:45",
    "2001-09-09T01:46:40.000001Z", "1999-12-31T23:59:59.12+00:00",
)  # fmt: skip
SHA = "0123456789abcdef" * 4


def _finite(random):
    while True:
        number = struct.unpack("<d", random.randbytes(8))[0]
        if number - number == 0:
            return number


class Values:
    """Draws values; optional ones are absent every third time."""

    def __init__(self, random):
        self.random = random

    def maybe(self, draw):
        return draw() if self.random.random() > 0.34 else None

    def text(self):
        return self.random.choice(TEXTS)

    def id(self):
        return self.random.choice([text for text in TEXTS if text.isprintable() or text == "\u2028"])

    def number(self):
        return self.random.choice([*NUMBERS, _finite(self.random), self.random.random(), self.random.choice(INTEGERS)])

    def share(self):
        return self.random.choice([0, 1, 0.5, self.random.random()])

    def count(self):
        return self.random.choice([0, 1, 2**63 - 1, self.random.randrange(2**40)])

    def duration(self):
        return abs(self.number())

    def boolean(self):
        return self.random.random() < 0.5

    def moment(self):
        return self.random.choice(MOMENTS)

    def names(self):
        return self.random.sample(NAMES, self.random.randrange(len(NAMES)))

    def scalar(self):
        return self.random.choice([None, True, False, self.text(), "", self.number(), self.random.choice(INTEGERS)])

    def scalars(self):
        return {name: self.scalar() for name in self.names()}

    def shares(self):
        return {name: self.share() for name in self.names()}

    def numbers(self):
        return {name: self.number() for name in self.names()}

    def free(self, depth=3):
        return {name: self._any(depth) for name in self.names()}

    def _any(self, depth):
        if depth == 0:
            return self.scalar()
        return self.random.choice(
            [self.scalar(), [self._any(depth - 1) for _ in range(3)], self.free(depth - 1), {}, []]
        )

    def ids(self):
        return [self.id() for _ in range(self.random.randrange(4))]

    def checks(self):
        return [
            {"name": self.id(), "passed": self.boolean(), "detail": self.text()}
            for _ in range(self.random.randrange(3))
        ]


def _data(kind, v):
    """Keyword arguments of the model of a type; None is left out."""
    if kind.table in drift_events.DATA:
        return drift_events.DATA[kind.table](v)
    run = {"run_id": v.id()}
    item = run | {"item_id": v.id()}
    meta = {"metadata": v.maybe(v.free)}
    alert = {
        "alert_id": v.id(), "kind": "late_block", "severity": "critical", "subject": v.id(), "message": v.text(),
        "opened_at": v.moment(), "evidence": v.maybe(v.free), "supersedes": v.maybe(v.id), "by": v.maybe(v.id),
        "note": v.maybe(v.text),
    }  # fmt: skip
    excluded = v.boolean()
    processed, evaluated = v.count(), v.count()
    return {
        "predictions": lambda: {
            "prediction_id": v.id(), "item_id": v.id(), "run_id": v.maybe(v.id), "model_id": v.id(),
            "model_version": v.id(), "kind": "binary", "value": v.maybe(v.number), "label": v.id(),
            "score": v.maybe(v.number), "probabilities": v.maybe(v.shares),
            "confidence": v.maybe(lambda: {"base": v.share(), "modifiers": v.numbers(), "final": v.share()}),
            "features": v.maybe(v.scalars), "strata": v.maybe(v.scalars), "rule_id": v.maybe(v.id),
            "selected": v.maybe(v.boolean), "excluded": excluded, "exclusion_reason": v.text() if excluded else None,
            "input_sha256": v.maybe(lambda: SHA), "latency_ms": v.maybe(v.duration),
        } | meta,
        "outcomes": lambda: {
            "prediction_id": v.id(), "model_id": v.id(), "model_version": v.id(), "value": v.number(),
            "label": v.maybe(v.id), "observed_at": v.moment(),
        } | meta,
        "classifications": lambda: {
            "item_id": v.id(), "label": v.id(), "previous_label": v.maybe(v.id), "origin": "user",
            "confidence": v.maybe(v.share), "method": v.maybe(v.id), "model_id": v.maybe(v.id),
            "model_version": v.maybe(v.id), "reason": v.maybe(v.text), "features": v.maybe(v.scalars),
        } | meta,
        "runs_started": lambda: run | {
            "engine": v.id(), "mode": "test", "trigger": "cron",
            "input": v.maybe(lambda: {"kind": v.id(), "name": v.id()} | ({"sha256": SHA, "rows": v.count()} if v.boolean() else {})),
            "expected_duration_s": v.maybe(v.duration), "preflight": v.maybe(v.checks),
        } | meta,
        "runs_health_checked": lambda: {"run_id": v.maybe(v.id), "checks": v.checks(), "allowed": v.boolean()} | meta,
        "runs_items_processed": lambda: item | {
            "attributes": v.maybe(v.scalars), "predictions": v.count(), "best": v.maybe(v.id),
            "best_confidence": v.maybe(v.share), "matched_rules": v.maybe(v.ids), "duration_ms": v.duration(),
        } | meta,
        "runs_items_skipped": lambda: item | {"category": "error", "reason": v.text(), "details": v.maybe(v.free)},
        "runs_rules_evaluated": lambda: item | {
            "rule_id": v.id(), "rule_code": v.id(), "triggered": v.boolean(), "reason": v.maybe(v.text),
            "conditions": v.maybe(v.scalars), "confidence": v.maybe(v.share), "duration_ms": v.duration(),
        } | meta,
        "runs_steps_failed": lambda: run | {
            "kind": v.id(), "message": v.text(), "stack": v.maybe(v.text), "severity": "error", "halted": v.boolean(),
        } | meta,
        "runs_completed": lambda: run | {
            "status": "partial", "rules_used": v.maybe(v.ids), "error": v.maybe(v.text),
            "counts": {
                "processed": processed, "with_predictions": processed // 2, "skipped": v.count(),
                "predictions": v.count(), "rules_evaluated": evaluated, "rules_matched": evaluated // 3,
            },
        } | meta,
        "actions": lambda: {
            "action": v.id(), "resource_type": v.id(), "resource_id": v.maybe(v.id), "data": v.maybe(v.free),
            "details": v.maybe(v.free),
        },
        "alerts_raised": lambda: alert,
        "alerts_resolved": lambda: alert,
        "alerts_acknowledged": lambda: {"alert_id": v.id(), "by": v.id(), "note": v.maybe(v.text)},
    }[kind.table]()  # fmt: skip


def draw(kind, random):
    """Return a random event of a type."""
    return kind.model(**{name: value for name, value in _data(kind, Values(random)).items() if value is not None})


def expected(kind, data):
    """Return what the typed table should hold of the data: column to value."""
    if kind.table in drift_events.EXPECTED:
        return drift_events.EXPECTED[kind.table](data.model_dump())
    row = {}
    for name, value in data.model_dump().items():
        row |= _columns(kind, name, value)
    return row


def _columns(kind, name, value):
    if name == "features":
        scalars = {key: item for key, item in value.items() if item is not None}
        numbers = {
            key: item for key, item in scalars.items() if isinstance(item, int | float) and not isinstance(item, bool)
        }
        return {
            "features_number": {key: float(item) for key, item in numbers.items()},
            "features_text": {key: _text(item) for key, item in scalars.items() if key not in numbers},
            "features_missing": sorted(key for key, item in value.items() if item is None),
        }
    if name in ("strata", "conditions", "attributes"):
        return {name: {key: _text(item) for key, item in value.items()}}
    if name == "confidence" and kind.table == "predictions":
        value = value or {"base": None, "modifiers": {}, "final": None}
        return {f"confidence_{key}": item for key, item in value.items()}
    if name == "input":
        value = value or dict.fromkeys(("kind", "name", "sha256", "rows"))
        return {f"input_{key}": item for key, item in value.items()}
    if name == "counts":
        return dict(value)
    if name == "subject":
        return {"alert_subject": value}
    if name in ("run_id", "resource_id") and kind.table in ("runs_health_checked", "actions"):
        return {name: value or ""}
    if name in ("observed_at", "opened_at"):
        return {name: datetime(1970, 1, 1) + timedelta(microseconds=parse_moment(value))}  # noqa: DTZ001 - as the client reads it
    return {name: value}


def _text(value):
    """Return a JSON scalar as text; numbers stay numbers, for there are many ways to write one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def as_read(name, value, wanted):
    """Return a column's value in the form of what is wanted."""
    if isinstance(wanted, dict) and isinstance(value, str):
        return _floats_of(json.loads(value), wanted)
    if name == "features_missing":
        return sorted(value)
    if name in ("strata", "conditions", "attributes", "policy") and isinstance(value, dict):
        return {
            key: type(wanted[key])(item) if isinstance(wanted.get(key), int | float) else item
            for key, item in value.items()
        }
    if name in ("checks", "preflight"):
        return [
            dict(item) if isinstance(item, dict) else dict(zip(("name", "passed", "detail"), item, strict=True))
            for item in value
        ]
    return value


def _floats_of(found, wanted):
    """Read a number as a float where a float is wanted: the server writes large ones without an exponent."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {key: _floats_of(item, wanted.get(key)) for key, item in found.items()}
    if isinstance(wanted, list) and isinstance(found, list):
        return [_floats_of(item, wanted[at]) if at < len(wanted) else item for at, item in enumerate(found)]
    return (
        float(found) if isinstance(wanted, float) and isinstance(found, int) and not isinstance(found, bool) else found
    )


TYPES = tuple(EVENT_TYPES.values())
