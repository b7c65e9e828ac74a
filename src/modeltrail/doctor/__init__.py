"""Whether an installation is fit to keep an audit trail: broker, topics, store, rights, disks and clocks.

    examination     asks everything, in bounded time, and makes one finding of each check
    broker, topics  what the cluster says of itself, judged
    append_time     a probe record that proves who writes timestamps
    log_ends        ends of logs, newest records, and how far the ledger worker is behind
    store, ledger_table, rights    what ClickHouse says of itself, judged
    measures        free disk and differences of clocks, judged

A check that could not look is skipped, never passed.
"""

from modeltrail.doctor.examination import examine
from modeltrail.doctor.findings import CHECKS, Finding, Outcome, Report

__all__ = ["CHECKS", "Finding", "Outcome", "Report", "examine"]
