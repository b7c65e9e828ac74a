"""The commit protocol in a simulated world, from seeds: `modeltrail lab`.

The sequencer and the whole of `ingest` are the real ones. Around them, in one event loop in virtual time:

    log      transactions, markers, aborted batches, truncation and rewriting, re-creation, retention, elections
    ledger   blocks, views that fail, read-only, restarts without the last blocks, reads that are a little old
    group    generations, eager rebalances, sessions, fencing, offsets that are lost, set or deleted by hand
    engine   polls that are under way while a partition is placed, batches that wait between fetch and intake, get lost
             or come twice; drain, commit timer, watchdog
    ways     every call can be refused, fail after it took effect, land late, land twice, hang, or be slow
    workers  one to three processes, killed or frozen at any await, cut off from store or broker; clocks that jump

A seed decides all of it, and which faults a run has at all. What must hold is looked at whenever a row lands, a
message is sent or an offset is committed (`watch`), and when the run is over (`checks`): every chain is the fold of
one version of the log, byte for byte, every epoch has its cause, its genesis and its alert, and in the end nothing is
missing. `safety` kills everything and lets one fresh worker go on; `liveness` stops the faults and leaves the
processes as they are. `bugs` are eight deliberate mistakes that have to be found.

What it does not model, bluntly:

- Faust, aiokafka, ClickHouse and their clients: the engine's part is written again from what they were seen to do,
  so a mistake in `streaming` or `storage` is not found here. Stores answer each question at one instant, where the
  real one asks several queries; replicas, quorums and partial writes of a block do not exist.
- the contract: a record is judged by its first byte. Records are small, logs have at most some seventy of them.
- compaction, more than one topic, several groups, static membership, the watch.
- rows that the store refuses for good.
- a damaged ledger. Tampering is the verifier's subject.

What is let pass because the design says so, and counted: rows of a zombie in a closed epoch (late blocks), two entries
at one position after the log was rewritten under two readers, a log that was replaced and then expired up to the
head (nothing is left to compare), a hole where the store lost what the log no longer holds either, entries whose
receipt or reject was not sent before their record left the log, and what somebody passed over by setting offsets.
"""
