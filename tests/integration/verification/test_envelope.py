"""Envelope columns against records in ClickHouse: what Python has read is never called tampering."""

from itertools import groupby, product

from modeltrail.events.actions import ActionRecorded
from modeltrail.events.encode import encode_binary, encode_structured
from modeltrail.events.judge import CONTRACT_VERSION
from modeltrail.ledger.chain import Chain
from modeltrail.ledger.entry import GenesisReason
from modeltrail.ledger.findings import Kind
from modeltrail.ledger.report import Verdict
from modeltrail.ledger.sequencer import Record, Sequencer
from tests.integration.verification.scratch import check, first_faults, insert
from tests.storage.events import MOMENTS, NAMES, TEXTS
from tests.storage.maker import ChainMaker
from tests.storage.test_hostile_documents import KINDS, records

BASIC = ActionRecorded(action="opened", resource_type="item")


def corpus():
    """The corpus of hostile documents as a ledger, one chain a topic."""
    ledger = {}
    in_order = sorted(records(), key=lambda record: KINDS[record[0].table].family)
    for family, of_family in groupby(in_order, key=lambda record: KINDS[record[0].table].family):
        chain = Chain("corpus", f"modeltrail.{family}", 0, 0, 0)
        sequencer = Sequencer.begin(chain, GenesisReason.START, None)
        ledger[chain] = []
        for offset, (_document, _mode, headers, value, judged) in enumerate(of_family):
            raw = tuple((name.encode() if isinstance(name, str) else name, content) for name, content in headers)
            record = Record(offset, 1_000_000 + offset, None, raw, value)
            ledger[chain].append(sequencer.append(record, record.digest(), judged, CONTRACT_VERSION))
    return ledger


def test_the_corpus_of_hostile_documents_holds(ledger):
    rows = corpus()
    assert sum(row.status == "valid" for chain in rows.values() for row in chain) > 150
    insert(ledger, rows)
    report = check(ledger, recompute=False)
    assert {chain.chain: [(one.kind, one.seq) for one in chain.told()] for chain in report.chains if chain.told()} == {}
    assert report.verdict is Verdict.HOLDS


def odd_events():
    """Events in both modes with odd texts in every attribute, and with every attribute there is."""
    maker = ChainMaker(Chain("odd", "modeltrail.actions", 0, 0, 0))
    trace = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    for encode, moment in product((encode_binary, encode_structured), MOMENTS):
        maker.event(BASIC, encode=encode, time=moment)
    texts = [text for text in (*TEXTS, *NAMES) if text.isprintable()]
    for encode, text in product((encode_binary, encode_structured), texts):
        maker.event(
            BASIC, encode=encode, id=text, subject=text, actor=text, tenant=text, correlationid=text, causationid=text,
            retentionclass=text, sequence="007", traceparent=trace,
        )  # fmt: skip
    return {maker.chain: maker.rows}


def test_odd_texts_and_times_in_every_attribute_hold(ledger):
    rows = odd_events()
    insert(ledger, rows)
    assert first_faults(check(ledger, recompute=False)) == {}
    assert first_faults(check(ledger, recompute=True)) == {}


def test_a_change_of_any_attribute_is_found_in_both_modes(ledger):
    """One row after the other is changed in one column, each on a chain of its own."""
    columns = ["source", "id", "type", "subject", "actor", "tenant", "sequence", "traceparent", "correlationid",
               "causationid", "retentionclass", "mode", "reason_class", "time_us"]  # fmt: skip
    tampered, expected = {}, {}
    for number, (column, seq) in enumerate(product(columns, (0, -1))):
        maker = ChainMaker(Chain(f"odd-{number}", "modeltrail.actions", 0, 0, 0))
        for encode in (encode_binary, encode_structured):
            maker.event(BASIC, encode=encode, id="event", tenant="tenant", retentionclass="short")
        rows = list(maker.rows)
        old = getattr(rows[seq], column)
        rows[seq] = rows[seq]._replace(**{column: old + 1 if column == "time_us" else f"{old}x"})
        tampered[maker.chain] = rows
        expected[str(maker.chain)] = (rows[seq].seq, Kind.JUDGEMENT)
    insert(ledger, tampered)
    assert first_faults(check(ledger, recompute=False)) == expected
    assert first_faults(check(ledger, recompute=True)) == expected


def test_an_older_contract_excuses_a_difference_and_an_unknown_one_leaves_it_open(ledger):
    maker = ChainMaker(Chain("other", "modeltrail.actions", 0, 0, 0))
    maker.event(BASIC)
    insert(ledger, {maker.chain: [maker.rows[0]._replace(subject="x")]})
    older = check(ledger, recompute=False, contract=CONTRACT_VERSION + 1)
    assert [one.kind for one in older.chains[0].told()] == [Kind.JUDGED_DIFFERENTLY]
    assert older.verdict is Verdict.HOLDS
    maker = ChainMaker(Chain("unknown", "modeltrail.actions", 0, 0, 0))
    maker.event(BASIC)
    insert(ledger, {maker.chain: [maker.rows[0]._replace(subject="x", contract=CONTRACT_VERSION + 1)]})
    for recompute in (False, True):
        report = check(ledger, recompute=recompute, chain=str(maker.chain))
        assert [one.kind for one in report.chains[0].told()] == [Kind.UNKNOWN_CONTRACT]
        assert report.verdict is Verdict.NOT_WHOLE


def test_it_is_left_out_where_nothing_beside_the_records_is_compared_and_that_is_said(ledger):
    maker = ChainMaker(Chain("other", "modeltrail.actions", 0, 0, 0))
    maker.event(BASIC)
    insert(ledger, {maker.chain: [maker.rows[0]._replace(subject="x")]})
    report = check(ledger, recompute=False, projections=False)
    assert report.verdict is Verdict.HOLDS
    assert any("Status and envelope columns were not read again" in line for line in report.not_proven)
