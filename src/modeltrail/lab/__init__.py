"""A seeded simulator of everything around the commit protocol: see `modeltrail.lab.run`."""
