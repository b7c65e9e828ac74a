"""The whole corpus of hostile documents in one insert: the typed tables show what was validated, and nothing else."""

import json
import math
from datetime import datetime, timedelta

import pytest

from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.events.moment import parse_moment
from modeltrail.events.reading import read_json
from modeltrail.events.registry import EVENT_TYPES
from modeltrail.ledger.sequencer import Record
from tests.events.hostile_documents import DOCUMENTS
from tests.events.records import ATTRIBUTES, headers
from tests.storage.events import as_read, expected
from tests.storage.maker import insert

KINDS = {kind.table: kind for kind in EVENT_TYPES.values()}
ENVELOPE = ("source", "id", "type", "subject", "actor", "tenant", "sequence", "correlationid")


def forms(document):
    """The records that carry a document: (mode, headers, value)."""
    kind = KINDS[document.table]
    if document.whole:
        return [("structured", [], document.value)]
    envelope = json.dumps(ATTRIBUTES | {"type": kind.name}).encode()
    return [
        ("binary", headers(type=kind.name), document.value),
        ("structured", [], envelope[:-1] + b',"data":' + document.value + b"}"),
    ]


def records():
    for document in DOCUMENTS:
        topic = f"modeltrail.{KINDS[document.table].family}"
        for mode, names, value in forms(document):
            yield document, mode, names, value, judge(topic, None, names, value)


def test_the_corpus_is_large_and_no_name_stands_twice():
    assert len({document.name for document in DOCUMENTS}) == len(DOCUMENTS)
    assert len(DOCUMENTS) >= 500
    assert sum(document.verdict == "valid" for document in DOCUMENTS) >= 150


@pytest.mark.parametrize("whole", [False, True], ids=["data", "event"])
def test_every_document_gets_its_verdict_in_both_content_modes(whole):
    differing = [
        (document.name, mode, document.verdict, judged.reason_class or judged.status, judged.reason)
        for document, mode, _, _, judged in records()
        if document.whole is whole
        and (
            (judged.reason_class or judged.status) != document.verdict
            if mode == "binary" or whole
            else judged.status != ("valid" if document.verdict == "valid" else "rejected")
        )
    ]
    assert differing == []


def unlike(found, wanted):
    """Whether a column differs from what was validated: by type as well, but for the sign of a zero."""
    if isinstance(wanted, dict):
        return (
            not isinstance(found, dict)
            or found.keys() != wanted.keys()
            or any(unlike(found[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, list):
        return not isinstance(found, list | tuple) or len(found) != len(wanted) or any(map(unlike, found, wanted))
    if isinstance(wanted, float):
        return not isinstance(found, float) or not (found == wanted or math.isnan(wanted))
    return type(found) is not type(wanted) or found != wanted


def floats(kind, name, wanted):
    """Python keeps an integer in a field of numbers as it stands; the column is a double."""
    column = {"features_number", "probabilities", "confidence_modifiers"}
    if name in column:
        return {key: float(number) for key, number in wanted.items()}
    number = kind.model.model_fields.get(name)
    if number is not None and "float" in str(number.annotation) and type(wanted) is int:
        return float(wanted)
    return wanted


def test_one_insert_of_all_of_them_and_the_typed_tables_show_what_was_validated(own, chain):
    sent, wanted, refused = {}, {}, set()
    for document, mode, names, value, judged in records():
        raw = tuple((name.encode(), content) for name, content in names)
        offset = chain.sequencer.next_offset
        record = Record(offset, 1_000_000 + offset, b"k", raw, value)
        row = chain.keep(chain.sequencer.append(record, record.digest(), judged, CONTRACT_VERSION))
        sent[row.seq] = (f"{document.name} ({mode})", value)
        if judged.status == "rejected":
            refused.add(row.seq)
            continue
        whole = read_json(value)
        assert json.loads(value) == whole  # a third reader
        kind = KINDS[document.table]
        data = kind.model.model_validate(whole if mode == "binary" else whole["data"])
        attributes = ATTRIBUTES | {"tenant": "default", "sequence": "", "correlationid": "", "type": kind.name}
        if mode == "structured":
            attributes |= {name: text for name, text in whole.items() if text is not None}
        wanted[row.seq] = (kind, expected(kind, data), attributes)
    insert(own, chain.rows)

    stored = {
        row["seq"]: row
        for row in own.query(
            "SELECT * EXCEPT value, hex(value) AS bytes FROM ledger FINAL WHERE chain = {chain:String}",
            {"chain": str(chain.chain)},
        ).named_results()
    }
    assert stored.keys() == sent.keys()
    assert [sent[seq][0] for seq in sent if stored[seq]["bytes"] != sent[seq][1].hex().upper()] == []
    assert {seq for seq, row in stored.items() if row["status"] == "rejected"} == refused
    differing = []
    for seq, (_, _, attributes) in wanted.items():
        time = datetime(1970, 1, 1) + timedelta(microseconds=parse_moment(attributes["time"]))  # noqa: DTZ001 - as the client reads it
        found = {name: stored[seq][name] for name in ENVELOPE} | {"time": stored[seq]["time"].replace(tzinfo=None)}
        if found != {name: attributes[name] for name in ENVELOPE} | {"time": time}:
            differing.append((sent[seq][0], found, attributes))
    shown = set()
    for table, kind in KINDS.items():
        rows = own.query(f"SELECT * FROM {table} FINAL WHERE chain = {{chain:String}}", {"chain": str(chain.chain)})
        for row in rows.named_results():
            seq = row["seq"]
            shown.add(seq)
            for name, validated in wanted[seq][1].items():
                right = floats(kind, name, validated)
                found = as_read(name, row[name], right)
                if unlike(found, right):
                    differing.append((sent[seq][0], name, str(found)[:80], str(right)[:80]))
    assert differing == [], "\n".join(map(str, differing))
    assert {sent[seq][0] for seq in shown ^ wanted.keys()} == set()
