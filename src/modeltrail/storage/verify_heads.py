"""Kept heads against the ledger: each must stand at its position."""

from collections.abc import Mapping, Sequence

from modeltrail.errors import NotVerifiableError, SchemaVersionError, TamperError
from modeltrail.ledger.chain import parse_chain
from modeltrail.ledger.findings import Finding, Kind, finding
from modeltrail.ledger.heads import KeptHead
from modeltrail.ledger.report import ChainReport, Report
from modeltrail.storage.verify_reader import LedgerReader

__all__ = ["check_heads", "read_heads"]


def read_heads(reader: LedgerReader) -> list[KeptHead]:
    """Return the head of every chain, in the order of their names.

    Raises NotVerifiableError where there is no ledger or nothing in it, TamperError where a chain cannot have a head:
    its name is none, or different entries stand at its end.
    """
    try:
        ends = [(chain, last) for chain, _, last in reader.rows("chains")]
    except SchemaVersionError as error:
        raise NotVerifiableError(f"there is no ledger: {error}") from error
    if not ends:
        raise NotVerifiableError("the ledger is empty: there are no heads to keep")
    stored = reader.edges(ends)
    heads = []
    for chain, seq in ends:
        try:
            parse_chain(chain)
        except ValueError as error:
            raise TamperError(chain, None, str(error)) from error
        hashes = {edge.entry_hash for edge, _ in stored[chain, seq]}
        if len(hashes) > 1:
            raise TamperError(chain, seq, Kind.FORK.sentence)
        heads.append(KeptHead(chain, seq, hashes.pop()))
    return heads


def check_heads(
    reader: LedgerReader,
    heads: Sequence[KeptHead],
    bounds: Mapping[str, tuple[int, int]],
    reports: Mapping[str, ChainReport],
    report: Report,
) -> None:
    """Look for each kept head, in the order of chain and seq; add to `report` what is found and not covered."""
    stored = reader.edges([(kept.chain, kept.seq) for kept in heads])
    fitting: dict[str, int] = {}
    for kept in heads:
        report.heads_checked += 1
        there = [edge.entry_hash for edge, _ in stored.get((kept.chain, kept.seq), ())]
        if kept.entry_hash in there:
            fitting[kept.chain] = kept.seq
            continue
        found = _contradiction(kept, there, bounds.get(kept.chain), fitting.get(kept.chain))
        if kept.chain in reports:
            reports[kept.chain].add(found)
        else:
            report.findings.append(found)
    _uncovered(fitting, bounds, reports, report)


def _contradiction(
    kept: KeptHead, there: Sequence[bytes], bounds: tuple[int, int] | None, fitting: int | None
) -> Finding:
    since = "" if fitting is None else f"; the kept head at seq {fitting} fits"
    if bounds is None:
        return finding(Kind.HEAD_MISSING, kept.chain, kept.seq, "the whole chain is gone")
    if not there:
        reaches = f"it ends at seq {bounds[1]}" if bounds[1] < kept.seq else "nothing stands there"
        return finding(Kind.HEAD_MISSING, kept.chain, kept.seq, reaches + since)
    detail = f"kept {kept.entry_hash.hex()}, found {there[0].hex()}{since}"
    return finding(Kind.HEAD_DIFFERS, kept.chain, kept.seq, detail)


def _uncovered(
    fitting: Mapping[str, int],
    bounds: Mapping[str, tuple[int, int]],
    reports: Mapping[str, ChainReport],
    report: Report,
) -> None:
    after = sum(max(0, bounds[chain][1] - seq) for chain, seq in fitting.items())
    if after:
        report.not_proven.append(
            f"{after} entries come after the kept heads: that they were not linked again is not proven."
        )
    without = sorted(set(reports) - set(fitting))
    if without:
        shown = ", ".join(without[:5]) + (" ..." if len(without) > 5 else "")
        report.not_proven.append(f"{len(without)} chains have no kept head that fits: {shown}")
