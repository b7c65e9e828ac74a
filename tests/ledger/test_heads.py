"""The heads file: what the formatter writes is read, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltrail.ledger.heads import HEADS_HEADER, KeptHead, format_heads, parse_heads

CHAIN = st.builds(
    "{}/{}/{}/{}-{}".format,
    st.sampled_from(["c", "Nk018hRAQFytWskYqtQduw", "!"]),
    st.sampled_from(["modeltrail.predictions", "t"]),
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 2**63 - 1),
)
HEAD = st.builds(KeptHead, CHAIN, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
HEADS = st.lists(HEAD, max_size=8, unique_by=lambda head: head[:2])

ONE = KeptHead("c/t/0/0-0", 4, bytes(range(32)))
TWO = KeptHead("c/t/0/0-0", 9, bytes(32))
THREE = KeptHead("c/t/1/2-77", 0, b"\xff" * 32)
TEXT = format_heads([THREE, ONE, TWO])

LINE = f"{'0' * 64} 1 c/t/0/0-0\n"
BAD = {
    "empty file": "",
    "only a newline": "\n",
    "no header": LINE,
    "another version": f"modeltrail-heads/v2\n{LINE}",
    "byte order mark": f"\ufeff{HEADS_HEADER}\n{LINE}",
    "cut off in the last line": TEXT[:-1],
    "cut off within a hash": TEXT[:40],
    "carriage return": TEXT.replace("\n", "\r\n"),
    "blank line": f"{HEADS_HEADER}\n\n{LINE}",
    "blank line at the end": f"{HEADS_HEADER}\n{LINE}\n",
    "comment": f"{HEADS_HEADER}\n# kept on Monday\n{LINE}",
    "upper case hash": f"{HEADS_HEADER}\n{'A' * 64} 1 c/t/0/0-0\n",
    "short hash": f"{HEADS_HEADER}\n{'0' * 62} 1 c/t/0/0-0\n",
    "long hash": f"{HEADS_HEADER}\n{'0' * 66} 1 c/t/0/0-0\n",
    "leading zero": f"{HEADS_HEADER}\n{'0' * 64} 01 c/t/0/0-0\n",
    "negative seq": f"{HEADS_HEADER}\n{'0' * 64} -1 c/t/0/0-0\n",
    "underscore in seq": f"{HEADS_HEADER}\n{'0' * 64} 1_0 c/t/0/0-0\n",
    "seq beyond 63 bits": f"{HEADS_HEADER}\n{'0' * 64} {2**63} c/t/0/0-0\n",
    "two spaces": f"{HEADS_HEADER}\n{'0' * 64}  1 c/t/0/0-0\n",
    "trailing space": f"{HEADS_HEADER}\n{'0' * 64} 1 c/t/0/0-0 \n",
    "tab": f"{HEADS_HEADER}\n{'0' * 64}\t1\tc/t/0/0-0\n",
    "no chain": f"{HEADS_HEADER}\n{'0' * 64} 1\n",
    "not a chain": f"{HEADS_HEADER}\n{'0' * 64} 1 c/t/0\n",
    "the same line twice": f"{HEADS_HEADER}\n{LINE}{LINE}",
    "two hashes at one position": f"{HEADS_HEADER}\n{LINE}{'1' * 64} 1 c/t/0/0-0\n",
    "descending seq": f"{HEADS_HEADER}\n{'0' * 64} 2 c/t/0/0-0\n{LINE}",
    "descending chain": f"{HEADS_HEADER}\n{'0' * 64} 1 c/t/1/0-0\n{LINE}",
    "another line separator": f"{HEADS_HEADER}\n{'0' * 64} 1 c/t/0/0-0\u2028\n",
}


@given(HEADS)
def test_what_is_formatted_is_read_back(heads):
    assert parse_heads(format_heads(heads)) == sorted(heads)


@given(HEADS, st.randoms())
def test_the_order_in_which_heads_are_given_does_not_matter(heads, random):
    shuffled = [*heads, *heads]
    random.shuffle(shuffled)
    assert format_heads(shuffled) == format_heads(heads)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="heads"):
        parse_heads(text)


def test_every_changed_byte_is_refused_or_means_something_else():
    for place in range(len(TEXT)):
        for other in {chr(ord(TEXT[place]) ^ 1), " ", "\n", "0", "é", ""} - {TEXT[place]}:
            text = TEXT[:place] + other + TEXT[place + 1 :]
            try:
                heads = parse_heads(text)
            except ValueError:
                continue
            assert format_heads(heads) == text
            assert heads != [ONE, TWO, THREE]


def test_a_wrong_line_is_named():
    with pytest.raises(ValueError, match="line 3"):
        parse_heads(f"{HEADS_HEADER}\n{LINE}oops\n")


def test_heads_that_contradict_each_other_are_not_written():
    with pytest.raises(ValueError, match="contradict"):
        format_heads([ONE, ONE._replace(entry_hash=bytes(32))])


def test_no_heads_at_all_are_a_file_too():
    assert parse_heads(format_heads([])) == []


@pytest.mark.parametrize(
    "head",
    [ONE._replace(seq=-1), ONE._replace(seq=2**63), ONE._replace(entry_hash=b""), ONE._replace(chain="c/t/0/0-0\n")],
)
def test_what_could_not_be_read_is_not_written(head):
    with pytest.raises(ValueError):
        format_heads([head])
