"""What is read of a window equals a slow, obvious reading of the same log, row by row."""

from random import Random

import numpy as np
import pytest

from modeltrail.drift.checks.content import LABEL, PREDICTION, SCORE
from modeltrail.drift.rows.columns import FieldKey
from modeltrail.drift.windows.closing import Window
from modeltrail.errors import ConfigurationError, StoreUnavailableError
from modeltrail.events.encode import encode_structured
from modeltrail.storage.watch.content import Wanted, read_content
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.scope import Scope
from tests.storage.events import NAMES, Values
from tests.storage.maker import BOTH_MODES, insert
from tests.storage.watch.log import HOUR_US, MODEL, VERSION, Log, read_slowly, scalar, strata_values, stratum, values

CONFIDENCE = FieldKey("confidence", "confidence")
WHOLE = Window(0, 10 * 24 * HOUR_US)


def scope(log, window=WHOLE, cut=None, model=MODEL, version=VERSION):
    return Scope(window, log.cut if cut is None else cut, model, version)


def read(reader, wanted_scope, wanted=None):
    """All rows as tuples of what each field holds, the number of repeats, and the news."""
    wanted = wanted or Wanted()
    rows, duplicates, news = [], 0, set()
    for chunk in read_content(reader, wanted_scope, wanted):
        columns = chunk.columns
        fields = [values(columns.column("feature", name)) for name in wanted.features]
        fields += [values(columns.column(*key)) for key in (PREDICTION, LABEL, SCORE, CONFIDENCE)]
        fields += [strata_values(columns.stratum(name)) for name in wanted.by]
        rows += zip(*fields, strict=True)
        assert columns.rows == len(chunk.times_us) == len(chunk.log_times)
        duplicates += chunk.duplicates
        news |= chunk.features
    return rows, duplicates, news


def optional(value):
    return (1, None) if value is None else (3, value) if isinstance(value, str) else (2, float(value))


def slowly(found, wanted=None):
    wanted = wanted or Wanted()
    return [
        (
            *(scalar(data, name) for name in wanted.features),
            optional(data.get("value")),
            optional(data.get("label")),
            optional(data.get("score") if data.get("score") is not None else _probability(data, wanted)),
            optional((data.get("confidence") or {}).get("final")),
            *(stratum(data, name) for name in wanted.by),
        )
        for data in found
    ]


def _probability(data, wanted):
    return (data.get("probabilities") or {}).get(wanted.positive)


@pytest.mark.parametrize("encode", BOTH_MODES)
def test_every_kind_of_value_is_read_as_it_was_sent(client, reader, encode):
    log, random = Log(), Random(f"values {encode.__name__}")
    drawn = Values(random)
    wanted = Wanted(NAMES, ("a", "B c", 'q"uote'), frozenset(), "x")
    for _ in range(150):
        log.predict(
            encode=encode, features=drawn.scalars(), strata=drawn.scalars(), score=drawn.maybe(drawn.number),
            value=drawn.maybe(drawn.number), probabilities=drawn.shares() | {"x": drawn.share()},
            confidence=drawn.maybe(lambda: {"base": 0.5, "final": drawn.share()}), label=drawn.id(),
        )  # fmt: skip
    log.insert(client)
    rows, duplicates, news = read(reader, scope(log), wanted)
    found, _ = read_slowly(log.rows, log.cut)
    assert rows == slowly(found, wanted)
    assert (len(rows), duplicates, news) == (150, 0, set())


def test_absent_null_number_text_and_boolean_are_told_apart(client, reader):
    log = Log()
    sent = [None, 0, -0.5, 1e20, 2**63 - 1, "", "0.5", "null", "true", True, False, "é🙂"]
    for value in sent:
        log.predict(features={"f": value})
    log.predict(features={"other": 1})
    log.predict()
    log.insert(client)
    rows, _, news = read(reader, scope(log), Wanted(("f",)))
    assert [row[0] for row in rows] == [
        (1, None), (2, 0.0), (2, -0.5), (2, 1e20), (2, float(2**63 - 1)), (3, ""), (3, "0.5"), (3, "null"), (3, "true"),
        (3, "true"), (3, "false"), (3, "é🙂"), (0, None), (0, None),
    ]  # fmt: skip
    assert news == {"other"}


def test_documents_that_parsers_fight_about_are_read_like_the_typed_table_shows_them(own):
    """Spaces, escapes, doubled braces in strings, a member named like another one further in."""
    log = Log()
    documents = [
        b'{"prediction_id":"p","item_id":"i","model_id":"%s","model_version":"%s","kind":"binary","label":"x",%s}'
        % (MODEL.encode(), VERSION.encode(), rest)
        for rest in (
            b'"features":{ "f" :  1.50 , "data":{} }'.replace(b', "data":{}', b""),
            b'"metadata":{"features":{"f":7}},"features":{"f":2}',
            b'"features":{"\\u0066":3}',
            b'"features":{"f":"\\"}{\\u00e9"}',
            b'"features":{"f":1E2}',
            b'"features":{"f":-0.0}',
            b'"features":{"f":5e-324}',
            b'"features":{"f":0.1000000000000000055511151231257827}',
            b'"features":{"f":9007199254740993}',
            b'"features":null',
        )
    ]
    from modeltrail.events.judge import judge
    from tests.events.records import headers

    names = headers(type="modeltrail.prediction.recorded.v1")
    raw = tuple((name.encode(), content) for name, content in names)
    for document in documents:
        found = judge("modeltrail.predictions", None, names, document)
        assert found.status == "valid", (document, found.reason)
        log.chains[0].judged(found._replace(id=str(log.chains[0].sequencer.next_offset)), document, headers=raw)
    log.insert(own)
    everything = Window(0, 4_000_000_000_000_000)
    rows, _, _ = read(Reader(own), scope(log, everything), Wanted(("f",)))
    assert [row[0] for row in rows] == [
        (2, 1.5), (2, 2.0), (2, 3.0), (3, '"}{é'), (2, 100.0), (2, 0.0), (2, 5e-324), (2, 0.1),
        (2, 9007199254740992.0), (0, None),
    ]  # fmt: skip
    typed = own.query("SELECT features_number['f'], features_text['f'] FROM predictions FINAL ORDER BY seq").result_rows
    shown = [(0.0 if kind != 2 else value, value if kind == 3 else "") for (kind, value), *_ in rows]
    assert typed == shown


def test_a_window_is_half_open_and_of_one_version(client, reader):
    log = Log()
    for at_us in (HOUR_US - 1, HOUR_US, 2 * HOUR_US - 1, 2 * HOUR_US):
        log.predict(at_us=at_us, score=at_us / HOUR_US)
    log.predict(at_us=HOUR_US, model_version="2.0.0", score=0.1)
    log.predict(at_us=HOUR_US, model_id="other", score=0.2)
    log.insert(client)
    hour = Window(HOUR_US, 2 * HOUR_US)
    scores = [row[2] for row in read(reader, scope(log, hour))[0]]
    assert scores == [(2, 1.0), (2, (2 * HOUR_US - 1) / HOUR_US)]
    assert [row[2] for row in read(reader, scope(log, hour, version="2.0.0"))[0]] == [(2, 0.1)]
    assert read(reader, scope(log, hour, model="nobody"))[0] == []


def test_the_cut_is_respected_to_the_entry(client, reader):
    """chain 0   0 1 2 3 | 4        every cut shows exactly its prefixes
    chain 1   0 1 |  2 3"""
    log = Log(2)
    for number in range(5):
        log.predict(to=0, score=number, log_ms=1000 + number)
    for number in range(4):
        log.predict(to=1, score=10 + number, log_ms=1000 + number)
    log.insert(client)
    one, two = (str(chain.chain) for chain in log.chains)
    for last_one in range(-1, 5):
        for last_two in range(-1, 4):
            cut = {one: last_one, two: last_two}
            rows, _, _ = read(reader, scope(log, cut=cut))
            assert rows == slowly(read_slowly(log.rows, cut)[0])
            assert len(rows) == last_one + last_two + 2
    assert read(reader, scope(log, cut={one: 4}))[0] == slowly(read_slowly(log.rows, {one: 4})[0])
    assert read(reader, scope(log, cut={}))[0] == []


def test_a_run_of_predictions_lies_between_two_cuts(client, reader):
    log = Log(2)
    for number in range(20):
        log.predict(to=number % 2, score=number, log_ms=1000 + number, at_us=HOUR_US * (number % 7))
    log.insert(client)
    one, two = (str(chain.chain) for chain in log.chains)
    after, upto = {one: 2}, {one: 7, two: 4}
    window = Window(index=3, after=after, upto=upto)
    rows, _, _ = read(reader, Scope(window, log.cut, MODEL, VERSION))
    assert rows == slowly(read_slowly(log.rows, upto, after=after)[0])
    assert len(rows) == 5 + 5


def test_an_event_that_is_sent_again_counts_once_where_it_stands_first(client, reader):
    """chain 0   ------ a(log 3000, score .3) -- b
    chain 1   -- a(log 2000, score .2) --------- a(log 4000)     the one at 2000 counts"""
    log = Log(2)
    log.predict(to=0, event_id="a", score=0.3, log_ms=3000)
    log.predict(to=0, event_id="b", score=0.9, log_ms=3001)
    log.predict(to=1, event_id="a", score=0.2, log_ms=2000)
    log.predict(to=1, event_id="a", score=0.4, log_ms=4000)
    log.predict(to=1, event_id="a", score=0.5, log_ms=4000, source="tests/another")
    log.insert(client)
    rows, duplicates, _ = read(reader, scope(log))
    assert [row[2][1] for row in rows] == [0.2, 0.9, 0.5]
    assert duplicates == 2
    assert (slowly(read_slowly(log.rows, log.cut)[0]), read_slowly(log.rows, log.cut)[1]) == (rows, duplicates)


def test_a_repeat_of_an_event_outside_the_window_takes_nothing_away(client, reader):
    log = Log()
    log.predict(event_id="a", at_us=HOUR_US // 2, score=0.1)
    log.predict(event_id="a", at_us=HOUR_US, score=0.2)
    log.insert(client)
    rows, duplicates, _ = read(reader, scope(log, Window(HOUR_US, 2 * HOUR_US)))
    assert ([row[2][1] for row in rows], duplicates) == ([0.2], 0)


@pytest.mark.parametrize("merged", [False, True])
def test_a_block_that_was_inserted_twice_changes_nothing(own, merged):
    """Two workers that both thought the partition theirs: identical rows, in two parts and in two months."""
    log, reader = Log(2), Reader(own)
    for number in range(30):
        log.predict(to=number % 2, score=number, event_id=f"{number % 25}")
    own.command("SYSTEM STOP MERGES ledger")
    for appended_at in (1_700_000_000_000, 1_700_000_000_001, 1_710_000_000_000):
        insert(own, log.rows, appended_at=appended_at)
    assert own.query("SELECT count() FROM ledger").result_rows == [(90,)]
    if merged:
        own.command("SYSTEM START MERGES ledger")
        own.command("OPTIMIZE TABLE ledger FINAL")
    rows, duplicates, _ = read(reader, scope(log))
    assert (len(rows), duplicates) == (25, 5)
    assert rows == slowly(read_slowly(log.rows, log.cut)[0])


def test_a_record_in_two_epochs_counts_once_and_is_no_repeat(client, reader):
    """epoch 0   0 1 2 3
    epoch 1       2 3 4      2 and 3 are read again from the same log"""
    log = Log()
    for number in range(4):
        log.predict(score=number, log_ms=1000 + number)
    second = log.chains[0].next_epoch(2)
    for row in log.chains[0].rows[2:]:
        second.again(row)
    log.chains.append(second)
    log.predict(to=second, score=4, log_ms=1004)
    log.insert(client)
    rows, duplicates, _ = read(reader, scope(log))
    assert ([row[2][1] for row in rows], duplicates) == ([0, 1, 2, 3, 4], 0)
    assert rows == slowly(read_slowly(log.rows, log.cut)[0])


def test_rejected_records_gaps_and_other_events_are_no_content(client, reader):
    log = Log()
    log.predict(score=0.5)
    valid = log.chains[0].rows[0]
    log.chains[0].gap(log.chains[0].sequencer.next_offset + 5)
    from modeltrail.events.judge import Judgement

    log.chains[0].judged(Judgement("rejected", "why", "data", "binary", "s", "i", valid.type), valid.value)
    log.outcome("p-0", label="late")
    log.insert(client)
    assert len(read(reader, scope(log))[0]) == 1


@pytest.mark.parametrize("rows_at_once", [15, 110, 10_000])
def test_what_is_read_does_not_depend_on_how_it_is_cut(client, rows_at_once, monkeypatch):
    monkeypatch.setattr("modeltrail.storage.watch.content._LEAST", 1)
    log, random = Log(3), Random(7)
    for number in range(120):
        log.predict(
            to=number % 3, event_id=f"{random.randrange(90)}", score=random.random(), log_ms=1000 + random.randrange(50),
            features={"f": random.choice([None, 1, "x", True])}, encode=random.choice(BOTH_MODES),
        )  # fmt: skip
    log.insert(client)
    wanted = Wanted(("f",), ("f",))
    chunks = list(read_content(Reader(client, rows_at_once=rows_at_once), scope(log), wanted))
    assert len(chunks) > 1 or rows_at_once == 10_000
    rows, duplicates, _ = read(Reader(client, rows_at_once=rows_at_once), scope(log), wanted)
    found, repeats = read_slowly(log.rows, log.cut)
    assert sorted(map(repr, rows)) == sorted(map(repr, slowly(found, wanted)))
    assert duplicates == repeats
    for chunk in chunks:
        assert (np.diff(chunk.log_times) >= 0).all()


def test_a_probability_stands_in_for_a_score_that_is_absent(client, reader):
    log = Log()
    log.predict(probabilities={"late": 0.7, "on_time": 0.3})
    log.predict(probabilities={"late": 0.7}, score=0.1)
    log.predict(probabilities={"on_time": 0.3})
    log.insert(client)
    rows, _, _ = read(reader, scope(log), Wanted(positive="late"))
    assert [row[2] for row in rows] == [(2, 0.7), (2, 0.1), (1, None)]
    assert [row[2] for row in read(reader, scope(log))[0]] == [(1, None), (2, 0.1), (1, None)]


def test_a_stratum_goes_before_a_feature_of_its_name(client, reader):
    log = Log()
    log.predict(strata={"by": "stratum"}, features={"by": "feature"})
    log.predict(features={"by": "feature"})
    log.predict(strata={"by": None}, features={"by": "feature"})
    log.predict(strata={"by": 2.0})
    log.predict(features={"by": True})
    log.predict()
    log.insert(client)
    rows, _, _ = read(reader, scope(log), Wanted(by=("by",)))
    assert [row[-1] for row in rows] == ["stratum", "feature", None, "2", "true", None]


def test_names_that_do_not_fit_a_query_are_refused_with_their_size(client, reader):
    log = Log()
    log.predict()
    log.insert(client)
    with pytest.raises(ConfigurationError, match="bytes together"):
        read(reader, scope(log), Wanted(tuple("n" * 250 + str(number) for number in range(1000))))


def test_hundreds_of_features_are_read(client, reader):
    log = Log()
    names = tuple(f"feature {number}" for number in range(300))
    for shift in range(3):
        log.predict(features={name: number + shift for number, name in enumerate(names)}, encode=encode_structured)
    log.insert(client)
    rows, _, news = read(reader, scope(log), Wanted(names))
    assert [[value for _, value in row[:300]] for row in rows] == [[n + s for n in range(300)] for s in range(3)]
    assert news == set()


def test_an_answer_that_ends_in_the_middle_is_no_answer(reader):
    """The server finds that it cannot go on when it has sent half of it already."""
    with pytest.raises(StoreUnavailableError):
        reader.columns_of("SELECT throwIf(number = 500000) AS x FROM numbers(1000000)")
    assert reader.columns_of("SELECT number FROM numbers(1000000)").num_rows == 1_000_000


def test_hostile_names_of_features_are_only_names(client, reader):
    names = (
        "'; DROP TABLE ledger; --",
        "a'b",
        "back\\slash",
        "{x:String}",
        "new\\nline",
        "`t`",
        "\u2028",
        "]",
        "features",
    )
    log = Log()
    log.predict(features={name: number for number, name in enumerate(names)})
    log.insert(client)
    rows, _, _ = read(reader, scope(log), Wanted(names))
    assert [value for _, value in rows[0][: len(names)]] == list(range(len(names)))
