"""What the watch works with, and its options."""

from dataclasses import dataclass

from modeltrail.watch.protocols import Broker, Clock, Ledger, Observer, Publisher

__all__ = ["Given", "WatchOptions"]


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How long to wait, and how much may wait. Times in seconds.

    `grace_s` None: 1, and 10 once a record has shown that the broker keeps the time that producers give.
    `read_rows`: most entries of one chain in memory. `drain_s`: how long a share is held back to finish a check.
    """

    poll_s: float = 2.0
    grace_s: float | None = None
    max_wait_s: float = 900.0
    read_rows: int = 100_000
    drain_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Given:
    """What the watch works with."""

    ledger: Ledger
    broker: Broker
    publisher: Publisher
    clock: Clock
    observer: Observer
    options: WatchOptions
