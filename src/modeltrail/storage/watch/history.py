"""What a restart of the watch asks: where it left off, and which predictions of its models came since.

Typed tables are asked, after it was counted that they have caught up with the ledger: a restart does not read the
ledger from its first entry on. Where a table lacks an entry, the answer is None.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modeltrail.drift.windows.narrow import NO_PREDICTION, Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.stretch import AHEAD_US
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.storage.watch.arrow_columns import integers
from modeltrail.storage.watch.frontiers import CHANGES, CHECKS, PREDICTIONS, is_of
from modeltrail.storage.watch.narrow import named, read_changes, read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.watch.protocols import Frontier, LastCheck, Since, Told

__all__ = ["entries_before", "last_checks", "own_predictions", "told"]

Ends = Mapping[Chain, Frontier]

_TAIL = 100_000
"""Entries at the end of a chain that may not be in a typed table yet: some blocks."""


def last_checks(reader: Reader, ends: Ends) -> list[LastCheck] | None:
    """See `watch.protocols.Ledger.last_checks`."""
    within = _within(ends, CHECKS)
    if not _whole(reader, "checks", CheckCompleted.event_type, within):
        return None
    return [
        LastCheck(check, monitor, model, version, kind, int(delay), int(reach), (parse_chain(chain), int(seq)))
        for check, monitor, model, version, kind, delay, reach, chain, seq in reader.ask("watch/last_checks", **within)
    ]


def told(reader: Reader, ends: Ends) -> list[Told]:
    """See `watch.protocols.Ledger.told`. Ticks come from the typed table."""
    found = []
    for chain in _chains(ends, CHANGES):
        last = ends[chain].seq
        found.append(Told(chain, read_narrow(reader, chain, 0, last), read_changes(reader, chain, 0, last)))
    ticks: dict[Chain, list[Change]] = {chain: [] for chain in _chains(ends, CHECKS)}
    for name, seq, log_time, model_id in reader.ask("watch/ticks", **_within(ends, CHECKS)):
        chain = parse_chain(name)
        ticks[chain].append(Change(Position.at(int(log_time), chain, int(seq)), Tick(model_id)))
    return found + [Told(chain, NarrowRows.empty(), changes) for chain, changes in ticks.items()]


def own_predictions(reader: Reader, since: Mapping[str, Since], ends: Ends) -> NarrowRows | None:
    """See `watch.protocols.Ledger.predictions`.

    None also where a record behind a cut may stand in two epochs, which the ledger has twice and a typed table once.
    """
    within = _within(ends, PREDICTIONS)
    chains = _chains(ends, PREDICTIONS)
    for each in since.values():
        open_ones = [chain.of for chain in chains if ends[chain].seq > each.cut.get(str(chain), -1)]
        if len(open_ones) > len(set(open_ones)):
            return None
    if not _whole(reader, "predictions", PredictionRecorded.event_type, within):
        return None
    models = sorted(since)
    wanted = within | {"models": models, "since": [since[model].log_time for model in models]}
    cuts = {f"{model}\n{chain}": since[model].cut.get(str(chain), -1) for model in models for chain in chains}
    tables = []
    whole = [model for model in models if not since[model].log_time]
    if reader.ask("watch/other_models", chains=within["chains"], models=whole)[0][0]:
        tables.append(reader.columns("watch/outermost_predictions", ahead_us=AHEAD_US, **wanted))
    own = reader.columns(
        "watch/own_predictions",
        **wanted,
        keys=list(cuts),
        cuts=list(cuts.values()),
        low=min(cuts.values(), default=-1) + 1,
    )
    return NarrowRows.concatenate([_rows(batch) for table in (*tables, own) for batch in table.to_batches()])


def entries_before(reader: Reader, log_time: int, ends: Ends) -> dict[Chain, Frontier]:
    """See `watch.protocols.Ledger.before`."""
    answer = reader.ask("watch/first_from", log_time=log_time, **_within(ends, PREDICTIONS, CHANGES))
    first = {chain: int(seq) for chain, seq in answer}
    found = {}
    for chain in _chains(ends, PREDICTIONS, CHANGES):
        seq = first.get(str(chain), ends[chain].seq + 1) - 1
        if seq == ends[chain].seq:
            found[chain] = ends[chain]
        elif seq >= 0:
            found[chain] = Frontier(seq, int(reader.ask("watch/entry", chain=str(chain), seq=seq)[0][0]))
    return found


def _chains(ends: Ends, *suffixes: str) -> list[Chain]:
    return sorted(chain for chain in ends if is_of(chain, *suffixes))


def _within(ends: Ends, *suffixes: str) -> dict[str, list[object]]:
    chains = _chains(ends, *suffixes)
    return {"chains": [str(chain) for chain in chains], "ends": [ends[chain].seq for chain in chains]}


def _whole(reader: Reader, table: str, kind: str, within: Mapping[str, Sequence[Any]]) -> bool:
    """Return whether a typed table has caught up with the ledger.

    Blocks are written one after another, and the next one only when every table has the one before: so what may be
    missing is at the end.
    """
    if not within["chains"]:
        return True
    lows = [max(-1, end - _TAIL) for end in within["ends"]]
    found = reader.ask("watch/typed_whole", table=table, type=kind, lows=lows, low=min(lows), **within)
    return bool(found[0][0])


def _rows(batch: Any) -> NarrowRows:
    chains, chain = named(batch.column("chain"), 0)
    models, model = named(batch.column("model_id"), NO_PREDICTION)
    versions, version = named(batch.column("model_version"), 0)
    return NarrowRows(
        tuple(parse_chain(name) for name in chains),
        models,
        versions,
        chain,
        integers(batch.column("seq")),
        integers(batch.column("log_time")),
        integers(batch.column("time_us")),
        model,
        version,
    )
