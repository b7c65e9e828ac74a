"""The name of a chain: `<cluster id>/<topic>/<partition>/<epoch>-<first offset>`.

One chain per partition and epoch. Epochs count the logs that a partition has had; the first offset is where
reading starts in this one. Format and parser stand side by side: the parser refuses whatever the formatter
would not have written.
"""

import re
from typing import NamedTuple

__all__ = ["Chain", "PartitionId", "check_cluster_id", "format_chain", "parse_chain"]

_PRINTABLE = re.compile(r"[!-.0-~]+\Z")  # printable ASCII without space and slash
_NUMBER = r"(0|[1-9][0-9]{0,18})"
_CHAIN = re.compile(rf"([!-.0-~]+)/([A-Za-z0-9._-]{{1,249}})/{_NUMBER}/{_NUMBER}-{_NUMBER}\Z")
_INT64_MAX = 2**63 - 1
_UINT32_MAX = 2**32 - 1


class PartitionId(NamedTuple):
    """A partition of a topic of one Kafka cluster."""

    cluster: str
    topic: str
    partition: int

    @property
    def prefix(self) -> str:
        """What the names of all chains of this partition begin with."""
        return f"{self.cluster}/{self.topic}/{self.partition}/"

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Chain(NamedTuple):
    """One chain, ordered by epoch and first offset as numbers within a partition."""

    cluster: str
    topic: str
    partition: int
    epoch: int
    first_offset: int

    @property
    def of(self) -> PartitionId:
        """The partition that this is a chain of."""
        return PartitionId(self.cluster, self.topic, self.partition)

    @property
    def order(self) -> tuple[int, int]:
        """A worker goes on with the chain for which this is greatest."""
        return (self.epoch, self.first_offset)

    def next_epoch(self, first_offset: int) -> "Chain":
        """The chain of the epoch after this one, which begins at `first_offset`."""
        return self._replace(epoch=self.epoch + 1, first_offset=first_offset)

    def __str__(self) -> str:
        return format_chain(self)


def check_cluster_id(cluster: str) -> str:
    """Return `cluster`, or raise ValueError where it could not stand in a chain's name."""
    if not _PRINTABLE.match(cluster):
        raise ValueError(f"cluster id {cluster!r}: only printable ASCII without space and slash can be chained")
    return cluster


def format_chain(chain: Chain) -> str:
    """The text of a chain, as it is hashed."""
    return f"{chain.cluster}/{chain.topic}/{chain.partition}/{chain.epoch}-{chain.first_offset}"


def parse_chain(text: str) -> Chain:
    """Read what `format_chain` wrote; ValueError for anything else."""
    match = _CHAIN.match(text)
    if not match:
        raise ValueError(f"chain {text!r}: expected <cluster>/<topic>/<partition>/<epoch>-<first offset>")
    cluster, topic, partition, epoch, first_offset = match.groups()
    chain = Chain(cluster, topic, int(partition), int(epoch), int(first_offset))
    if chain.partition > _UINT32_MAX or chain.epoch > _UINT32_MAX or chain.first_offset > _INT64_MAX:
        raise ValueError(f"chain {text!r}: a number is out of range")
    return chain
