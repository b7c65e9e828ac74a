"""Events of the watch; and its checks that are not computed: that something failed, and that time went on."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from modeltrail.drift.checks.check import failed
from modeltrail.drift.windows.closing import Closing
from modeltrail.drift.windows.silence import Overdue
from modeltrail.errors import ModeltrailError
from modeltrail.events.canonical import content_hash
from modeltrail.events.checks import CHECK_SOURCE, CheckCompleted, CheckReference
from modeltrail.events.encode import Event
from modeltrail.events.fields import Data
from modeltrail.watch.protocols import Computed
from modeltrail.watch.set_aside import outlook_of

__all__ = ["failure", "said", "tick"]

logger = logging.getLogger("modeltrail.drift")

_ACTOR = "modeltrail-watch"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = int((datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds() * 1000) - 1
_LONGEST = 1000
_FAULT = (
    f" (not a fault of the data; modeltrail {version('modeltrail')}: see its log, and after an upgrade what "
    "`modeltrail drift run` says of this window)"
)


def failure(closing: Closing, carry: Mapping[str, Any] | None, error: Exception, *, bare: bool = False) -> Computed:
    """Return a check of status failed with the error; nothing but a line in the log where a baseline was to be learned.

    An error that nobody meant to raise goes to the log with its traceback. The check says that it is a fault of the
    program and of which version, so that it is known what another version may compute: the window stays failed, and
    a back-test of it tells what it would have said. `bare`: without anything that later checks start from.
    """
    text = str(error)
    if outlook_of(error) == "unforeseen":
        named = text if isinstance(error, ModeltrailError) else f"{type(error).__name__}: {error}"
        text = f"{named[:_LONGEST]}{_FAULT}"
    if not isinstance(error, ModeltrailError) or closing.kind == "learn":
        logger.error("%s of %s %s: %s", closing.kind, closing.model_id, closing.model_version, text, exc_info=error)
    if closing.kind == "learn":
        return Computed([], None, {})
    fault = ModeltrailError(text[: _LONGEST + len(_FAULT)])
    try:
        check = failed(closing, None, fault, carry=carry or {}).check
    except Exception:  # what it starts from may be what cannot be read
        logger.exception("%s %s: what checks carry is given up", closing.model_id, closing.model_version)
        check, bare = failed(closing, None, fault).check, True
    if bare:
        check = check.model_copy(update={"carry": {}})
    if closing.baseline is not None:
        reference = CheckReference(id=closing.baseline.baseline_id, sha256=closing.baseline.sha256)
        check = check.model_copy(update={"baseline": reference})
    return Computed([said(check, check.check_id, check.model_id, closing.x.log_time)], check, check.carry)


def tick(overdue: Overdue, now_ms: int) -> Event:
    """Return the check that is chained when a model is overdue by the clock, so that its silence is in the ledger.

    Nothing is computed from it but what its own place in the ledger says; each has an id of its own.
    """
    named = {"kind": "tick", "monitor": overdue.monitor_sha256, "last_ms": overdue.last_ms, "at_ms": now_ms}
    check = CheckCompleted(
        check_id=content_hash(named | {"model": overdue.model_id}),
        kind="tick",
        monitor=CheckReference(id=overdue.monitor_id, sha256=overdue.monitor_sha256),
        model_id=overdue.model_id,
        model_version=overdue.model_version,
        status="completed",
    )
    return said(check, check.check_id, check.model_id, now_ms)


def said(data: Data, event_id: str, model_id: str, log_time: int) -> Event:
    """Return what the watch says of a model about an entry with this log_time, in milliseconds since 1970.

    Where producers set the time of records, it may be any number; an event has one between 1970 and 2200.
    """
    time = _EPOCH + timedelta(milliseconds=min(max(log_time, 0), _LAST_MS))
    return Event.of(data, source=CHECK_SOURCE, actor=_ACTOR, subject=model_id, id=event_id, time=time)
