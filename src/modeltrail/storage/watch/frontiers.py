"""How far each chain of the watch is there: without a hole, and without two entries at one position."""

import time
from collections.abc import Callable, Mapping

from modeltrail.drift.windows.order import Cut
from modeltrail.errors import StoreUnavailableError, TamperError
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.storage.watch.reader import Reader
from modeltrail.watch.protocols import Frontier

__all__ = ["CHANGES", "CHECKS", "PREDICTIONS", "Frontiers", "is_of"]

PREDICTIONS = ".predictions"
CHANGES = ".models"
CHECKS = ".checks"
"""What the topics end with whose chains the watch reads."""

_STEP = 1_000_000
"""Positions of a chain that are counted at a time."""

_LAST = 2**63 - 1


def is_of(chain: Chain, *suffixes: str) -> bool:
    """Return whether the chain is of a topic that ends with one of the suffixes."""
    return chain.topic.endswith(suffixes)


class Frontiers:
    """Remembers what was counted, so that each position is counted once. `suffixes` choose the topics.

    Looking for new chains costs a query for each that is there, and is done every `chains_every_s` seconds at most.
    """

    def __init__(
        self, reader: Reader, *, suffixes: tuple[str, ...] = (PREDICTIONS, CHANGES, CHECKS), chains_every_s: float = 0.0
    ) -> None:
        self._chains_every_s = chains_every_s
        self._chains_at = float("-inf")
        self._chains: list[Chain] = []
        self.reader = reader
        self._suffixes = suffixes
        self._known: dict[str, tuple[int, int]] = {}

    def read(self, tampered: Callable[[TamperError], None] | None = None) -> dict[Chain, Frontier]:
        """Return the end of the part of each chain that is there without a hole; chains without an entry are left out.

        Where two entries stand at one position the chain ends before it, and `tampered` is told each time; TamperError
        where nobody is. StoreUnavailableError where the store does not answer.
        """
        now = time.monotonic()
        if now - self._chains_at >= self._chains_every_s:
            self._chains, self._chains_at = self.chains(), now
        ends = {chain: self._end(str(chain), tampered) for chain in self._chains}
        return {chain: Frontier(*end) for chain, end in ends.items() if end[0] >= 0}

    def offsets(self, ends: Mapping[Chain, int]) -> dict[Chain, int]:
        """Return the Kafka offset of one entry of each chain, given by its seq.

        StoreUnavailableError where it is not there now: the store was restarted without its last block.
        """
        found = {}
        for chain, seq in ends.items():
            rows = self.reader.ask("watch/entry", chain=str(chain), seq=seq)
            if not rows:
                raise StoreUnavailableError(f"{chain}: position {seq} is not in the ledger now")
            found[chain] = int(rows[0][1])
        return found

    def chains(self) -> list[Chain]:
        """Return the chains that exist, found one by one along the primary index."""
        found: list[Chain] = []
        after = ""
        while rows := self.reader.ask("ledger/next_chain", prefix="", after=after):
            chain = parse_chain(rows[0][0])
            if is_of(chain, *self._suffixes):
                found.append(chain)
                after = str(chain)
            else:
                after = f"{chain.cluster}/{chain.topic}/~"  # sorts after every partition of the topic
        return found

    def require(self, cut: Cut) -> None:
        """Return where every position up to the cut is there.

        StoreUnavailableError names the chain that has a hole: it may be filled by waiting. TamperError as in `read`.
        """
        for chain, last in sorted(cut.items()):
            whole, _ = self._advance(chain, last)
            if whole < last:
                raise StoreUnavailableError(
                    f"{chain}: position {whole + 1} is not in the ledger yet, expected to {last}"
                )

    def _end(self, chain: str, tampered: Callable[[TamperError], None] | None) -> tuple[int, int]:
        try:
            return self._advance(chain, _LAST)
        except TamperError as error:
            if tampered is None or error.seq is None:
                raise
            tampered(error)
            return self._advance(chain, error.seq - 1)

    def _advance(self, chain: str, limit: int) -> tuple[int, int]:
        last, log_time = self._known.get(chain, (-1, -1))
        while last < limit:
            first, through = last + 1, min(limit, last + _STEP)
            entries, positions, begin, end, end_time = self.reader.ask(
                "watch/contiguous", chain=chain, first=first, last=through
            )[0]
            if not entries or begin > first:
                break
            if entries > positions:
                self._require_one_entry_each(chain, first, through)
            if positions == end - first + 1:
                last, log_time = int(end), int(end_time)
            else:
                last = int(self.reader.ask("watch/hole", chain=chain, first=first, last=through)[0][0])
                log_time = int(self.reader.ask("watch/entry", chain=chain, seq=last)[0][0])
            self._known[chain] = (last, log_time)
            if last < through:
                break
        return last, log_time

    def _require_one_entry_each(self, chain: str, first: int, last: int) -> None:
        for (seq,) in self.reader.ask("watch/forked", chain=chain, first=first, last=last):
            raise TamperError(chain, int(seq), "two different entries stand at this position")
