"""The local store as a process of its own: `python -m modeltrail.embedded.store --dir D [--port P] [--scratch]`.

It prints one line once it answers, writes its address to `<dir>/address.json`, and ends on SIGTERM or SIGINT
after the running queries. State survives any end. Exit codes: 0, 2 for what the caller can mend.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from modeltrail.embedded.credentials import Role, obtain_credentials
from modeltrail.embedded.directory import LOOPBACK, DirectoryLock, prepare_directory, require_free_port, write_private
from modeltrail.embedded.engine import Engine
from modeltrail.embedded.front_http import Front
from modeltrail.errors import ConfigurationError, ModeltrailError

__all__ = ["DATABASE", "main"]

DATABASE = "modeltrail"
_WHAT = "the local store"
_NEEDED_BYTES = 64 << 20


def main(arguments: list[str] | None = None) -> int:
    """Run the store until it is told to end; return the exit code."""
    options = _options(arguments)
    try:
        return _run(options.dir, options.port, scratch=options.scratch, finish_seconds=options.finish_seconds)
    except ModeltrailError as error:
        sys.stderr.write(f"modeltrail: {error}\n")
        return error.exit_code


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m modeltrail.embedded.store", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--dir", type=Path, required=True, help="where the tables and the credentials are kept")
    parser.add_argument("--port", type=int, default=0, help="HTTP port on 127.0.0.1 (0: a free one)")
    parser.add_argument("--scratch", action="store_true", help="add a user that may do everything, for tampering")
    parser.add_argument("--finish-seconds", type=float, default=30.0, help="how long to wait for queries at the end")
    return parser.parse_args(arguments)


def _run(directory: Path, port: int, *, scratch: bool, finish_seconds: float) -> int:
    directory = prepare_directory(directory, what=_WHAT, needed_bytes=_NEEDED_BYTES)
    lock = DirectoryLock(directory, what=_WHAT)
    if port:
        require_free_port(port, what=_WHAT)
    credentials = obtain_credentials(directory)
    if not scratch:
        del credentials[Role.SCRATCH]
    spool = directory / "spool"
    spool.mkdir(exist_ok=True)
    engine = Engine(prepare_directory(directory / "data", what=_WHAT))
    engine.create_database(DATABASE)
    try:
        front = Front(port, engine, credentials, database=DATABASE, spool=spool)
    except OSError as error:
        raise ConfigurationError(f"{_WHAT}: port {port} cannot be used: {error.strerror}") from error
    idle = _serve(front, directory, finish_seconds, scratch=scratch)
    if not idle:
        sys.stderr.write(f"modeltrail: queries still ran after {finish_seconds:g} s and were cut off\n")
        sys.stderr.flush()
        os._exit(1)
    engine.close()
    lock.release()
    # Threads of kept-alive connections and of the engine would only delay the end.
    sys.stdout.flush()
    os._exit(0)


def _serve(front: Front, directory: Path, finish_seconds: float, *, scratch: bool) -> bool:
    finished: list[bool] = []

    def finish() -> None:
        finished.append(front.finish(seconds=finish_seconds))

    def on_signal(_number: int, _frame: object) -> None:
        if not finishing.is_alive() and not finished:
            finishing.start()

    finishing = threading.Thread(target=finish, name="finish")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    port = front.server_address[1]
    address = {"host": LOOPBACK, "port": port, "pid": os.getpid(), "scratch": scratch}
    write_private(directory / "address.json", json.dumps(address) + "\n")
    notice = "with a user who may do everything" if scratch else "for development"
    sys.stdout.write(f"modeltrail local store, {notice}: http://{LOOPBACK}:{port} ({directory})\n")
    sys.stdout.flush()
    front.serve_forever(poll_interval=0.05)
    finishing.join()
    return finished[0]


if __name__ == "__main__":
    sys.exit(main())
