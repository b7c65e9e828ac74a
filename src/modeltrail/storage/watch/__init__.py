"""What the watch reads of the ledger, and the one path from a closing to its check.

Everything is read up to a cut, and from the ledger alone: typed tables are made of it and may lag behind. (Checks are
the exception: they are read as a cache, and computed again where they are not there.)

ledger                         what the live watch asks (`watch.protocols.Ledger`)
frontiers, narrow, history     how far chains are there; entries for the fold; what a restart asks
compute                        from a closing to its check, with look_back, the counts of earlier windows
scope, pieces, content         which entries a window has, how they are cut up, and what they say
sample, spool                  all rows of a baseline; where scores wait that are many
replay, recompute, from_start  a back-test; a check again by its own words; a check again from the first entry on
reader, records                bounded queries, and events that are looked up whole
"""
