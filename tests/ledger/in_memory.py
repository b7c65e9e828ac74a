"""The whole verification of a ledger in memory, row by row, without a store."""

from modeltrail.events.judge import CONTRACT_VERSION, judge
from modeltrail.ledger.epochs import ChainEnds, Edge, check_epochs, is_genesis
from modeltrail.ledger.findings import Kind, Severity, finding
from modeltrail.ledger.verification import ChainVerifier

__all__ = ["edge", "faults", "verify"]


def edge(row):
    return Edge(row.seq, row.log_time, row.prev_hash, row.entry_hash)


def verify(ledger):
    """All findings about a ledger in memory, by chain."""
    natural = {chain: [row for row in rows if row.seq >= 0] for chain, rows in ledger.items()}
    ends = [ChainEnds(chain, edge(rows[0]), edge(rows[-1])) for chain, rows in natural.items()]

    def search(older, newer, genesis):
        return next((edge(row) for row in natural[older] if is_genesis(genesis, newer, row.entry_hash)), None)

    checked = check_epochs(ends, search)
    found = list(checked.findings)
    for chain, rows in natural.items():
        verifier = ChainVerifier(str(chain), checked.before[chain], judge=judge, contract=CONTRACT_VERSION)
        for row in sorted(rows, key=lambda row: (row.seq, row.entry_hash)):
            found += verifier.feed(row)
        found += verifier.finish()
        if len(rows) < len(ledger[chain]):
            found.append(finding(Kind.POSITION, str(chain), ledger[chain][0].seq))
    return sorted(found, key=lambda one: (one.chain, one.order))


def faults(found):
    return [one for one in found if one.kind.severity is Severity.FAULT]
