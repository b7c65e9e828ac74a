"""How fast, how much memory: `modeltrail bench`.

Machines differ and are shared, so a figure alone says little: each benchmark measures its peers beside it, in the same
run and in interleaved rounds, and reports medians and ratios. Tests assert results, never timings.
"""
