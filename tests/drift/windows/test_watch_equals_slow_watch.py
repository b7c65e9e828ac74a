"""The fold in columns gives what the rules give entry by entry, however the log comes and however often it begins anew.

chain 0   --1--2-----5--------9            closings do not depend on
chain 1   -----2--3--------7               - which chain was read first, as far as all have passed
models    M-----------A                    - where batches were cut
checks    --------T                        - at which closing a restart began
"""

import json

from hypothesis import event, given, settings
from hypothesis import strategies as st

from modeltrail.drift.windows.narrow import Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.passed import Frontier, passed
from modeltrail.drift.windows.watch import Watch
from tests.drift.slow_watch import slow_fold
from tests.drift.watch_logs import CHECKS, FIRST, LAST, logs

ORDERED = settings(deadline=None, max_examples=60)


def key(closing):
    window = closing.window
    return (
        closing.x, closing.model_id, closing.monitor.monitor_id, closing.model_version, closing.kind == "silence",
        window.end_us or 0, window.index or 0, closing.kind, closing.label_delay_s,
    )  # fmt: skip


def same(found, expected):
    assert sorted(found, key=key) == sorted(expected, key=key)


def whole(log):
    return Watch().feed(log.rows(), log.changes)


@ORDERED
@given(logs())
def test_in_one_feed(log):
    found = whole(log)
    event(f"closings: {min(len(found), 20)}")
    for kind in {closing.kind for closing in found}:
        event(f"a closing of kind {kind}")
    if any(closing.late and closing.supersedes for closing in found):
        event("a check is superseded")
    if any(closing.late and not closing.supersedes for closing in found):
        event("a first check comes late")
    same(found, slow_fold(log.predictions, log.changes, FIRST, LAST))


@ORDERED
@given(logs(), st.data())
def test_in_batches_cut_anywhere(log, data):
    positions = log.positions()
    cuts = sorted(data.draw(st.sets(st.sampled_from(positions), max_size=6))) if positions else []
    watch, found, after = Watch(), [], None
    for upto in [*cuts, None]:
        found += watch.feed(*log.part(after, upto))
        after = upto
    expected = whole(log)
    same(found, expected)
    assert [closing.x for closing in found] == sorted(closing.x for closing in found)
    folds = {closing.check_id: closing.fold for closing in expected}
    for closing in found:
        assert closing.fold == folds[closing.check_id], "the state before an entry does not depend on batches either"


@ORDERED
@given(logs(), st.randoms(use_true_random=False))
def test_in_any_order_of_reading_that_waits_until_every_chain_has_passed(log, random):
    chains = {}
    for entry in sorted([*log.predictions, *log.changes], key=lambda entry: entry.position):
        chains.setdefault(entry.position.of, []).append(entry)
    newest = {chain.of: max(other for other in chains if other.of == chain.of) for chain in chains}
    read = dict.fromkeys(chains, 0)
    for chain, entries in chains.items():
        if newest[chain.of] != chain:
            read[chain] = len(entries)  # an epoch that has ended has been read whole
    watch, found, waiting = Watch(), [], {chain: list(entries) for chain, entries in chains.items()}
    while any(waiting.values()):
        unread = [chain for chain in chains if read[chain] < len(chains[chain])]
        if unread:
            chain = random.choice(unread)
            read[chain] += random.randint(1, len(chains[chain]) - read[chain])
        ends = []
        for chain in newest.values():
            done = read[chain] == len(chains[chain])
            last = chains[chain][read[chain] - 1].position.log_time if read[chain] else None
            ends.append(Frontier(chain.of, chain, last, 2**60 if done else None))
        through = passed(ends)
        batch = []
        for chain, entries in waiting.items():
            while through is not None and entries and entries[0].position.log_time <= through:
                if len(chains[chain]) - len(entries) >= read[chain]:
                    raise AssertionError("passed before it was read")
                batch.append(entries.pop(0))
        rows = log.rows([entry for entry in batch if hasattr(entry, "time_us")])
        found += watch.feed(rows, [entry for entry in batch if hasattr(entry, "told")])
    same(found, whole(log))


@ORDERED
@given(logs(), st.data())
def test_begun_anew_at_any_closing(log, data):
    expected = whole(log)
    if not expected:
        return
    at = data.draw(st.sampled_from(expected))
    fold = json.loads(json.dumps(at.fold))
    watch = Watch(cut=fold["cut"])
    watch.restore(fold)
    found = watch.feed(log.rows(), log.changes)
    mine = [closing for closing in found if closing.model_id == at.model_id]
    behind = [closing for closing in expected if closing.model_id == at.model_id and closing.x >= at.x]
    same(mine, behind)
    folds = {closing.check_id: closing.fold for closing in expected}
    assert all(closing.fold == folds[closing.check_id] for closing in mine)


@ORDERED
@given(logs())
def test_begun_anew_with_every_model_at_its_own_last_closing(log):
    expected = whole(log)
    last = {closing.model_id: closing for closing in expected}
    folds = {model_id: closing.fold for model_id, closing in last.items()}
    watch = Watch()
    for fold in folds.values():
        watch.restore(fold)
    found = watch.feed(log.rows(), log.changes)
    same(
        [closing for closing in found if closing.model_id in last],
        [closing for closing in expected if closing.x >= last[closing.model_id].x],
    )


@ORDERED
@given(logs())
def test_a_tick_is_wanted_exactly_when_it_shows_something(log):
    """While anything is overdue, a tick at the last moment before shows nothing, and the next one does."""
    watch = Watch()
    watch.feed(log.rows(), log.changes)
    seq = len(log.changes)
    for _ in range(50):
        wanted = watch.overdue(2**44)
        if not wanted:
            return
        first = min(wanted, key=lambda each: each.due_ms)
        mine = [each for each in wanted if each.model_id == first.model_id]
        event(f"ticks wanted: {min(len(mine), 3)}")
        for at_ms, shows in ((first.due_ms, False), (first.due_ms + 1, True)):
            seq += 1
            made = watch.feed(NarrowRows.empty(), [Change(Position.at(at_ms, CHECKS, seq), Tick(first.model_id))])
            assert bool(made) is shows
            assert all(closing.closed_by == "silence" for closing in made)
    raise AssertionError("ticks without end")


@ORDERED
@given(logs())
def test_what_was_fed_before_is_skipped(log):
    watch = Watch()
    found = watch.feed(log.rows(), log.changes)
    ticks = [change for change in log.changes if change.position.of == CHECKS]
    assert watch.feed(log.rows(), [change for change in log.changes if change not in ticks]) == []
    same(found, whole(log))


@ORDERED
@given(logs())
def test_a_model_is_folded_alike_whoever_serves_the_others(log):
    alone = Watch(serves="a".__eq__).feed(log.rows(), log.changes)
    same(alone, [closing for closing in whole(log) if closing.model_id == "a"])
