"""The table of attacks in README.md is current."""

from pathlib import Path

from tests.ledger.tampering_wholes import ATTACKS

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- the table begins -->\n", "<!-- the table ends -->\n"


def table():
    """One line an attack: the columns are asserted, one by one, by `tests/integration/verification/test_attacks.py`."""
    lines = ["| what is done | found by SQL | found by --recompute | first bad position | finding | needs kept heads |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for attack in ATTACKS:
        chain = f"{attack.chain.partition}/{attack.chain.epoch}-{attack.chain.first_offset}"
        cells = (
            attack.name,
            "no: that takes the whole contract" if attack.only_here else "yes",
            "yes",
            f"{chain} seq {attack.seq}",
            attack.kind.value,
            "yes" if attack.needs_heads else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def written(text):
    begin, _, rest = text.partition(BEGIN)
    _, _, end = rest.partition(END)
    return f"{begin}{BEGIN}{table()}{END}{end}"


def test_the_table_in_the_readme_is_current():
    """Run `python -m tests.ledger.test_attack_table` to write it anew."""
    text = README.read_text(encoding="utf-8")
    assert text == written(text)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
