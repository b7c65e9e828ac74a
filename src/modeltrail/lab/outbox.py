"""The topics that Modeltrail writes itself, in memory: what was announced, at least once."""

import random
from collections.abc import Callable, Sequence

from modeltrail.errors import BrokerUnavailableError
from modeltrail.events.encode import Event
from modeltrail.events.notices import Block, Reject
from modeltrail.ingest.protocols import Notices, Outbox
from modeltrail.lab.link import Call

__all__ = ["SimOutbox", "Topics"]


class Topics:
    """Blocks, rejects and alerts in the order in which they arrived. `look` sees them before they are taken."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.rejects: list[Reject] = []
        self.alerts: list[Event] = []
        self.covered: dict[str, set[int]] = {}
        """Positions by chain that a block message covers."""
        self.rejected: set[tuple[str, int]] = set()
        self.look: Callable[[Sequence[Block], Sequence[Reject]], None] | None = None

    def take(self, blocks: Sequence[Block], rejects: Sequence[Reject], alerts: Sequence[Event]) -> None:
        """Take messages."""
        if self.look is not None:
            self.look(blocks, rejects)
        self.blocks.extend(blocks)
        self.rejects.extend(rejects)
        self.alerts.extend(alerts)
        for block in blocks:
            self.covered.setdefault(block.chain, set()).update(range(block.first_seq, block.last_seq + 1))
        self.rejected.update((reject.chain, reject.seq) for reject in rejects)

    def alerted(self, kind: str) -> set[str]:
        """Return the subjects of alerts of one kind: what they name as evidence."""
        return {_subject(event) for event in self.alerts if getattr(event.data, "kind", "") == kind}


def _subject(event: Event) -> str:
    evidence: dict[str, object] = getattr(event.data, "evidence", {})
    return str(evidence.get("chain", evidence.get("partition", "")))


class SimOutbox(Outbox):
    """`ingest.protocols.Outbox` over topics in memory. With `rng`, a send may end in the middle (`torn` of all)."""

    def __init__(self, topics: Topics, call: Call, *, rng: random.Random | None = None, torn: float = 0.0) -> None:
        self._topics = topics
        self._call = call
        self._rng = rng
        self.torn = torn

    async def send(self, notices: Notices) -> None:
        """See `Outbox.send`."""
        rng = self._rng
        if rng is None or rng.random() >= self.torn:
            await self._call("send", lambda: self._topics.take(*notices))
            return
        share = rng.random()

        def some() -> None:
            parts = [part[: int(len(part) * share)] for part in notices]
            self._topics.take(*parts)  # type: ignore[arg-type]
            raise BrokerUnavailableError("some messages were not acknowledged")

        await self._call("send", some)
