"""What a block took goes back to the system, not into an allocator's store."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import modeltrail
from modeltrail.storage import memory

PROGRAM = """
import sys
import numpy, pyarrow as pa
from modeltrail.storage.memory import give_back, keep_little

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 2**20

keep_little()
keep_little()
texts = ["x" * 300] * 50_000
pa.array(texts[:1])  # what it loads for that stays
before = resident()
for _ in range(5):
    arrays = [pa.array(texts) for _ in range(6)]
    held = resident()
    del arrays
    give_back()
print(held - before, resident() - before)
assert "pandas" not in sys.modules
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the allocator of glibc")
def test_a_block_of_a_hundred_megabytes_leaves_little_behind() -> None:
    source = Path(modeltrail.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env={"PYTHONPATH": str(source)}
    )
    held, left = map(float, done.stdout.split())
    assert held > 80
    assert left < 20


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    memory._trim.cache_clear()
    memory.keep_little()
    memory.give_back()
    memory._trim.cache_clear()
