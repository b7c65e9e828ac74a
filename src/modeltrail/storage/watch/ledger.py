"""The ledger as the live watch reads it: implements `watch.protocols.Ledger` over ClickHouse."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from modeltrail.drift.baselines.baseline import Baseline
from modeltrail.drift.checks.results import CheckResult
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.windows.closing import Closing, learned_baseline_id
from modeltrail.drift.windows.narrow import Change, NarrowRows
from modeltrail.drift.windows.order import Cut
from modeltrail.errors import NotVerifiableError, StoreUnavailableError, TamperError
from modeltrail.events.baselines import BaselineRegistered
from modeltrail.events.encode import Event
from modeltrail.ledger.chain import Chain
from modeltrail.storage.daemon_threads import DaemonThreads
from modeltrail.storage.watch import history
from modeltrail.storage.watch.compute import compute, learn
from modeltrail.storage.watch.frontiers import CHECKS, PREDICTIONS, Frontiers, is_of
from modeltrail.storage.watch.look_back import ROOM, Earlier
from modeltrail.storage.watch.narrow import read_changes, read_narrow
from modeltrail.storage.watch.reader import Reader
from modeltrail.storage.watch.records import check_row, read_baseline, read_checks, read_events
from modeltrail.watch.own_checks import said
from modeltrail.watch.protocols import Computed, Frontier, LastCheck, Part, Since, Told

__all__ = ["WatchLedger", "events_of"]

T = TypeVar("T")

_CHAINS_S = 5.0
"""Seconds until new chains are looked for again. Until then their partition is known not to be idle, and waited for."""
_BASELINES = 100
"""Baselines that are kept ready."""
_ROWS = 10_000
"""Checks whose number of rows is remembered; of others it is read from the ledger."""
_CLOCK_S = 2.0
"""The server tells whole seconds: so much less than expected is no restart."""


class WatchLedger:
    """Implements `watch.protocols.Ledger`. `connect` makes a clickhouse-connect client that may read the ledger.

    `bounds` are those of `Reader`. Calls run one after another in a thread of their own, so that the event loop never
    waits. It remembers the windows that its closings were about, until `last_checks` is asked: whoever begins anew may
    have had others watch meanwhile. A store that was restarted may have lost its last block: what was counted before is
    forgotten then, and whoever asked has to ask again (StoreUnavailableError). `replicated`: several servers
    answer, each with a time of its own; they have a quorum instead. `tampered` is told of chains that are read up to a
    fork only. `close` it when done.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        replicated: bool = False,
        tampered: Callable[[TamperError], None] | None = None,
        **bounds: int,
    ) -> None:
        self._connect = connect
        self._replicated = replicated
        self._tampered = tampered
        self._bounds = bounds
        self._opened: _Opened | None = None
        self._thread = DaemonThreads(1, "watch-read")

    def close(self) -> None:
        """Begin no further call and close the client; what is under way ends by its own timeout."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._opened is not None:
            self._opened.client.close()
            self._opened = None

    async def frontiers(self) -> Mapping[Chain, Frontier]:
        """See `Ledger.frontiers`."""
        return await self._call(lambda ledger: ledger.frontiers.read(self._tampered), sure=True)

    async def offsets(self, ends: Mapping[Chain, int]) -> Mapping[Chain, int]:
        """See `Ledger.offsets`."""
        return await self._call(lambda ledger: ledger.frontiers.offsets(ends))

    async def read(self, chain: Chain, first: int, last: int) -> tuple[NarrowRows, Sequence[Change]]:
        """See `Ledger.read`."""
        return await self._call(lambda ledger: ledger.read(chain, first, last), sure=True)

    async def published(self, check_ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """See `Ledger.published`."""
        return await self._call(lambda ledger: ledger.published(check_ids))

    async def last_checks(self, ends: Mapping[Chain, Frontier]) -> Sequence[LastCheck] | None:
        """See `Ledger.last_checks`."""

        def asked(ledger: _Opened) -> Sequence[LastCheck] | None:
            ledger.forget()
            return history.last_checks(ledger.reader, ends)

        return await self._call(asked)

    async def told(self, ends: Mapping[Chain, Frontier]) -> Sequence[Told]:
        """See `Ledger.told`."""
        return await self._call(lambda ledger: history.told(ledger.reader, ends))

    async def entries(self, places: Collection[tuple[Chain, int]]) -> NarrowRows:
        """See `Ledger.entries`."""
        return await self._call(lambda ledger: history.entries(ledger.reader, places))

    async def outermost(
        self, before: Mapping[str, int], otherwise: int, ends: Mapping[Chain, Frontier]
    ) -> NarrowRows | None:
        """See `Ledger.outermost`."""
        return await self._call(lambda ledger: history.outermost(ledger.reader, before, otherwise, ends))

    async def predictions(
        self, since: Mapping[str, Since], ends: Mapping[Chain, Frontier], *, behind: int, through: int, most: int
    ) -> Part:
        """See `Ledger.predictions`."""
        return await self._call(
            lambda ledger: history.own_predictions(
                ledger.reader, since, ends, behind=behind, through=through, most=most
            )
        )

    async def cuts(self, log_times: Collection[int], ends: Mapping[Chain, Frontier]) -> Mapping[int, Cut]:
        """See `Ledger.cuts`."""
        return await self._call(lambda ledger: history.cuts(ledger.reader, log_times, ends))

    async def before(self, log_time: int, ends: Mapping[Chain, Frontier]) -> Mapping[Chain, Frontier]:
        """See `Ledger.before`."""
        return await self._call(lambda ledger: history.entries_before(ledger.reader, log_time, ends))

    async def compute(self, closing: Closing, carry: Mapping[str, Any] | None) -> Computed:
        """See `Ledger.compute`."""
        return await self._call(lambda ledger: ledger.compute(closing, carry or {}), sure=True)

    async def _call(self, work: Callable[["_Opened"], T], *, sure: bool = False) -> T:
        def opened() -> T:
            if self._opened is None:
                self._opened = _Opened(self._connect(), self._bounds, replicated=self._replicated)
            result = work(self._opened)
            if sure and self._opened.restarted():
                self._opened.count_again()
                raise StoreUnavailableError("ClickHouse was restarted: what it had before is counted again")
            return result

        return await asyncio.get_running_loop().run_in_executor(self._thread, opened)


class _Opened:
    """The same with a client, in the thread."""

    def __init__(self, client: Any, bounds: Mapping[str, int], *, replicated: bool = False) -> None:
        self.client = client
        self._replicated = replicated
        self.reader = Reader(client, replicated=replicated, **bounds)
        self.count_again()
        self._baselines: dict[str, Baseline] = {}
        self._seen_up: tuple[int, float, object] | None = None
        self.restarted()
        self.forget()

    def count_again(self) -> None:
        """Forget how far each chain is.

        Which windows were checked stays true: those checks are in the log, and what the store lost is chained again.
        """
        self.frontiers = Frontiers(self.reader, chains_every_s=_CHAINS_S)

    def forget(self) -> None:
        """Forget which windows were checked."""
        self._earlier = Earlier(self.reader, room=ROOM, published=True)
        self._rows: OrderedDict[str, int] = OrderedDict()

    def restarted(self) -> bool:
        """Return whether the server was started since this was asked last, or another table is the ledger."""
        if self._replicated:
            return False
        asked = time.monotonic()
        uptime, table = self.reader.ask("ledger/incarnation")[0]
        before, self._seen_up = self._seen_up, (int(uptime), time.monotonic(), table)
        return before is not None and (table != before[2] or uptime < before[0] + (asked - before[1]) - _CLOCK_S)

    def read(self, chain: Chain, first: int, last: int) -> tuple[NarrowRows, Sequence[Change]]:
        checks = is_of(chain, CHECKS)
        rows = NarrowRows.empty() if checks else read_narrow(self.reader, chain, first, last)
        if not checks and len(rows) != last - first + 1:
            raise StoreUnavailableError(
                f"{chain}: {len(rows)} of the entries {first} to {last} are there now, expected {last - first + 1}"
            )
        told = [] if is_of(chain, PREDICTIONS) else read_changes(self.reader, chain, first, last)
        return rows, told

    def published(self, check_ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for check_id, check in read_checks(self.reader, check_ids).items():
            self._earlier.note(check)
            self._remember(check_id, check.rows)
            found[check_id] = check.carry
        learned = {f"learned-{check_id}": check_id for check_id in check_ids if check_id not in found}
        for baseline in read_events(self.reader, BaselineRegistered, learned):
            found[learned[baseline.baseline_id]] = {}
        return found

    def compute(self, closing: Closing, carry: Mapping[str, Any]) -> Computed:
        if closing.kind == "learn":
            learned, name = learn(self.reader, closing, frontiers=self.frontiers), learned_baseline_id(closing)
            return Computed([said(learned.to_event(), name, closing.model_id, closing.x.log_time)], None, {})
        began = time.monotonic()
        result = compute(
            self.reader,
            closing,
            self._baseline(closing),
            earlier=self._earlier.of(closing, self._recount),
            carry=carry,
            rows_before=self._rows_of(closing.supersedes) if closing.supersedes else 0,
            frontiers=self.frontiers,
        )
        self._earlier.note(result.check, closing)
        self._remember(closing.check_id, result.check.rows)
        check = result.to_event(duration_ms=round(1000 * (time.monotonic() - began), 3))
        return Computed(events_of(replace(result, check=check), closing), check, result.carry)

    def _rows_of(self, check_id: str) -> int:
        if check_id not in self._rows:
            found = read_checks(self.reader, [check_id]).get(check_id) or check_row(self.reader, check_id)
            if found is None:
                raise StoreUnavailableError(f"check {check_id} is superseded, and is not in the ledger yet")
            self._remember(check_id, found.rows)
        return self._rows[check_id]

    def _remember(self, check_id: str, rows: int) -> None:
        self._rows[check_id] = rows
        while len(self._rows) > _ROWS:
            self._rows.popitem(last=False)

    def _recount(self, closing: Closing) -> WindowCounts:
        return WindowCounts.of_check(compute(self.reader, closing, self._baseline(closing)).check)

    def _baseline(self, closing: Closing) -> Baseline | None:
        if closing.baseline is None:
            return None
        sha256 = closing.baseline.sha256
        if sha256 not in self._baselines:
            if len(self._baselines) >= _BASELINES:
                self._baselines.clear()
            try:
                self._baselines[sha256] = read_baseline(self.reader, sha256)
            except NotVerifiableError as error:  # it was there when the window closed
                raise StoreUnavailableError(f"{error}; it was there before") from None
        return self._baselines[sha256]


def events_of(result: CheckResult, closing: Closing) -> list[Event]:
    """Return the events of a check in the order in which they are published: its alerts, then itself.

    Their time is that of the entry that closed the window, so that two runs publish the same bytes but for durations.
    """
    every = [*((alert.data, alert.event_id) for alert in result.alerts), (result.check, result.check.check_id)]
    return [said(data, event_id, closing.model_id, closing.x.log_time) for data, event_id in every]
