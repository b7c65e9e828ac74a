"""Counts of earlier windows are remembered in few bytes, and come back as they were."""

import numpy as np
import pytest

from modeltrail.drift.baselines.counts import FieldCounts
from modeltrail.drift.checks.content import CountKey, Segment
from modeltrail.drift.policy.look_back import WindowCounts
from modeltrail.drift.windows.closing import Window
from modeltrail.events.checks import LookBack
from modeltrail.storage.watch.look_back import _Packed

KEYS = CountKey("feature", "a"), CountKey("feature", "b"), CountKey("score", "score", Segment("by", "x"))


@pytest.mark.parametrize(("largest", "width"), [(0, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**40, 8)])
def test_counts_come_back_whatever_their_largest(largest, width):
    counts = {
        KEYS[0]: FieldCounts.of([1, largest, 0], missing=3),
        KEYS[1]: FieldCounts.of([7 % (largest + 1)], unseen=2**50, mistyped=1),
        KEYS[2]: FieldCounts.of(np.arange(250) % (largest + 1)),
    }
    window = WindowCounts("c" * 64, Window(0, 10), "m", "b", 20, counts, LookBack(check_id="c" * 64))
    packed = _Packed(window, KEYS)
    assert packed.window() == window
    assert packed._counts.itemsize == width


def test_a_window_without_counts_comes_back():
    window = WindowCounts("c" * 64, Window(0, 10), "m", "b", 0, {}, LookBack(check_id="c" * 64))
    assert _Packed(window, ()).window() == window
