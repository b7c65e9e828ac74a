"""What is refused before anything is started or compared."""

import pytest

from modeltrail.cli.main import main
from modeltrail.cli.output import counted
from modeltrail.cli.verify import _kept
from modeltrail.errors import NotVerifiableError


def test_a_heads_file_without_heads_is_no_check(tmp_path):
    file = tmp_path / "heads.txt"
    file.write_text("modeltrail-heads/v1\n")
    with pytest.raises(NotVerifiableError, match="no heads in it"):
        _kept([file])


def test_a_directory_begun_with_apache_kafka_is_not_gone_on_with_in_memory(tmp_path, capsys):
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    assert main(["up", "--dir", str(tmp_path)]) == 2
    assert "--broker apache" in capsys.readouterr().err
    assert not (tmp_path / "tansu").exists()


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 chains"), (1, "1 chain"), (2, "2 chains"), (12_345, "12,345 chains")]
)
def test_a_number_agrees_with_its_noun(number, said):
    assert counted(number, "chain") == said
    assert counted(1, "entry", "entries") == "1 entry"
