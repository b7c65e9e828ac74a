"""Watch order: which window closes at which entry of the ledger, with which cut.

narrow, order, feed                what is read of each entry, the order of all entries, and a part of them
watch, model_watch, registry       the fold: of all models, of one, and what is configured
spans, runs, stretch               windows of time and of counts
schedule                           calendars and cron expressions, in time zones
silence                            models that stop, or whose rate jumps
closing, passed                    what the fold says: a window closes; and where it stands
"""
