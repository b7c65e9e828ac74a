"""What a drift worker counts, for Prometheus. Labels come from closed sets: kinds and states, never ids."""

import logging
import time
from collections.abc import Mapping
from itertools import islice

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modeltrail.errors import TamperError

__all__ = ["DriftMetrics"]

logger = logging.getLogger("modeltrail.drift")

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

REPEAT_S = 30.0
"""A condition that lasts is logged again after this many seconds."""

TAMPERED_S = 300.0
"""Seconds for which it is held against a chain that it contradicted itself: as long as it does, it is told again."""

NAMED = 10
"""Models that are named in the log, of those that wait at one time."""


class DriftMetrics:
    """Implements `watch.protocols.Observer`: counts, and says in the log what an operator should know."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.unavailable: dict[str, str] = {}
        self.aside: dict[str, str] = {}
        self._tampered_at: dict[str, tuple[float, str]] = {}
        self._logged: dict[str, float] = {}
        self._checks = Counter(
            "modeltrail_drift_checks_total", "Checks published", ["kind", "status"], registry=self.registry
        )
        self._alerts = Counter(
            "modeltrail_drift_alerts_total", "Alerts published", ["kind", "transition"], registry=self.registry
        )
        self._seconds = Histogram(
            "modeltrail_drift_check_seconds", "Time to compute a check", buckets=_SECONDS, registry=self.registry
        )
        self._entries = Counter("modeltrail_drift_entries_total", "Entries of the ledger read", registry=self.registry)
        self._waiting = Gauge(
            "modeltrail_drift_waiting_entries",
            "Entries that were read and wait until every chain has passed them",
            registry=self.registry,
        )
        self._lag = Gauge(
            "modeltrail_drift_lag_entries", "Entries of the ledger that were not read yet", registry=self.registry
        )
        self._models = Gauge("modeltrail_drift_models", "Models that this worker watches", registry=self.registry)
        self._aside = Gauge(
            "modeltrail_drift_models_set_aside",
            "Models that wait because a check of theirs cannot be computed now",
            registry=self.registry,
        )
        self._tampered = Gauge(
            "modeltrail_drift_tampered_chains",
            "Chains of the ledger that are read up to a position only at which two entries stand",
            registry=self.registry,
        )
        self._tampered.set_function(lambda: float(len(self.tampered_chains)))
        self._looked = Gauge(
            "modeltrail_drift_last_look_timestamp_seconds",
            "When the ledger was last read to its end",
            registry=self.registry,
        )
        self._waits = Counter(
            "modeltrail_drift_waits_total",
            "Attempts that met a dependency that was away",
            ["dependency"],
            registry=self.registry,
        )

    def checked(self, kind: str, status: str, seconds: float) -> None:
        """See `Observer.checked`."""
        self._checks.labels(kind, status).inc()
        self._seconds.observe(seconds)

    def alerted(self, kind: str, transition: str, message: str) -> None:
        """See `Observer.alerted`."""
        self._alerts.labels(kind, transition).inc()
        logger.info("alert %s: %s", transition, message)

    def failed(self, what: str, error: str) -> None:
        """See `Observer.failed`."""
        logger.error("%s: %s", what, error)

    def looked(self, *, entries: int, waiting: int, lag: int, models: int) -> None:
        """See `Observer.looked`."""
        self._entries.inc(entries)
        self._waiting.set(waiting)
        self._lag.set(lag)
        self._models.set(models)
        if not lag:
            self._looked.set_to_current_time()

    def set_aside(self, errors: Mapping[str, str]) -> None:
        """See `Observer.set_aside`."""
        self._aside.set(len(errors))
        for model_id, error in islice(errors.items(), NAMED):
            if self._is_due(f"aside {model_id}"):
                logger.warning("%s waits, its checks cannot be computed now: %s", model_id, error)
        for model_id in self.aside.keys() - errors.keys():
            self._logged.pop(f"aside {model_id}", None)
            logger.info("going on: %s is checked again", model_id)
        self.aside = dict(errors)

    @property
    def tampered_chains(self) -> dict[str, str]:
        """What contradicts itself in which chain, as far as it was told of lately: it may have been mended."""
        since = time.monotonic() - TAMPERED_S
        return {chain: what for chain, (at, what) in self._tampered_at.copy().items() if at >= since}

    def tampered(self, error: TamperError) -> None:
        """See `Observer.tampered`. Also told of a chain that is read up to a fork only, from another thread."""
        self._tampered_at[error.chain] = time.monotonic(), str(error)
        if self._is_due(f"tampered {error.chain}"):
            logger.critical("%s; the watch reads nothing behind this position, see `modeltrail verify`", error)

    def waiting(self, dependency: str, error: Exception) -> None:
        """See `Observer.waiting`."""
        self._waits.labels(dependency).inc()
        self.unavailable[dependency] = str(error)
        if self._is_due(dependency):
            logger.warning("waiting for %s, nothing is lost meanwhile: %s", dependency, error)

    def going_on(self, dependency: str) -> None:
        """See `Observer.going_on`."""
        if self.unavailable.pop(dependency, None) is not None:
            self._logged.pop(dependency, None)
            logger.info("going on: %s answers again", dependency)

    def _is_due(self, condition: str) -> bool:
        """Whether a condition that lasts is to be logged now."""
        now = time.monotonic()
        due = now - self._logged.get(condition, float("-inf")) >= REPEAT_S
        if due:
            self._logged[condition] = now
        return due

    def began(self, shares: int, models: int) -> None:
        """See `Observer.began`."""
        logger.info("watching %d shares; %d models go on from their last check", shares, models)
