"""Closings that cannot be checked now: the models that they are of wait, and all others go on.

What an error of a check says about another attempt:

    passes      the store or the broker is away, short of memory or busy; a right or the schema is being changed; the
                ledger contradicts itself, and somebody has to mend it: the check is tried again until it works, and
                nothing is published meanwhile
    unforeseen  a fault of the program, or an answer of the store that nobody knows: it is tried again for a minute, in
                case it passes; then the check is published as failed, because later ones of its model wait for it
    data        the monitor, the baseline or the events themselves: whoever repeats it gets the same, it has failed

Checks of one model stand in their order, so that the later ones wait behind the first. Where too many wait, the last
ones of the model that has most are given up. Nothing is lost with this: a check that was not published is found again,
by whoever watches the model next, or here once those before it are published (`behind`).
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from modeltrail.drift.windows.closing import Closing
from modeltrail.errors import (
    AccessError,
    MissingExtraError,
    ModeltrailError,
    RowsRefusedError,
    SchemaVersionError,
    TamperError,
    UnavailableError,
    UnknownStoreError,
)

__all__ = ["MOST", "UNFORESEEN_S", "Outlook", "SetAside", "outlook_of"]

Outlook = Literal["passes", "unforeseen", "data"]

UNFORESEEN_S = 60.0
"""How long an unforeseen error is given to pass."""

MOST = 10_000
"""Closings that may wait here; of more, the last ones of the model that has most are given up."""

_FIRST_S = 1.0
_LONGEST_S = 60.0
"""Seconds until the next attempt: the first one, twice as many each time, at most so many."""


def outlook_of(error: Exception) -> Outlook:
    """Return what an error of a check says about another attempt."""
    if isinstance(error, UnavailableError | AccessError | SchemaVersionError | TamperError):
        return "passes"
    # A query of ours that the store cannot run for what it read is a fault of the query.
    if isinstance(error, UnknownStoreError | RowsRefusedError | MissingExtraError) or not isinstance(
        error, ModeltrailError
    ):
        return "unforeseen"
    return "data"


@dataclass(slots=True)
class _Model:
    next_at: float
    pause_s: float
    error: Exception
    unforeseen_since: float | None = None
    """Since when each attempt ended with an error that nobody foresaw."""
    closings: deque[Closing] = field(default_factory=deque)


class SetAside:
    """The models that wait, each with its closings in order and a clock of its own. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._count = 0
        self._lasting: set[str] = set()

    def __len__(self) -> int:
        """How many closings wait."""
        return self._count

    def __contains__(self, model_id: str) -> bool:
        """Whether closings of this model wait."""
        return model_id in self._models and bool(self._models[model_id].closings)

    @property
    def next_at(self) -> float | None:
        """When one of them is to be tried again; None where nothing waits."""
        return min((model.next_at for model in self._models.values() if model.closings), default=None)

    @property
    def errors(self) -> dict[str, str]:
        """Why each model waits."""
        return {model_id: _text(model.error) for model_id, model in self._models.items() if model.closings}

    def wait(self, closing: Closing) -> None:
        """Put a closing behind those of its model, which wait."""
        self._models[closing.model_id].closings.append(closing)
        self._count += 1

    def failed(self, closing: Closing, error: Exception, now: float) -> bool:
        """Set a closing aside that failed, before those of its model; False where it has had its chances.

        Once an unforeseen error has lasted, it is expected to for the model's next closings, until one succeeds.
        """
        outlook, name = outlook_of(error), closing.model_id
        model = self._models.get(name)
        if outlook == "data" or (outlook == "unforeseen" and name in self._lasting):
            return False
        if model is None:
            model = self._models[name] = _Model(now + _FIRST_S, _FIRST_S, error)
        else:
            model.pause_s = min(2 * model.pause_s, _LONGEST_S)
            model.next_at, model.error = now + model.pause_s, error
        if outlook == "passes":
            model.unforeseen_since = None
        elif model.unforeseen_since is None:
            model.unforeseen_since = now
        elif now - model.unforeseen_since >= UNFORESEEN_S:
            self._lasting.add(name)
            return False
        model.closings.appendleft(closing)
        self._count += 1
        return True

    def done(self, model_id: str, *, computed: bool) -> None:
        """Forget how often the first closing of a model failed: it was published, `computed` or as failed."""
        model = self._models.pop(model_id, None)
        if model is not None and model.closings:
            self._models[model_id] = _Model(float("-inf"), _FIRST_S, model.error, closings=model.closings)
        if computed:
            self._lasting.discard(model_id)

    def due(self, now: float) -> list[str]:
        """Return the models whose first closing is to be tried again now."""
        return [model_id for model_id, model in self._models.items() if model.closings and model.next_at <= now]

    def take(self, model_id: str) -> Closing | None:
        """Take out the first closing of a model; None where none waits."""
        model = self._models.get(model_id)
        if model is None or not model.closings:
            return None
        self._count -= 1
        return model.closings.popleft()

    def shed(self) -> Closing | None:
        """Give up closings where more than MOST wait, and return the first of them; None where none need be.

        They are the last ones of the model that has most, all that one entry closed. Of each model those of one entry
        are kept: what is tried again must be known.
        """
        if self._count <= MOST:
            return None
        waiting = [model.closings for model in self._models.values() if _divisible(model.closings)]
        if not waiting:
            return None
        closings = max(waiting, key=len)
        x = closings[-1].x
        while closings[-1].x == x:
            first = closings.pop()
            self._count -= 1
        return first


def _divisible(closings: deque[Closing]) -> bool:
    return bool(closings) and closings[0].x != closings[-1].x


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, ModeltrailError) else f"{type(error).__name__}: {error}"
