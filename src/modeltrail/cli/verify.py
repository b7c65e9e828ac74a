"""`modeltrail verify`: whether the ledger is what was chained, and what that does not prove."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Meter, Output, SetOption, counted, examples, settings_of
from modeltrail.errors import ConfigurationError, NotVerifiableError

if TYPE_CHECKING:
    from modeltrail.ledger.heads import KeptHead
    from modeltrail.ledger.report import ChainReport, Report

__all__ = ["register", "show_report"]

_ANSWER_TIMEOUT_S = 900
"""A typed table is compared in one query; ClickHouse may take its time for it."""

_CHAINS_SHOWN = 40


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "verify",
        epilog=examples(
            "modeltrail verify --heads heads-2026-01-31.txt",
            "modeltrail verify --recompute --json",
            "modeltrail verify --chain modeltrail.predictions/0 --from 1000 --to 2000",
        ),
    )(verify)


def verify(
    chain: Annotated[
        str | None,
        typer.Option("--chain", metavar="CHAIN", help="Only this chain, or TOPIC/PARTITION or TOPIC/PARTITION/EPOCH."),
    ] = None,
    first: Annotated[int | None, typer.Option("--from", metavar="SEQ", min=0, help="First position.")] = None,
    last: Annotated[int | None, typer.Option("--to", metavar="SEQ", min=0, help="Last position.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only entries since this log time: ISO 8601, or milliseconds."),
    ] = None,
    heads: Annotated[
        list[Path] | None,
        typer.Option("--heads", metavar="FILE", help="Heads that were kept with `modeltrail heads`; may be repeated."),
    ] = None,
    projections: Annotated[
        bool | None,
        typer.Option(
            "--projections/--no-projections",
            help="Compare with the records what stands beside them: the typed tables and, in ClickHouse, status and"
            " envelope (default: where whole chains are verified).",
        ),
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute every hash here, from the raw bytes, not in ClickHouse.")
    ] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Verify every hash, link, position, offset and epoch of the ledger, and the typed tables.

    Never writes. Ends with 0 only if something was checked and all of it holds, with 3 on tampering, with 4 if there
    was nothing to check or it could not be checked whole.
    """
    from modeltrail.events.judge import CONTRACT_VERSION, judge
    from modeltrail.storage.client import connect
    from modeltrail.storage.projections import projections as shipped_views
    from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger

    if first is not None and last is not None and first > last:
        raise ConfigurationError(f"--from {first} is greater than --to {last}")
    request = VerifyRequest(
        chain=chain,
        first=first,
        last=last,
        since=None if since is None else _milliseconds(since),
        heads=None if not heads else _kept(heads),
        projections=projections,
        recompute=recompute,
        judge=judge,
        contract=CONTRACT_VERSION,
    )
    settings = settings_of(config, set_)
    out = Output(json=json)
    client = connect(settings.clickhouse, answer_timeout_s=_ANSWER_TIMEOUT_S)
    try:
        with ExitStack() as shown:
            report = verify_ledger(client, request, views=shipped_views(), progress=_progress(out, shown))
    finally:
        client.close()
    show_report(out, report)
    raise typer.Exit(report.verdict.exit_code)


def _milliseconds(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"--since {text!r}: expected a time as in 2026-01-31T00:00:00Z, or milliseconds since 1970"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _kept(files: list[Path]) -> "list[KeptHead]":
    """Read files of kept heads. Two that contradict each other are both looked for: one of them cannot fit."""
    from modeltrail.ledger.heads import parse_heads

    heads: set[KeptHead] = set()
    for file in files:
        try:
            kept = parse_heads(file.read_bytes().decode("ascii"))
        except OSError as error:
            raise ConfigurationError(f"--heads {file}: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigurationError(f"--heads {file}: not a file of kept heads: {error}") from error
        if not kept:
            raise NotVerifiableError(f"--heads {file}: there are no heads in it, so nothing can be compared with it")
        heads.update(kept)
    return sorted(heads)


def _progress(out: Output, shown: ExitStack) -> Callable[[str, int, int], None]:
    stage = ""
    counted = 0
    meter: Meter | None = None

    def progress(now: str, done: int, total: int) -> None:
        nonlocal stage, counted, meter
        if meter is None or now != stage:
            shown.close()
            stage, counted = now, 0
            meter = shown.enter_context(out.progress(f"Verifying {now}", total=total, unit="entries"))
        meter.advance(done - counted)
        counted = done

    return progress


def show_report(out: Output, report: "Report") -> None:
    """Print a report: for people what was checked, what was found, what was not proven, and the verdict last."""
    if out.json_mode:
        out.result(report.as_json())
        return
    _show_chains(out, report)
    for found in report.findings:
        out.line(f"{found.chain or 'ledger'}{_at(found.seq)}: {found.text}", style="bold red")
    compared = [each for each in report.projections if each.rows or each.missing or each.differing or each.extra]
    if compared:
        rows = [(each.table, each.rows, each.missing, each.differing, each.extra) for each in compared]
        out.table(["typed table", "rows", "missing", "differing", "extra"], rows)
    if report.not_proven:
        out.line("Not proven:")
        for sentence in report.not_proven:
            out.line(f"  - {sentence}")
    _show_verdict(out, report)


def _show_chains(out: Output, report: "Report") -> None:
    from modeltrail.ledger.findings import Severity

    def state(chain: "ChainReport") -> str:
        if chain.first_fault is not None:
            return "TAMPERED"
        incomplete = any(kind.severity is Severity.INCOMPLETE for kind in chain.counts)
        return "not whole" if incomplete else "holds"

    told = [chain for chain in report.chains if chain.counts]
    shown = report.chains if len(report.chains) <= _CHAINS_SHOWN else told[:_CHAINS_SHOWN]
    if shown:
        rows = [(chain.chain, f"{chain.first_seq}-{chain.last_seq}", chain.entries, state(chain)) for chain in shown]
        out.table(["chain", "seq", "entries", ""], rows)
    if len(shown) < len(report.chains):
        out.line(f"... and {counted(len(report.chains) - len(shown), 'chain')} more")
    for chain in told[:_CHAINS_SHOWN]:
        kinds = set()
        for found in chain.told():
            if found.kind in kinds:
                continue  # the first of a kind says where to look; the count says how many there are
            kinds.add(found.kind)
            times = chain.counts[found.kind]
            more = f" ({times} such findings)" if times > 1 else ""
            style = "bold red" if found.kind.severity is Severity.FAULT else "yellow"
            out.line(f"{found.kind.severity}: {chain.chain}{_at(found.seq)}: {found.text}{more}", style=style)


def _at(seq: int | None) -> str:
    return "" if seq is None else f" seq {seq}"


def _show_verdict(out: Output, report: "Report") -> None:
    from modeltrail.ledger.report import Verdict

    where = "here, from the raw bytes" if report.mode == "recompute" else "in ClickHouse"
    rate = f", {report.entries / report.seconds:,.0f} entries/s" if report.seconds > 0 else ""
    entries, chains = counted(report.entries, "entry", "entries"), counted(len(report.chains), "chain")
    checked = f"{entries} of {chains} checked {where} in {report.seconds:.1f} s{rate}"
    if report.repeats:
        checked += f"; {counted(report.repeats, 'row')} repeated"
    if report.heads_checked:
        checked += f"; {counted(report.heads_checked, 'kept head')}"
    out.line(checked)
    if report.verdict is Verdict.HOLDS:
        out.line("VERIFIED: all of it holds.", style="bold green")
    elif report.verdict is Verdict.TAMPERED:
        out.line("TAMPERED: the ledger is not what was chained.", style="bold red")
    else:
        out.line("NOT WHOLE: nothing contradicts, but not everything could be checked.", style="bold yellow")
