"""How far each chain of the watch is there: without a hole, and without two entries at one position."""

from typing import NamedTuple

from modeltrail.drift.order import Cut
from modeltrail.errors import StoreUnavailableError, TamperError
from modeltrail.ledger.chain import Chain, parse_chain
from modeltrail.storage.watch.reader import Reader

__all__ = ["CHANGES", "PREDICTIONS", "Frontier", "Frontiers", "is_of"]

PREDICTIONS = ".predictions"
CHANGES = ".models"
"""What the topics end with whose chains the watch reads."""

_STEP = 1_000_000
"""Positions of a chain that are counted at a time."""

_LAST = 2**63 - 1


def is_of(chain: Chain, *suffixes: str) -> bool:
    """Return whether the chain is of a topic that ends with one of the suffixes."""
    return chain.topic.endswith(suffixes)


class Frontier(NamedTuple):
    """How far one chain is there.

    `last` is the last position before the first missing one (-1: none), `log_time` that of its entry in milliseconds
    (-1: none), `newest` whether no chain of the partition goes on from this one.
    """

    chain: Chain
    last: int
    log_time: int
    newest: bool


class Frontiers:
    """Remembers what was counted, so that each position is counted once. `suffixes` choose the topics."""

    def __init__(self, reader: Reader, *, suffixes: tuple[str, ...] = (PREDICTIONS, CHANGES)) -> None:
        self._reader = reader
        self._suffixes = suffixes
        self._known: dict[str, tuple[int, int]] = {}

    def read(self) -> dict[str, Frontier]:
        """Return how far each chain is there now, by its text.

        TamperError where two entries stand at one position; StoreUnavailableError where the store does not answer.
        """
        chains = self.chains()
        newest = {chain.of: chain for chain in sorted(chains, key=lambda chain: chain.order)}
        found = {}
        for chain in chains:
            last, log_time = self._advance(str(chain), _LAST)
            found[str(chain)] = Frontier(chain, last, log_time, newest[chain.of] == chain)
        return found

    def chains(self) -> list[Chain]:
        """Return the chains that exist, found one by one along the primary index."""
        found: list[Chain] = []
        after = ""
        while rows := self._reader.ask("ledger/next_chain", prefix="", after=after):
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

    def _advance(self, chain: str, limit: int) -> tuple[int, int]:
        last, log_time = self._known.get(chain, (-1, -1))
        while last < limit:
            first, through = last + 1, min(limit, last + _STEP)
            entries, positions, begin, end, end_time = self._reader.ask(
                "watch/contiguous", chain=chain, first=first, last=through
            )[0]
            if not entries or begin > first:
                break
            if entries > positions:
                self._require_one_entry_each(chain, first, through)
            if positions == end - first + 1:
                last, log_time = int(end), int(end_time)
            else:
                last = int(self._reader.ask("watch/hole", chain=chain, first=first, last=through)[0][0])
                log_time = int(self._reader.ask("watch/log_time", chain=chain, seq=last)[0][0])
            self._known[chain] = (last, log_time)
            if last < through:
                break
        return last, log_time

    def _require_one_entry_each(self, chain: str, first: int, last: int) -> None:
        for (seq,) in self._reader.ask("watch/forked", chain=chain, first=first, last=last):
            raise TamperError(chain, int(seq), "two different entries stand at this position")
