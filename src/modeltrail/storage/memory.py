"""Memory that a worker needs for a moment goes back to the system.

A block of fifty thousand rows is built in Arrow's memory and sent from it: a hundred megabytes for a tenth of a second,
every second. Arrow's own allocator keeps them for later, and the C library would, too, once it has seen a few such
blocks. Here they come from the C library, large pieces straight from the system, and what is free at the top of its
heaps is given back after each block.
"""

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator
from functools import cache

import pyarrow as pa

__all__ = ["give_back", "keep_little"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_LARGE = 1 << 20
_ARENAS = 2


def keep_little() -> None:
    """Set up this process so; harmless to repeat. Other C libraries keep their own ways.

    To be called before the first array: at that, Arrow imports pandas where it is installed, which takes fifty
    megabytes and is of no use here. So it does not find it that one time.
    """
    with _no_pandas():
        pa.array([""])
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)  # set once, it does not grow with what is freed
    mallopt(_M_TRIM_THRESHOLD, _LARGE)
    mallopt(_M_ARENA_MAX, _ARENAS)


class _NoPandas:
    """A finder of modules that ends the search for pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


@contextlib.contextmanager
def _no_pandas() -> Iterator[None]:
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def give_back() -> None:
    """Give free memory of the C library's heaps back to the system: some milliseconds."""
    _trim()(0)


@cache
def _trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return lambda _pad: None
    return trim
