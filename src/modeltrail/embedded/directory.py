"""The directory of an embedded part: made, checked to be writable, and held by one process at a time."""

import errno
import fcntl
import os
import shutil
import socket
from pathlib import Path

from modeltrail.errors import ConfigurationError

__all__ = ["LOOPBACK", "DirectoryLock", "free_port", "prepare_directory", "require_free_port", "write_private"]

LOOPBACK = "127.0.0.1"


def prepare_directory(directory: Path, *, what: str, needed_bytes: int = 0) -> Path:
    """Make `directory` (with its parents, readable by its owner only) and return its absolute path.

    `what` names its user in messages. Raises ConfigurationError when it cannot be made or written, or when
    the file system has less than `needed_bytes` to spare.
    """
    path = directory.expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / f".probe-{os.getpid()}"
        probe.write_bytes(b"modeltrail")
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(f"{what}: the directory {path} cannot be used: {_reason(error)}") from error
    free = shutil.disk_usage(path).free
    if free < needed_bytes:
        raise ConfigurationError(
            f"{what}: {path} has {free // 2**20} MiB of free disk space, {needed_bytes // 2**20} MiB are needed"
        )
    return path


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "there is a file of that name"
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if isinstance(error, PermissionError):
        return "no permission to write there"
    return error.strerror or str(error)


class DirectoryLock:
    """Holds `<directory>/lock` (flock) until `release()` or until this process ends, however it ends."""

    def __init__(self, directory: Path, *, what: str) -> None:
        """Take the lock, or raise ConfigurationError that names the process which holds it."""
        self._path = directory / "lock"
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{what}: the directory {directory} cannot be used: {_reason(error)}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise ConfigurationError(
                f"{what}: the directory {directory} is in use by process {holder}: stop it, or choose another directory"
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the directory go; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def free_port() -> int:
    """Return a port of the loopback address that was free a moment ago; somebody may take it before you do."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int, *, what: str) -> None:
    """Raise ConfigurationError, naming `what` and the port, if something listens on it or it is not allowed."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            reason = (
                "is in use by another program"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used: {_reason(error)}"
            )
            raise ConfigurationError(f"{what}: port {port} {reason}; choose another") from error


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, readable by its owner only; a crash leaves the old file or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
