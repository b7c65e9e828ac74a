"""The demo's directory: fresh for every demo, and never somebody's data."""

import shutil
from pathlib import Path

from modeltrail.embedded.directory import DirectoryLock, prepare_directory, write_private
from modeltrail.errors import ConfigurationError

__all__ = ["DEFAULT_DIRECTORY", "claim_directory", "directory_bytes", "is_untouched_demo", "mark_as_used"]

DEFAULT_DIRECTORY = Path("modeltrail-demo")

_MARK = "demo"
_WHAT = "the demo"
_MOST = 100


def claim_directory(wanted: Path | None) -> Path:
    """Return an empty directory for a demo: `wanted`, or the first of modeltrail-demo, modeltrail-demo-2, ...

    What an earlier demo left there is removed, unless it was used since: a directory that holds anything else
    is left alone. ConfigurationError where `wanted` is such a directory, is in use or cannot be used.
    """
    if wanted is not None:
        return _claim(wanted)
    for number in range(1, _MOST):
        directory = DEFAULT_DIRECTORY if number == 1 else DEFAULT_DIRECTORY.with_name(f"{DEFAULT_DIRECTORY}-{number}")
        if not directory.exists() or (is_untouched_demo(directory) and not _in_use(directory)):
            return _claim(directory)
    raise ConfigurationError(f"{DEFAULT_DIRECTORY} to {DEFAULT_DIRECTORY}-{_MOST - 1} are all taken: name one by --dir")


def is_untouched_demo(directory: Path) -> bool:
    """Whether `directory` holds a demo that nothing was added to, or nothing at all."""
    return directory.is_dir() and ((directory / _MARK).is_file() or not any(directory.iterdir()))


def mark_as_used(directory: Path) -> None:
    """Note that `directory` may hold more than a demo: no demo will remove it."""
    (directory / _MARK).unlink(missing_ok=True)


def directory_bytes(directory: Path) -> int:
    """Return how many bytes the files of `directory` have."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def _in_use(directory: Path) -> bool:
    try:
        DirectoryLock(directory, what=_WHAT).release()
    except ConfigurationError:
        return True
    return False


def _claim(directory: Path) -> Path:
    if directory.is_dir() and not is_untouched_demo(directory):
        raise ConfigurationError(
            f"{directory} holds more than a demo, and a demo begins with an empty directory: "
            "name another one by --dir, or remove it"
        )
    path = prepare_directory(directory, what=_WHAT)
    lock = DirectoryLock(path, what=_WHAT)
    try:
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()
        write_private(path / _MARK, "A modeltrail demo. The next demo in this directory replaces it.\n")
    except OSError as error:
        raise ConfigurationError(f"{directory}: cannot be emptied: {error.strerror}") from error
    finally:
        lock.release()
    return path
