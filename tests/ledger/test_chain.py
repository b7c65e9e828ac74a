"""The name of a chain: what the formatter writes is read, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.ledger.chain import Chain, PartitionId, check_cluster_id, format_chain, parse_chain

PRINTABLE = [chr(code) for code in range(0x21, 0x7F) if chr(code) != "/"]
CHAINS = st.builds(
    Chain,
    st.text(st.sampled_from(PRINTABLE), min_size=1, max_size=30),
    st.from_regex(r"[A-Za-z0-9._-]{1,249}", fullmatch=True),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**63 - 1),
)

BAD = {
    "empty": "",
    "no cluster": "/t/0/0-0",
    "no topic": "c//0/0-0",
    "no partition": "c/t//0-0",
    "no epoch": "c/t/0/-0",
    "no first offset": "c/t/0/0-",
    "a part missing": "c/t/0",
    "a part too many": "c/t/0/0-0/1",
    "leading zero in partition": "c/t/00/0-0",
    "leading zero in epoch": "c/t/0/01-0",
    "leading zero in offset": "c/t/0/0-01",
    "plus sign": "c/t/+1/0-0",
    "minus sign": "c/t/0/0--1",
    "underscore in a number": "c/t/1_000/0-0",
    "space around": " c/t/0/0-0",
    "trailing newline": "c/t/0/0-0\n",
    "newline inside": "c\n/t/0/0-0",
    "NUL": "c\0/t/0/0-0",
    "space in the cluster": "my cluster/t/0/0-0",
    "umlaut in the cluster": "clüster/t/0/0-0",
    "topic that Kafka refuses": "c/a topic/0/0-0",
    "topic too long": f"c/{'t' * 250}/0/0-0",
    "digits of another script": "c/t/٣/0-0",
    "partition beyond 32 bits": f"c/t/{2**32}/0-0",
    "epoch beyond 32 bits": f"c/t/0/{2**32}-0",
    "offset beyond 63 bits": f"c/t/0/0-{2**63}",
    "twenty digits": "c/t/0/0-10000000000000000000",
    "hex": "c/t/0x1/0-0",
    "decimal point": "c/t/0/0-1.0",
    "other dash": "c/t/0/0\u20130",
}


@given(CHAINS)
def test_what_is_formatted_is_read_back(chain):
    assert parse_chain(format_chain(chain)) == chain
    assert str(chain) == format_chain(chain)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_anything_else_is_refused_and_named(text):
    with pytest.raises(ValueError) as refused:
        parse_chain(text)
    assert repr(text) in str(refused.value)


@given(CHAINS, st.data())
def test_one_changed_character_is_refused_or_another_chain(chain, data):
    text = format_chain(chain)
    place = data.draw(st.integers(0, len(text) - 1))
    other = text[:place] + data.draw(st.characters(max_codepoint=0x17F)) + text[place + 1 :]
    try:
        read = parse_chain(other)
    except ValueError:
        return
    assert format_chain(read) == other
    assert (read == chain) == (other == text)


def test_epochs_compare_as_numbers_not_as_text():
    ninth, tenth = Chain("c", "t", 0, 9, 5), Chain("c", "t", 0, 10, 5)
    assert ninth.order < tenth.order
    assert str(ninth) > str(tenth)
    assert Chain("c", "t", 0, 9, 10).order > ninth.order


def test_a_partition_names_the_beginning_of_its_chains():
    partition = PartitionId("c", "t", 3)
    chain = Chain("c", "t", 3, 1, 7)
    assert chain.of == partition
    assert str(chain).startswith(partition.prefix)
    assert not str(Chain("c", "t", 33, 1, 7)).startswith(partition.prefix)
    assert str(partition) == "t/3"


@pytest.mark.parametrize("cluster", ["", "a/b", "a b", "a\n", "ä", "a\x7f", "a\0"])
def test_a_cluster_id_that_could_not_be_chained_is_refused(cluster):
    with pytest.raises(ValueError, match="cluster id"):
        check_cluster_id(cluster)


def test_a_cluster_id_as_kafka_makes_them_is_accepted():
    assert check_cluster_id("Nk018hRAQFytWskYqtQduw") == "Nk018hRAQFytWskYqtQduw"
