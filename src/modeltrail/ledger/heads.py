r"""Kept heads: a text file to be kept where whoever can write the ledger cannot.

    modeltrail-heads/v1
    <entry hash, 64 lowercase hex digits> <seq> <chain>

One line a head, each line ended by "\n", in ascending order of chain (as text) and seq, no position twice. A chain
may have several heads, kept at different times. `parse_heads` refuses whatever `format_heads` would not have written.
"""

import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from modeltrail.ledger.chain import parse_chain

__all__ = ["HEADS_HEADER", "KeptHead", "format_heads", "parse_heads"]

HEADS_HEADER = "modeltrail-heads/v1"

_LINE = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,18}) ([!-~]+)\Z")
_INT64_MAX = 2**63 - 1


class KeptHead(NamedTuple):
    """A head that was kept outside: at `seq` of `chain` (its text) stood the entry with this hash (32 bytes)."""

    chain: str
    seq: int
    entry_hash: bytes


def format_heads(heads: Iterable[KeptHead]) -> str:
    """Return the text of a heads file. ValueError where a head cannot be one, or two contradict each other."""
    ordered = sorted(set(heads))
    for head, following in itertools.pairwise(ordered):
        if head[:2] == following[:2]:
            raise ValueError(f"{head.chain} seq {head.seq}: two heads contradict each other")
    for head in ordered:
        _check(head)
    lines = [f"{head.entry_hash.hex()} {head.seq} {head.chain}\n" for head in ordered]
    return HEADS_HEADER + "\n" + "".join(lines)


def parse_heads(text: str) -> list[KeptHead]:
    """Read what `format_heads` wrote; ValueError that names the line for anything else."""
    if not text.endswith("\n"):
        raise ValueError("heads: the last line is not ended; the file may be cut off")
    header, *lines = text[:-1].split("\n")
    if header != HEADS_HEADER:
        raise ValueError(f"heads, line 1: {header[:80]!r}: expected {HEADS_HEADER!r}")
    heads: list[KeptHead] = []
    for number, line in enumerate(lines, start=2):
        match = _LINE.match(line)
        if not match:
            raise ValueError(f"heads, line {number}: {line[:160]!r}: expected <entry hash> <seq> <chain>")
        head = KeptHead(match[3], int(match[2]), bytes.fromhex(match[1]))
        try:
            _check(head)
        except ValueError as error:
            raise ValueError(f"heads, line {number}: {error}") from None
        if heads and head[:2] <= heads[-1][:2]:
            raise ValueError(f"heads, line {number}: {head.chain} seq {head.seq}: expected ascending order, none twice")
        heads.append(head)
    return heads


def _check(head: KeptHead) -> None:
    parse_chain(head.chain)
    if not 0 <= head.seq <= _INT64_MAX:
        raise ValueError(f"seq {head.seq}: expected 0 to {_INT64_MAX}")
    if len(head.entry_hash) != 32:
        raise ValueError(f"entry hash of {len(head.entry_hash)} bytes: expected 32")
