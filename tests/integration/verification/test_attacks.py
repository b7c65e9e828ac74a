"""Every named attack on the real engine, in both modes, with kept heads and without.

Each attack is done to a ledger of its own, on a cluster of its own; all of them stand in one table and are verified
together, four times in all.
"""

import pytest

from tests.integration.verification.scratch import MODES, check, faults_of, heads_of, insert, scratch_database
from tests.ledger.genuine import genuine
from tests.ledger.tampering_wholes import ATTACKS

LEDGERS = {attack.name: genuine(f"attack-{number}") for number, attack in enumerate(ATTACKS)}
HEADS = {name: heads_of(ledger) for name, ledger in LEDGERS.items()}


@pytest.fixture(scope="session")
def verified(scratch_store):
    """Reports of all attacks together by mode and by whether heads were kept, and one of the genuine ledgers."""
    client = scratch_database(scratch_store, "attacks", whole=False)
    insert(client, {chain: rows for ledger in LEDGERS.values() for chain, rows in ledger.items()})
    kept = [head for heads in HEADS.values() for head in heads]
    reports = {(mode, "genuine"): check(client, recompute=mode, heads=kept) for mode in (False, True)}
    client.command("TRUNCATE TABLE ledger")
    tampered = {}
    for attack in ATTACKS:
        ledger = LEDGERS[attack.name].copy()
        attack.do(ledger)
        tampered.update(ledger)
    insert(client, tampered)
    for mode in (False, True):
        reports[mode, "alone"] = check(client, recompute=mode)
        reports[mode, "heads"] = check(client, recompute=mode, heads=kept)
    client.close()
    return reports


@MODES
def test_the_ledgers_hold_before_they_are_attacked(verified, recompute):
    report = verified[recompute, "genuine"]
    assert [chain.chain for chain in report.chains if chain.told()] == []
    assert report.verdict.exit_code == 0
    assert report.heads_checked == sum(map(len, HEADS.values()))


@MODES
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_found_at_its_first_position(verified, attack, recompute):
    ledger = LEDGERS[attack.name]
    chain = str(ledger.own(attack.chain))
    alone = faults_of(verified[recompute, "alone"], ledger.cluster)
    with_heads = faults_of(verified[recompute, "heads"], ledger.cluster)
    if attack.only_here and not recompute:
        assert alone == with_heads == {}
        assert any("rightly accepted or rejected" in line for line in verified[recompute, "alone"].not_proven)
        return
    if attack.needs_heads:
        assert alone == {}
        assert any("No kept heads" in line for line in verified[recompute, "alone"].not_proven)
    else:
        assert alone[chain][0] == (attack.seq, attack.kind)
    assert with_heads[chain][0] == (attack.seq, attack.kind)


@MODES
def test_what_was_tampered_with_ends_with_three(verified, recompute):
    assert verified[recompute, "alone"].verdict.exit_code == verified[recompute, "heads"].verdict.exit_code == 3
