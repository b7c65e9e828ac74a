"""What came too late for any window is numbered from the log to what people are shown."""

from modeltrail.cli.drift_history import _too_late
from modeltrail.cli.drift_records import Records
from modeltrail.ledger.chain import Chain
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.replay import Span
from tests.storage.maker import ChainMaker, insert
from tests.storage.watch.log import HOUR_US, MODEL, VERSION
from tests.storage.watch.test_replay import baseline, filled, found, monitor


def test_a_prediction_beyond_the_horizon_is_told_and_one_within_it_is_counted(own):
    """|0 ... 7| 0' 0" 6'     the horizon is four steps: hour 6 is checked again, hour 0 never."""
    log = filled(own, hours=8, late=(0, 0, 6))
    results = found(own, monitor(), baseline(), Span(None, 8 * HOUR_US))
    checks = [result.check for _, result in results]
    assert [check.too_late for check in checks] == [0] * 7 + [2, 0]
    assert [check.rows for check in checks] == [60] * 7 + [61, 60]
    assert [check.late.counted for check in checks if check.late] == [1]

    chain = ChainMaker(Chain(log.cluster, "modeltrail.checks", 0, 0, 0))
    for check in [*checks, *checks]:
        chain.event(check, timestamp=10**9, id=check.check_id, source="modeltrail/watch")
    insert(own, chain.rows)
    groups = Records(Reader(own)).stats(MODEL)
    assert sum(each["late"] for each in groups) == 1
    assert dict(_too_late(groups)) == {(MODEL, VERSION, "back"): 2}
    query = "SELECT sum(late_counted), sum(too_late) FROM latest_checks"
    assert own.query(query).result_rows == [(1, 2)]
