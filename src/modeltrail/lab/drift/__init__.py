"""The live watch in a simulated world, from seeds: `modeltrail lab --watch`.

The session, the fold and what a restart does are the real ones, in the event loop of `lab.loop`. Around them:

    log       what is published, and when: late, early and wrong event times, models that stop, monitors that change
    broker    partitions that show a record some time after its log_time, and that are away now and then
    ledger    chains that follow their partitions at speeds of their own; typed tables that lack the last rows
    fate      workers that are killed at any await or frozen, shares that move, wakes that are lost or come twice,
              acknowledgements that are lost

A seed draws the log and, apart from it, the disturbances. What was published is compared with the fold of the whole
log at once: the same checks and alerts, and everything in them. `bugs` are deliberate mistakes that have to be found.

What it does not model: ClickHouse, Kafka and what `compute` does with the rows of a window. A check says here how many
predictions its window holds and carries a hash over all checks of its unit before it, so that what was computed from
another state has another carry. Ticks and learned baselines are left out, because their place in the log depends on
when they were published.
"""
