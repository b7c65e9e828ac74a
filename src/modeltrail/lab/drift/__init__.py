"""The live watch in a simulated world, from seeds: `modeltrail lab --watch`.

The session, the fold and what a restart does are the real ones, in the event loop of `lab.loop`. Around them:

    log       what is published, and when: late, early and wrong event times, models that stop, monitors that change,
              that are told of silence, that learn a baseline
    broker    partitions that show a record some time after its log_time, that are away now and then, and one of which
              nobody can say that it is idle
    ledger    chains that follow their partitions at speeds of their own, some with two epochs; typed tables that lack
              the last rows
    fate      workers that are killed at any await or frozen, shares that move, wakes that are lost or come twice,
              acknowledgements that are lost

A seed draws the log and, apart from it, the disturbances. What was published is compared with the fold of the whole
log at once: the same checks and alerts, and everything in them. Ticks and learned baselines stand in that log where the
run has put them; that no silence is left without a tick is looked at, too. Where a partition was not waited for, it
brings nothing later, and the checks are the same but for saying so. `bugs` are deliberate mistakes that have to be
found.

What it does not model: ClickHouse, Kafka and what `compute` does with the rows of a window. A check says here how many
predictions its window holds and carries a hash over all checks of its unit before it, so that what was computed from
another state has another carry. Records that stand in two epochs, and what comes when it was not waited for, are late
or not as the run has it, and so are left out.
"""
