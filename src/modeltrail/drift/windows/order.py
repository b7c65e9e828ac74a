"""Watch order: the one order in which everybody reads the entries of all chains.

    (log_time, cluster, topic, partition, epoch, first_offset, seq), numbers as numbers

`log_time` is the running maximum of the record timestamp along a chain, so the order never contradicts a chain's own,
and what stands before an entry is a prefix of each chain. Such prefixes are called a cut.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from modeltrail.ledger.chain import Chain, format_chain, parse_chain

__all__ = ["Cut", "Position", "joined"]

Cut: TypeAlias = Mapping[str, int]
"""Text of a chain to the last seq that is included; a chain that is not named is not included at all."""


class Position(NamedTuple):
    """Where an entry stands in watch order; compares as the order does."""

    log_time: int
    """Milliseconds since 1970."""
    cluster: str
    topic: str
    partition: int
    epoch: int
    first_offset: int
    seq: int

    @classmethod
    def at(cls, log_time: int, chain: Chain | str, seq: int) -> "Position":
        """Return the position of entry `seq` of a chain. ValueError for a text that names no chain."""
        return cls(log_time, *(parse_chain(chain) if isinstance(chain, str) else chain), seq)

    @property
    def of(self) -> Chain:
        """The chain."""
        return Chain(*self[1:6])

    @property
    def chain(self) -> str:
        """The text of the chain, as in `ledger.chain`."""
        return format_chain(self.of)


def joined(cut: Cut, other: Cut) -> dict[str, int]:
    """Return the smallest cut that holds both."""
    return {chain: max(cut.get(chain, -1), other.get(chain, -1)) for chain in sorted({*cut, *other})}
