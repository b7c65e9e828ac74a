"""What a restart of the watch asks: where it left off, and which predictions of its models came since.

Typed tables are asked, after it was counted that they have caught up with the ledger: a restart does not read the
ledger from its first entry on. Where a table lacks an entry, the answer is None. Of a record that stands in two epochs
a table has one, and the ledger both, as the fold does: the places of the others are taken from the ledger.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from modeltrail.drift.windows.narrow import NO_PREDICTION, Change, NarrowRows, Tick
from modeltrail.drift.windows.order import Position
from modeltrail.drift.windows.stretch import AHEAD_US
from modeltrail.events.checks import CheckCompleted
from modeltrail.events.predictions import PredictionRecorded
from modeltrail.ledger.chain import Chain, PartitionId, parse_chain
from modeltrail.storage.queries import sql
from modeltrail.storage.watch.arrow_columns import integers
from modeltrail.storage.watch.frontiers import CHANGES, CHECKS, PREDICTIONS, is_of
from modeltrail.storage.watch.narrow import named, read_changes, read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.watch.protocols import Frontier, LastCheck, Part, Since, Told

__all__ = ["cuts", "entries", "entries_before", "last_checks", "outermost", "own_predictions", "told"]

Ends = Mapping[Chain, Frontier]

_AT_ONCE = 500
"""Entries that are looked up in one query."""

_NAMES_MAX = 100_000
"""Bytes of names that fit the parameters of a query: the server takes 128 KiB of each."""

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


def entries(reader: Reader, places: Collection[tuple[Chain, int]]) -> NarrowRows:
    """See `watch.protocols.Ledger.entries`."""
    ordered = sorted(places)
    parts = []
    for start in range(0, len(ordered), _AT_ONCE):
        some = ordered[start : start + _AT_ONCE]
        rows = reader.columns(
            "watch/narrow_at", chains=[str(chain) for chain, _ in some], seqs=[seq for _, seq in some]
        )
        parts += [_rows(batch) for batch in rows.to_batches()]
    return NarrowRows.concatenate(parts)


def outermost(reader: Reader, before: Mapping[str, int], otherwise: int, ends: Ends) -> NarrowRows | None:
    """See `watch.protocols.Ledger.outermost`."""
    within = _within(ends, PREDICTIONS)
    if not _whole(reader, "predictions", PredictionRecorded.event_type, within):
        return None
    unwanted = [model for model, log_time in before.items() if log_time <= 0]
    if _size(unwanted) > _NAMES_MAX:
        return None
    if not reader.ask("watch/other_models", chains=within["chains"], models=unwanted)[0][0]:
        return NarrowRows.empty()
    models = sorted(before)
    if _size(models) > _NAMES_MAX:
        return None
    rows = reader.columns_of(
        _placed("watch/outermost_predictions"),
        ahead_us=AHEAD_US,
        models=models,
        before=[before[model] for model in models],
        otherwise=otherwise,
        **within,
        **_copied(reader, ends),
    )
    return _each_once(rows)


def own_predictions(
    reader: Reader, since: Mapping[str, Since], ends: Ends, *, behind: int, through: int, most: int
) -> Part:
    """See `watch.protocols.Ledger.predictions`."""
    chains, models = _chains(ends, PREDICTIONS), sorted(since)
    if not chains or not models:
        return Part(NarrowRows.empty(), through)
    bounds: dict[str, Any] = {**_within(ends, PREDICTIONS), **_copied(reader, ends), "behind": behind}
    parts = []
    groups = _groups(models, chains)
    most = max(1, most // len(groups))
    for some in groups:
        cuts = {f"{model}\n{chain}": since[model].cut.get(str(chain), -1) for model in some for chain in chains}
        rows = reader.columns_of(
            _placed("watch/own_predictions"),
            models=some,
            since=[since[model].log_time for model in some],
            keys=list(cuts),
            cuts=list(cuts.values()),
            low=min(cuts.values()) + 1,
            through=through,
            most=most,
            **bounds,
        )
        found = _each_once(rows)
        if rows.num_rows >= most:
            through = int(found.log_time[-1])
        parts.append(found)
    return Part(NarrowRows.concatenate(parts).in_watch_order().through(through)[0], through)


def cuts(reader: Reader, log_times: Collection[int], ends: Ends) -> dict[int, dict[str, int]]:
    """See `watch.protocols.Ledger.cuts`."""
    times = sorted(log_times)
    found: dict[int, dict[str, int]] = {log_time: {} for log_time in times}
    if not times:
        return found
    within = _within(ends, PREDICTIONS, CHANGES)
    for chain, since, last in reader.ask("watch/cuts", times=times, until=times[-1], **within):
        for log_time in times:
            if log_time > since:
                found[log_time][chain] = max(int(last), found[log_time].get(chain, -1))
    return found


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


def _size(names: Collection[str]) -> int:
    return sum(len(name.encode()) + 4 for name in names)


def _groups(models: Sequence[str], chains: Sequence[Chain]) -> list[list[str]]:
    """Divide models so that the names of each with each chain fit a query, as far as those of one model do."""
    groups: list[list[str]] = []
    room = 0
    of_chains = _size([str(chain) for chain in chains])
    for model in models:
        size = of_chains + len(chains) * (len(model.encode()) + 2)
        if not groups or size > room:
            groups.append([])
            room = _NAMES_MAX
        groups[-1].append(model)
        room -= size
    return groups


def _placed(name: str) -> str:
    return sql(name).replace("$placed", sql("watch/placed"))


def _copied(reader: Reader, ends: Ends) -> dict[str, list[Any]]:
    """Return the later epochs of partitions, and which offsets an earlier one may have as well."""
    of_partition: dict[PartitionId, list[Chain]] = defaultdict(list)
    for chain in _chains(ends, PREDICTIONS):
        of_partition[chain.of].append(chain)
    copied: dict[str, list[Any]] = {"later": [], "from_offsets": [], "to_offsets": []}
    for chains in of_partition.values():
        reached = -1
        for earlier, later in pairwise(sorted(chains, key=lambda chain: chain.order)):
            reached = max(reached, int(reader.ask("watch/entry", chain=str(earlier), seq=ends[earlier].seq)[0][1]))
            if reached >= later.first_offset:
                copied["later"].append(str(later))
                copied["from_offsets"].append(later.first_offset)
                copied["to_offsets"].append(reached)
    return copied


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


def _each_once(table: Any) -> NarrowRows:
    rows = NarrowRows.concatenate([_rows(batch) for batch in table.to_batches()]).in_watch_order()
    again = np.zeros(len(rows), dtype=np.bool_)
    again[1:] = (rows.seq[1:] == rows.seq[:-1]) & (rows.chain[1:] == rows.chain[:-1])
    return rows.take(~again) if again.any() else rows


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
