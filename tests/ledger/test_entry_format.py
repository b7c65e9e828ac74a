"""Entry format 1 against golden vectors, a second implementation, and ClickHouse."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.ledger.chain import Chain, format_chain, parse_chain
from modeltrail.ledger.entry import (
    GenesisReason,
    entry_hash,
    gap_hash,
    genesis_hash,
    leaf_hash,
    netstring,
    preimage,
    record_hash,
)
from tests.ledger import second_opinion

GOLDEN = json.loads((Path(__file__).parent / "golden" / "entry-v1.json").read_text(encoding="ascii"))

INT64 = st.integers(min_value=0, max_value=2**63 - 1)
CONTENT = st.none() | st.binary(max_size=40)
HEADERS = st.lists(st.tuples(st.binary(max_size=12), CONTENT), max_size=4)


def raw(text):
    return None if text is None else bytes.fromhex(text)


def cases(group):
    return pytest.mark.parametrize("vector", GOLDEN[group], ids=[vector["case"] for vector in GOLDEN[group]])


@cases("records")
def test_record_hash_is_the_golden_one(vector):
    headers = [(raw(name), raw(value)) for name, value in vector["headers"]]
    expected = raw(vector["record_hash"])
    assert record_hash(raw(vector["key"]), headers, raw(vector["value"])) == expected
    assert second_opinion.record(raw(vector["key"]), headers, raw(vector["value"])) == expected


@cases("chains")
def test_chain_text_is_the_golden_one(vector):
    chain = Chain(*(vector[part] for part in Chain._fields))
    assert format_chain(chain) == vector["chain"] == second_opinion.chain(*chain)
    assert parse_chain(vector["chain"]) == chain


@cases("genesis")
def test_genesis_is_the_golden_one(vector):
    expected = raw(vector["genesis"])
    chain = vector["chain"].encode()
    assert genesis_hash(chain, raw(vector["old_head"]), GenesisReason(vector["reason"])) == expected
    assert second_opinion.genesis(vector["chain"], vector["old_head"], vector["reason"]) == expected


@cases("gaps")
def test_gap_is_the_golden_one(vector):
    expected = raw(vector["record_hash"])
    assert gap_hash(vector["first"], vector["last"]) == second_opinion.gap(vector["first"], vector["last"]) == expected


@cases("entries")
def test_entry_is_the_golden_one(vector):
    numbers = vector["seq"], vector["offset"], vector["timestamp"]
    text = preimage(vector["chain"].encode(), *numbers, raw(vector["record_hash"]))
    assert text == vector["preimage"].encode()
    assert text == second_opinion.text(vector["chain"], *numbers, raw(vector["record_hash"]))
    assert entry_hash(raw(vector["prev_hash"]), text) == raw(vector["entry_hash"])
    assert second_opinion.entry(raw(vector["prev_hash"]), text) == raw(vector["entry_hash"])
    assert leaf_hash(text) == raw(vector["leaf_hash"]) == second_opinion.leaf(text)


def test_golden_records_all_hash_differently():
    hashes = [vector["record_hash"] for vector in GOLDEN["records"]]
    assert len(set(hashes)) == len(hashes)


@given(key=CONTENT, headers=HEADERS, value=CONTENT)
def test_both_implementations_agree_on_any_record(key, headers, value):
    assert record_hash(key, headers, value) == second_opinion.record(key, headers, value)


@given(
    chain=st.sampled_from([v["chain"] for v in GOLDEN["chains"]]), seq=INT64, offset=INT64, time=INT64, data=st.data()
)
def test_both_implementations_agree_on_any_entry(chain, seq, offset, time, data):
    digest, prev = (data.draw(st.binary(min_size=32, max_size=32)) for _ in range(2))
    text = preimage(chain.encode(), seq, offset, time, digest)
    assert text == second_opinion.text(chain, seq, offset, time, digest)
    assert entry_hash(prev, text) == second_opinion.entry(prev, text)


@given(first=st.tuples(CONTENT, HEADERS, CONTENT), second=st.tuples(CONTENT, HEADERS, CONTENT))
def test_different_records_have_different_hashes(first, second):
    assert (record_hash(*first) == record_hash(*second)) == (first == second)


@given(name=st.binary(max_size=9), value=CONTENT)
def test_content_cannot_move_between_key_header_and_value(name, value):
    packed = netstring(name) + netstring(value)
    assert record_hash(None, [(name, value)], None) != record_hash(packed, [], None)
    assert record_hash(None, [(name, value)], None) != record_hash(None, [], packed)


def mutations(data):
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            yield data[:position] + bytes([data[position] ^ flip]) + data[position + 1 :]
        yield data[:position] + data[position + 1 :]
        yield data[:position] + b"\x00" + data[position:]


def test_every_byte_of_a_record_decides_its_hash():
    key, name, content, value = b"model-7", b"ce_id", b"4711", b'{"score":0.25}'
    seen = {record_hash(key, [(name, content)], value)}
    changed = 0
    for place, original in enumerate((key, name, content, value)):
        for mutated in set(mutations(original)):
            parts = [key, name, content, value]
            parts[place] = mutated
            seen.add(record_hash(parts[0], [(parts[1], parts[2])], parts[3]))
            changed += 1
    assert len(seen) == changed + 1


def test_every_byte_of_an_entry_decides_its_hashes():
    vector = GOLDEN["entries"][1]
    text, prev = vector["preimage"].encode(), raw(vector["prev_hash"])
    mutated = set(mutations(text))
    assert len({entry_hash(prev, other) for other in mutated} - {raw(vector["entry_hash"])}) == len(mutated)
    assert len({leaf_hash(other) for other in mutated} - {raw(vector["leaf_hash"])}) == len(mutated)
    others = {bytes(b ^ (0xFF if place == flipped else 0) for place, b in enumerate(prev)) for flipped in range(32)}
    assert len({entry_hash(other, text) for other in others} - {raw(vector["entry_hash"])}) == 32


def test_the_parts_of_a_genesis_cannot_be_exchanged():
    chain, head = b"c/t/0/1-5", bytes(32)
    values = {genesis_hash(chain, old, reason) for old in (None, head, b"\x01" * 32) for reason in GenesisReason}
    values |= {genesis_hash(b"c/t/0/1-6", head, reason) for reason in GenesisReason}
    assert len(values) == 12


def test_a_gap_is_never_the_hash_of_a_record():
    assert gap_hash(1, 2) != record_hash(None, [], b"gap\n1\n2\n")


def test_clickhouse_computes_the_golden_record_hashes(engine):
    for vector in GOLDEN["records"]:
        literals = {
            "key": literal(vector["key"]),
            "value": literal(vector["value"]),
            "headers": "CAST([{}], 'Array(Tuple(String, Nullable(String)))')".format(
                ", ".join(f"({literal(name)}, {literal(value)})" for name, value in vector["headers"])
            ),
        }
        query = """
            WITH {key}::Nullable(String) AS k, {value}::Nullable(String) AS v, {headers} AS hs,
                 x -> if(isNull(x), '-,', concat(toString(length(assumeNotNull(x))), ':', assumeNotNull(x), ',')) AS ns,
                 arrayStringConcat(arrayMap(h -> concat(ns(h.1), ns(h.2)), hs)) AS hdr
            SELECT lower(hex(SHA256(concat(ns(k), toString(length(hdr)), ':', hdr, ',', ns(v)))))
        """.format(**literals)
        assert engine(query) == [(vector["record_hash"],)], vector["case"]


def test_clickhouse_computes_the_golden_entries_and_gaps(engine):
    for vector in GOLDEN["entries"]:
        query = f"""
            WITH concat('modeltrail-entry/v1\\n', '{quoted(vector["chain"])}', '\\n', toString({vector["seq"]}), '\\n',
                        toString({vector["offset"]}), '\\n', toString({vector["timestamp"]}), '\\n',
                        lower(hex({literal(vector["record_hash"])})), '\\n') AS text
            SELECT lower(hex(SHA256(concat({literal(vector["prev_hash"])}, text)))),
                   lower(hex(SHA256(concat(unhex('00'), text))))
        """
        assert engine(query) == [(vector["entry_hash"], vector["leaf_hash"])], vector["case"]
    for vector in GOLDEN["gaps"]:
        query = f"SELECT lower(hex(SHA256(concat('gap\\n', '{vector['first']}', '\\n', '{vector['last']}', '\\n'))))"
        assert engine(query) == [(vector["record_hash"],)]
    for vector in GOLDEN["genesis"]:
        lines = "', '\\n', '".join(
            ["modeltrail-genesis/v1", vector["chain"], vector["old_head"] or "-", vector["reason"]]
        )
        assert engine(f"SELECT lower(hex(SHA256(concat('{lines}', '\\n'))))") == [(vector["genesis"],)]


def literal(hexed):
    return "NULL" if hexed is None else f"unhex('{hexed}')"


def quoted(text):
    return text.replace("\\", "\\\\").replace("'", "\\'")


@pytest.fixture(scope="module")
def engine():
    chdb = pytest.importorskip("chdb", reason="the embedded extra is not installed")

    def run(query):
        return [tuple(json.loads(line)) for line in str(chdb.query(query, "JSONCompactEachRow")).splitlines()]

    return run
