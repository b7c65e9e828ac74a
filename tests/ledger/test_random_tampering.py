"""Ledgers of any shape, tampered with anywhere: found at the first bad position, and nothing else is."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.in_memory import faults, verify
from tests.ledger.random_tampering import random_ledger, tamper

SEEDS = st.integers(0, 2**32)


def first_faults(ledger):
    """The first bad position of each chain that has one, by its text."""
    found = {}
    for one in sorted(faults(verify(ledger)), key=lambda one: one.order):
        found.setdefault(one.chain, one.seq)
    return found


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_a_genuine_ledger_of_any_shape_holds(seed):
    assert first_faults(random_ledger(Random(seed), "cluster")) == {}


@settings(max_examples=400, deadline=None)
@given(SEEDS)
def test_tampering_anywhere_is_found_at_its_first_position(seed):
    random = Random(seed)
    ledger = random_ledger(random, "cluster")
    expected = tamper(random, ledger)
    found = first_faults(ledger)
    if expected.needs_heads:
        assert found == {}
        return
    assert found.pop(str(expected.chain)) == expected.seq, expected.what
    # An epoch that commits to what was changed does not fit it any more.
    later = {str(chain) for chain in ledger if chain.of == expected.chain.of and chain.epoch > expected.chain.epoch}
    assert found.keys() <= later
    assert set(found.values()) <= {0}


def test_all_ways_of_tampering_are_drawn():
    drawn = {tamper(random, random_ledger(random, "cluster")).what for random in map(Random, range(300))}
    assert len(drawn) >= 30
