import os
import stat

import pytest

from modeltrail.embedded.directory import DirectoryLock, prepare_directory, write_private
from modeltrail.errors import ConfigurationError


def test_a_directory_is_made_for_its_owner_only(tmp_path):
    made = prepare_directory(tmp_path / "a" / "b", what="x")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert list(made.iterdir()) == []


def test_too_little_space_is_said_in_one_line(tmp_path):
    with pytest.raises(ConfigurationError, match="MiB of free disk space") as refused:
        prepare_directory(tmp_path, what="x", needed_bytes=1 << 62)
    assert len(str(refused.value).splitlines()) == 1


def test_a_lock_names_its_holder_and_can_be_let_go(tmp_path):
    lock = DirectoryLock(tmp_path, what="x")
    with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
        DirectoryLock(tmp_path, what="x")
    lock.release()
    lock.release()
    DirectoryLock(tmp_path, what="x").release()


def test_a_private_file_is_replaced_in_one_step(tmp_path):
    write_private(tmp_path / "f", "one")
    write_private(tmp_path / "f", "two")
    assert (tmp_path / "f").read_text() == "two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
