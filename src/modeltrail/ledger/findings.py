"""What a verification can find: a closed set, each with a severity and a sentence.

fault        the ledger contradicts its own hashes, its own order, a kept head or its typed tables
incomplete   something is not there that could be made again, or that was asked for
note         worth knowing, and no contradiction
"""

from enum import Enum, StrEnum
from typing import NamedTuple, Self

__all__ = ["Finding", "Kind", "Severity", "finding"]


class Severity(StrEnum):
    """What a finding means for the verdict."""

    FAULT = "fault"
    INCOMPLETE = "incomplete"
    NOTE = "note"


class Kind(Enum):
    """What was found. The order is that in which findings at one position are told, gravest first."""

    severity: Severity
    sentence: str

    CHAIN_NAME = ("chain_name", Severity.FAULT, "the chain's name does not say what its columns say")
    EPOCH_MISSING = ("epoch_missing", Severity.FAULT, "an epoch before this one is missing")
    GENESIS = ("genesis", Severity.FAULT, "the chain does not begin with a genesis that commits to the epoch before")
    POSITION = ("position", Severity.FAULT, "a position is negative")
    MISSING = ("missing", Severity.FAULT, "entries are missing")
    FORK = ("fork", Severity.FAULT, "two different rows stand at one position")
    KIND = ("kind", Severity.FAULT, "the kind and the status of the row contradict each other")
    GAP_CONTENT = ("gap_content", Severity.FAULT, "a gap holds something that a gap cannot hold")
    RECORD_HASH = ("record_hash", Severity.FAULT, "key, headers and value do not hash to the record hash")
    ENTRY_HASH = (
        "entry_hash",
        Severity.FAULT,
        "previous hash, position, offset, timestamp and record hash do not hash to the entry hash",
    )
    LINK = ("link", Severity.FAULT, "the previous hash is not the entry hash of the entry before")
    OFFSET = ("offset", Severity.FAULT, "the offset does not follow from the entry before")
    LOG_TIME = ("log_time", Severity.FAULT, "the log time is not the running maximum of the timestamps")
    JUDGEMENT = ("judgement", Severity.FAULT, "status or envelope are not what the contract reads in the record")
    ENDS_IN_GAP = ("ends_in_gap", Severity.FAULT, "the chain ends in a gap: the record after it is missing")
    HEAD_MISSING = ("head_missing", Severity.FAULT, "the ledger does not reach a head that was kept outside")
    HEAD_DIFFERS = ("head_differs", Severity.FAULT, "the entry is not the one whose head was kept outside")
    PROJECTION_DIFFERS = ("projection_differs", Severity.FAULT, "a typed row says something else than the record")
    PROJECTION_EXTRA = ("projection_extra", Severity.FAULT, "a typed row stands for no entry of the ledger")
    PROJECTION_MISSING = ("projection_missing", Severity.INCOMPLETE, "an entry lacks its typed row")
    OUT_OF_RANGE = ("out_of_range", Severity.INCOMPLETE, "the chain does not reach the range that was asked for")
    UNKNOWN_CONTRACT = (
        "unknown_contract",
        Severity.INCOMPLETE,
        "status or envelope are not what is read here, under a version of the contract that is unknown here",
    )
    NOTHING = ("nothing", Severity.INCOMPLETE, "there was nothing to check")
    LATE_BLOCK = ("late_block", Severity.NOTE, "entries landed after the next epoch had begun")
    SIBLING = ("sibling", Severity.NOTE, "another chain has the same epoch number")
    JUDGED_DIFFERENTLY = ("judged_differently", Severity.NOTE, "judged under another version of the contract")

    def __new__(cls, code: str, severity: Severity, sentence: str) -> Self:
        """Make the code the value; severity and sentence are attributes."""
        member = object.__new__(cls)
        member._value_ = code
        member.severity = severity
        member.sentence = sentence
        return member

    @property
    def rank(self) -> int:
        """Place in the order of the class."""
        return _RANK[self]


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


class Finding(NamedTuple):
    """One finding. `chain` is a chain's text, `seq` the first position concerned, None for a whole chain."""

    kind: Kind
    chain: str
    seq: int | None
    text: str

    @property
    def order(self) -> tuple[int, int]:
        """First position first, and the gravest first within a position; a whole chain comes before its entries."""
        return (-1 if self.seq is None else self.seq, self.kind.rank)

    def as_json(self) -> dict[str, object]:
        """Return plain values for `--json`."""
        return {
            "finding": self.kind.value,
            "severity": self.kind.severity.value,
            "chain": self.chain,
            "seq": self.seq,
            "text": self.text,
        }


def finding(kind: Kind, chain: str, seq: int | None, detail: str = "") -> Finding:
    """Build a finding whose text is the kind's sentence, with `detail` after a colon."""
    return Finding(kind, chain, seq, f"{kind.sentence}: {detail}" if detail else kind.sentence)
