-- What a forger computes: the hashes of every entry from the changed one on.
CREATE TABLE forged (seq Int64, prev_hash FixedString(32), entry_hash FixedString(32)) ENGINE = Join(ANY, LEFT, seq)
