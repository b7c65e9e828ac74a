"""The live watch: from entries of the ledger to checks and alerts, over small Protocols. No Kafka, no ClickHouse.

service               what a worker runs: a session for the share of the models that it has at a time
session               one share: read, wait, fold, have it checked
closings              what is to be checked: compute, publish, set aside
resume, catching_up   where a share was left off, and the fold of what came since
reading, limits       what was read and waits, and up to where it may be folded now
set_aside             checks that cannot be computed now, and what an error says about another attempt
behind                models of which too much waits, made again from the ledger
own_checks            what the watch says, and checks that nothing is computed for: failures and ticks
patience, given       waiting for store and broker; what the watch works with
protocols             what it knows of the world
"""
