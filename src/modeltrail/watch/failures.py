"""What is published of a closing that could not be computed: a check that says so, which later ones go on from."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from modeltrail.drift.check import failed
from modeltrail.drift.closing import Closing
from modeltrail.errors import ModeltrailError
from modeltrail.events.checks import CHECK_SOURCE, CheckReference
from modeltrail.events.encode import Event
from modeltrail.watch.protocols import Computed

__all__ = ["failure"]

logger = logging.getLogger("modeltrail.drift")

_ACTOR = "modeltrail-watch"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 1000


def failure(closing: Closing, carry: Mapping[str, Any] | None, error: Exception) -> Computed:
    """Return a check of status failed with the error; nothing but a line in the log where a baseline was to be learned.

    An error that nobody meant to raise goes to the log with its traceback.
    """
    text = str(error) if isinstance(error, ModeltrailError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, ModeltrailError) or closing.kind == "learn":
        logger.error("%s of %s %s: %s", closing.kind, closing.model_id, closing.model_version, text, exc_info=error)
    if closing.kind == "learn":
        return Computed([], None, {})
    check = failed(closing, None, ModeltrailError(text[:_LONGEST]), carry=carry or {}).check
    if closing.baseline is not None:
        reference = CheckReference(id=closing.baseline.baseline_id, sha256=closing.baseline.sha256)
        check = check.model_copy(update={"baseline": reference})
    at = _EPOCH + timedelta(milliseconds=closing.x.log_time)
    event = Event.of(
        check, source=CHECK_SOURCE, actor=_ACTOR, subject=closing.model_id, id=check.check_id, time=at
    )  # fmt: skip
    return Computed([event], check, check.carry)
