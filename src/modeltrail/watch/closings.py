"""The closings of a share: each is computed and published after those of its model, set aside, or left out.

A crash
- before the alerts of a closing are acknowledged: the next owner computes the same and publishes them;
- between its alerts and its check: likewise; the alerts are there twice, with the same ids;
- after its check is acknowledged: the next owner finds it in the ledger and goes on behind it, or, while it is not
  chained yet, publishes it again.
Alerts go out before their check for that reason: where a check is, everything that came of it is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

from modeltrail.drift.windows.closing import Closing
from modeltrail.errors import InvalidEventError, TamperError
from modeltrail.events.alerts import AlertRaised, AlertResolved
from modeltrail.watch.given import Given
from modeltrail.watch.own_checks import failure
from modeltrail.watch.patience import Patience
from modeltrail.watch.protocols import Computed
from modeltrail.watch.resume import AT_ONCE, Unit
from modeltrail.watch.set_aside import SetAside

__all__ = ["Closings"]


class Closings:
    """What is to be checked, and what each line of checks starts from.

    `fall_behind` is told of a model of which too much waits, with the first closing that was given up: those behind it
    are, too.
    """

    def __init__(self, given: Given, patiently: Patience, fall_behind: Callable[[Closing], None]) -> None:
        self._given = given
        self._patiently = patiently
        self._fall_behind = fall_behind
        self._queue: deque[Closing] = deque()
        self._carries: dict[Unit, Mapping[str, Any]] = {}
        self._computing: set[str] = set()
        self._aside = SetAside()

    def __len__(self) -> int:
        """How many there are, those that are set aside included."""
        return len(self._queue) + len(self._aside)

    @property
    def next_at(self) -> float | None:
        """When one that is set aside is to be tried again, in monotonic seconds; None where none is."""
        return self._aside.next_at

    def is_set_aside(self, model_id: str) -> bool:
        """Whether closings of a model are set aside."""
        return model_id in self._aside

    def start_from(self, carries: Mapping[Unit, Mapping[str, Any]]) -> None:
        """Take what checks in the ledger carry."""
        self._carries.update({unit: _without_fold(carry) for unit, carry in carries.items()})

    def add(self, closings: Iterable[Closing]) -> None:
        """Take closings, in watch order and behind all of their models that are there."""
        self._queue.extend(closings)

    async def close_all(self) -> None:
        """Check all that is there and may be now. OverError where the share is given up, between two closings."""
        for model_id in self._aside.due(self._given.clock.monotonic()):
            await self._close_again(model_id)
        while self._queue:
            self._patiently.require()
            await self._skip_published()
            if self._queue:
                closing = self._queue.popleft()
                if closing.model_id in self._aside:
                    self._aside.wait(closing)
                else:
                    await self._close(closing)
                while (first := self._aside.shed()) is not None:
                    self._queue = deque(each for each in self._queue if each.model_id != first.model_id)
                    self._fall_behind(first)
        self._given.observer.set_aside(self._aside.errors)

    async def _close_again(self, model_id: str) -> None:
        """Try the closings of a model that were set aside, a few at a time: others must not wait for all of them."""
        for _ in range(AT_ONCE):
            self._patiently.require()
            closing = self._aside.take(model_id)
            if closing is None or not await self._close(closing):
                return

    async def _skip_published(self) -> None:
        """Leave out what is chained already, at the beginning of what follows from a model's last known state.

        Checks of one model are chained in the order in which they were published, so that the first one that is not
        there is followed by none that is. Not so a baseline: one that could not be learned leaves nothing.
        """
        while self._queue and self._queue[0].model_id not in self._computing:
            asked = [each for each in islice(self._queue, AT_ONCE) if each.model_id not in self._computing]
            ids = [each.check_id for each in asked]
            found = await self._patiently(partial(self._given.ledger.published, ids))
            for closing in asked:
                carry = found.get(closing.check_id)
                if closing.model_id in self._computing:
                    continue
                if carry is not None:
                    self._carries[Unit.of(closing)] = _without_fold(carry)
                    self._queue.remove(closing)
                elif closing.kind != "learn":
                    self._computing.add(closing.model_id)
            if self._queue and self._queue[0] is asked[0]:
                return

    async def _close(self, closing: Closing) -> bool:
        """Compute and publish a check; False where it was set aside."""
        given, unit = self._given, Unit.of(closing)
        carry = self._carries.get(unit)
        began = given.clock.monotonic()
        try:
            computed = await given.ledger.compute(closing, carry)
        except Exception as error:  # noqa: BLE001 - one bad check stops one model at most; it says why
            if isinstance(error, TamperError):
                given.observer.tampered(error)
            if self._aside.failed(closing, error, given.clock.monotonic()):
                return False
            computed = failure(closing, carry, error)
        seconds = given.clock.monotonic() - began
        published = await self._publish(computed, closing, carry)
        self._aside.done(closing.model_id, computed=published is computed and not _is_failed(computed))
        self._carries[unit] = _without_fold(published.carry)
        self._count(closing, published, seconds)
        return True

    async def _publish(self, computed: Computed, closing: Closing, carry: Mapping[str, Any] | None) -> Computed:
        """Publish what came of a closing; where it can never be sent, whoever computes it, that it failed.

        What the next check would start from may be what is too large: it is the last thing to be left out.
        """
        attempt = computed
        for start in (carry, {}):
            try:
                await self._patiently(partial(self._given.publisher.publish, attempt.events))
            except InvalidEventError as error:
                attempt = failure(closing, start, error, bare=start is not carry)
            else:
                return attempt
        await self._patiently(partial(self._given.publisher.publish, attempt.events))
        return attempt

    def _count(self, closing: Closing, computed: Computed, seconds: float) -> None:
        check, observer = computed.check, self._given.observer
        if check is None:
            if not computed.events:
                observer.failed(f"no baseline was learned for {closing.model_id} {closing.model_version}", "see above")
            return
        observer.checked(check.kind, check.status, seconds)
        if check.status == "failed":
            observer.failed(f"check {check.check_id} of {check.model_id} {check.model_version}", check.error or "")
        for event in computed.events:
            if isinstance(event.data, AlertRaised | AlertResolved):
                transition = "raised" if isinstance(event.data, AlertRaised) else "resolved"
                observer.alerted(event.data.kind, transition, event.data.message)


def _without_fold(carry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the next check starts from, without the fold: that is for a restart, and there is one a unit."""
    return {name: value for name, value in carry.items() if name != "fold"}


def _is_failed(computed: Computed) -> bool:
    return computed.check is not None and computed.check.status == "failed"
