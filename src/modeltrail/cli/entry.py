"""`modeltrail entry`: one entry with its event, its hashes and its neighbours."""

import json as json_text
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from modeltrail.cli.output import ConfigOption, JsonOption, Output, SetOption, examples, settings_of
from modeltrail.errors import ConfigurationError

if TYPE_CHECKING:
    from modeltrail.ledger.row import Row
    from modeltrail.storage.verify_entry import EntryFound
    from modeltrail.storage.verify_reader import LedgerReader, Position

__all__ = ["register"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_BYTES = 4000
_ENVELOPE = ("source", "id", "type", "subject", "actor", "tenant")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "entry",
        epilog=examples(
            "modeltrail entry modeltrail.predictions/0 17",
            "modeltrail entry --id airline/delays flight-4711",
            "modeltrail entry --hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    )(entry)


def entry(
    place: Annotated[
        str | None,
        typer.Argument(metavar="TOPIC/PARTITION", help="Its newest chain; TOPIC/PARTITION/EPOCH for an older one."),
    ] = None,
    seq: Annotated[int | None, typer.Argument(metavar="SEQ", min=0, help="Position in the chain.")] = None,
    event: Annotated[
        tuple[str, str] | None, typer.Option("--id", metavar="SOURCE ID", help="The event of this source and id.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--hash", metavar="HASH", help="The entry with this hash, 64 hex digits.")
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show an entry: its event, its hashes, whether they compute again, and the entries beside it.

    Ends with 3 if what stands there does not follow from its own content.
    """
    from modeltrail.events.judge import CONTRACT_VERSION, judge
    from modeltrail.ledger.findings import Severity
    from modeltrail.storage.client import connect
    from modeltrail.storage.verify_entry import read_entry
    from modeltrail.storage.verify_reader import LedgerReader

    if (place is None) != (seq is None) or sum(given is not None for given in (place, event, digest)) != 1:
        raise ConfigurationError("expected one of: TOPIC/PARTITION SEQ, --id SOURCE ID, --hash HASH")
    settings = settings_of(config, set_)
    client = connect(settings.clickhouse)
    try:
        reader = LedgerReader(client)
        position, *others = _positions(reader, place, seq, event, digest)
        found = read_entry(reader, position, judge=judge, contract=CONTRACT_VERSION)
    finally:
        client.close()
    out = Output(json=json)
    if json:
        out.result(_document(found, others))
    else:
        _show(out, found, others)
    faulty = any(one.kind.severity is Severity.FAULT for one in found.findings)
    raise typer.Exit(3 if faulty else 0)


def _positions(
    reader: "LedgerReader",
    place: str | None,
    seq: int | None,
    event: tuple[str, str] | None,
    digest: str | None,
) -> "list[Position]":
    from modeltrail.storage.verify_entry import find_by_hash, find_by_id, find_position

    if place is not None and seq is not None:
        return [find_position(reader, place, seq)]
    if event is not None:
        return list(find_by_id(reader, *event))
    return list(find_by_hash(reader, digest or ""))


def _show(out: Output, found: "EntryFound", others: "list[Position]") -> None:
    row = found.rows[0]
    out.line(f"{found.chain} seq {found.seq}", style="bold")
    if row.kind == "gap":
        out.line(f"  gap          offsets {row.gap_first} to {row.offset} hold no committed record")
    else:
        out.line(f"  offset       {row.offset}")
        out.line(f"  timestamp    {row.timestamp} ({_moment(row.timestamp)})")
    out.line(f"  log time     {row.log_time} ({_moment(row.log_time)})")
    out.line(f"  status       {row.status}, contract {row.contract}")
    if row.reason_class:
        out.line(f"  reason       {row.reason_class}: {row.reason}")
    for name in _ENVELOPE:
        if getattr(row, name):
            out.line(f"  {name:<12} {getattr(row, name)}")
    if row.time_us is not None:
        out.line(f"  {'time':<12} {_moment(row.time_us / 1000)}")
    if row.kind != "gap":
        out.line(f"  key          {_text(row.key)}")
        for header, content in row.headers:
            out.line(f"  header       {_text(header)}: {_text(content)}")
        out.line("  value")
        for line in _pretty(row).split("\n"):
            out.line(f"    {line}")
    out.line(f"  record hash  {row.record_hash.hex()}")
    out.line(f"  prev hash    {row.prev_hash.hex()}")
    out.line(f"  entry hash   {row.entry_hash.hex()}")
    out.line(f"  leaf hash    {_leaf(found, row)}")
    for label, beside in (("before", found.before), ("after", found.after)):
        if beside is not None:
            out.line(f"  {label:<12} seq {beside.seq}, offset {beside.offset}, {beside.entry_hash.hex()}")
    if others:
        where = ", ".join(f"{chain} seq {seq}" for chain, seq in others[:8])
        out.line(f"  also at      {where}")
    before = "the genesis of its chain" if found.seq == 0 else "the one before"
    linked = {True: f"follows from {before}", False: f"does NOT follow from {before}", None: "not compared"}
    out.line(f"  link         {linked[found.linked]}")
    for one in found.findings:
        out.line(f"  {one.kind.severity}: {one.text}", style="bold red")
    if not found.findings:
        out.line("  The hashes compute again from what is stored.", style="green")


def _document(found: "EntryFound", others: "list[Position]") -> dict[str, object]:
    return {
        "chain": found.chain,
        "seq": found.seq,
        "holds": not any(one.kind.severity == "fault" for one in found.findings),
        "linked": found.linked,
        "findings": [one.as_json() for one in found.findings],
        "rows": [_row(found, row) for row in found.rows],
        "before": _beside(found.before),
        "after": _beside(found.after),
        "also_at": [{"chain": chain, "seq": seq} for chain, seq in others],
    }


def _row(found: "EntryFound", row: "Row") -> dict[str, object]:
    plain = {name: value for name, value in row._asdict().items() if not isinstance(value, bytes)}
    return plain | {
        "chain": found.chain,
        "key": _bytes(row.key),
        "headers": [{"name": _bytes(name), "value": _bytes(value)} for name, value in row.headers],
        "value": _bytes(row.value),
        "record_hash": row.record_hash.hex(),
        "prev_hash": row.prev_hash.hex(),
        "entry_hash": row.entry_hash.hex(),
        "leaf_hash": _leaf(found, row),
    }


def _beside(row: "Row | None") -> dict[str, object] | None:
    if row is None:
        return None
    return {"seq": row.seq, "offset": row.offset, "kind": row.kind, "entry_hash": row.entry_hash.hex()}


def _leaf(found: "EntryFound", row: "Row") -> str:
    from modeltrail.ledger.entry import leaf_hash, preimage

    return leaf_hash(preimage(found.chain.encode(), row.seq, row.offset, row.timestamp, row.record_hash)).hex()


def _bytes(content: bytes | None) -> dict[str, str] | None:
    """Bytes in JSON: as text where they are UTF-8, otherwise as hex."""
    if content is None:
        return None
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"hex": content.hex()}


def _text(content: bytes | None) -> str:
    return "(null)" if content is None else content.decode(errors="backslashreplace")


def _pretty(row: "Row") -> str:
    """Lay out a value for people. What the contract does not read is shown as it is; what is long is cut."""
    if row.value is None:
        return "(null)"
    shown = _text(row.value).replace("\n", "\\n")
    if row.status == "valid":
        with suppress(ValueError, RecursionError):  # a status that was changed: the findings say so
            shown = json_text.dumps(json_text.loads(row.value), indent=2, ensure_ascii=False)
    if len(shown) > _SHOWN_BYTES:
        return f"{shown[:_SHOWN_BYTES]}\n... {len(shown) - _SHOWN_BYTES} characters more; --json shows all"
    return shown


def _moment(milliseconds: float) -> str:
    """Return a time as ISO 8601, or nothing where it is beyond what a calendar can say."""
    try:
        return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat()
    except OverflowError:
        return "beyond the calendar"
