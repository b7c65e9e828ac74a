"""What the watch reads of the ledger, and the one path from a closing to its check.

Everything is read up to a cut, and from the ledger alone: typed tables are made of it and may lag behind. (Checks are
the exception: they are read as a cache, and computed again where they are not there.)
"""
