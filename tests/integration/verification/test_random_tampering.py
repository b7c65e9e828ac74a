"""Ledgers of any shape tampered with anywhere, on the real engine: dozens in one table, verified four times in all.

Blocks are of any size and come in any order, and zombies have written some of them again.
"""

from random import Random

import pytest

from tests.integration.verification.scratch import MODES, check, faults_of, heads_of, insert, scratch_database
from tests.ledger.random_tampering import random_ledger, tamper

SEEDS = range(60)


def insert_in_blocks(client, random, ledgers, blocks):
    """Insert all rows in blocks of random chains and sizes; every fifth row is written again somewhere."""
    rows = [(chain, row) for ledger in ledgers for chain, of_chain in ledger.items() for row in of_chain]
    rows += random.sample(rows, len(rows) // 5)
    cuts = sorted(random.sample(range(1, len(rows)), blocks - 1))
    parts = [rows[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    random.shuffle(parts)
    for number, part in enumerate(parts):
        block = {}
        for chain, row in part:
            block.setdefault(chain, []).append(row)
        insert(client, block, appended_at=1_388_534_500_000 + number * 20 * 86_400_000)


@pytest.fixture(scope="session")
def verified(scratch_store):
    random = Random(4)
    client = scratch_database(scratch_store, "anywhere", whole=False)
    client.command("SYSTEM STOP MERGES ledger")
    ledgers = [random_ledger(Random(seed), f"seed-{seed}") for seed in SEEDS]
    kept = [head for ledger in ledgers for head in heads_of(ledger)]
    insert_in_blocks(client, random, ledgers, 9)
    reports = {(mode, "genuine"): check(client, recompute=mode, heads=kept) for mode in (False, True)}
    client.command("TRUNCATE TABLE ledger")
    expected = [tamper(Random(1000 + seed), ledger) for seed, ledger in zip(SEEDS, ledgers, strict=True)]
    insert_in_blocks(client, random, ledgers, 9)
    for mode in (False, True):
        reports[mode, "alone"] = check(client, recompute=mode)
        reports[mode, "heads"] = check(client, recompute=mode, heads=kept)
    client.close()
    return reports, expected


@MODES
def test_genuine_ledgers_in_blocks_of_any_size_hold(verified, recompute):
    reports, _ = verified
    report = reports[recompute, "genuine"]
    assert {chain.chain: chain.told() for chain in report.chains if chain.first_fault} == {}
    assert report.verdict.exit_code == 0
    assert report.repeats > 0


@MODES
@pytest.mark.parametrize("seed", SEEDS)
def test_tampering_anywhere_is_found_at_its_first_position(verified, seed, recompute):
    reports, expected = verified
    what, chain, seq, needs_heads = expected[seed]
    alone = faults_of(reports[recompute, "alone"], chain.cluster)
    with_heads = faults_of(reports[recompute, "heads"], chain.cluster)
    if needs_heads:
        assert alone == {}
    else:
        assert alone[str(chain)][0][0] == seq, what
    assert with_heads[str(chain)][0][0] == seq, what


def test_both_modes_find_the_same(verified):
    """But for what a change of status leaves, which only a judge can tell."""
    reports, _ = verified
    in_sql, here = (
        {chain.chain: chain.first_fault for chain in reports[mode, "alone"].chains} for mode in (False, True)
    )
    places = [{name: fault and fault.seq for name, fault in found.items()} for found in (in_sql, here)]
    assert places[0] == places[1]
