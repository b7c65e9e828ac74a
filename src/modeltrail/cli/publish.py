"""`modeltrail publish`: events from JSON lines."""

import asyncio
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modeltrail.cli.options import ConfigOption, JsonOption, SetOption, examples, settings_of
from modeltrail.cli.output import Meter, Output
from modeltrail.errors import ConfigurationError, InvalidEventError, ModeltrailError

if TYPE_CHECKING:
    from modeltrail.cli.lines import LineSource
    from modeltrail.events.encode import Event
    from modeltrail.settings import Settings

__all__ = ["register"]

ERRORS_SHOWN = 50
ERRORS_KEPT = 1000
ESTIMATE_EVERY = 500


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "publish",
        epilog=examples(
            "modeltrail publish events.jsonl",
            "modeltrail publish events.jsonl.gz --source urn:example:import --actor me --keep-going",
            "tail -f scores.jsonl | modeltrail publish -",
            "modeltrail publish events.jsonl --dry-run --json",
        ),
    )(publish)


def publish(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON lines, also gzip; - is standard input.", show_default=False)
    ] = "-",
    source: Annotated[str | None, typer.Option(help="CloudEvents source of lines that name none.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who acted, for lines that do not say.")] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    *,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Go on after a bad line; list all at the end.")] = (
        False
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and publish nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Publish events from JSON lines, one event a line.

    A line is a whole CloudEvent, or an object with type, data and whichever attributes it has; id and time are
    filled in. Without --keep-going the first bad line ends it: what came before is published.
    """
    from modeltrail.cli.lines import LineSource

    settings = settings_of(config, assignments)
    out = Output(json=json)
    with LineSource(file) as lines:
        job = _Job(lines, out, settings, source=source, actor=actor, keep_going=keep_going, dry_run=dry_run)
        try:
            asyncio.run(job.run())
        except KeyboardInterrupt:
            out.note(f"{job.published:,} events are published, everything up to line {job.last_line:,}")
            raise
    code = job.report()
    if code:
        raise typer.Exit(code)


class _Job:
    """One run of the command: reads, publishes, and counts."""

    def __init__(
        self,
        lines: "LineSource",
        out: Output,
        settings: "Settings",
        *,
        source: str | None,
        actor: str | None,
        keep_going: bool,
        dry_run: bool,
    ) -> None:
        self._lines = lines
        self._out = out
        self._settings = settings
        self._source = source
        self._actor = actor
        self._keep_going = keep_going
        self._dry_run = dry_run
        self._on_their_way: deque[int] = deque()
        self._errors: list[dict[str, Any]] = []
        self._failed = 0
        self._fatal: ModeltrailError | None = None
        self._stop = False
        self._topics: Counter[str] = Counter()
        self._seconds = 0.0
        self.published = 0
        self.last_line = 0

    async def run(self) -> None:
        """Publish everything; failures are kept for `report`."""
        began = time.monotonic()
        doing = "checking" if self._dry_run else "publishing"
        with self._out.progress(doing, unit="events") as meter:
            if self._dry_run:
                await self._check(meter)
            else:
                await self._publish(meter)
        self._seconds = time.monotonic() - began

    async def _publish(self, meter: Meter) -> None:
        from modeltrail.sdk import Delivery, Publisher

        def delivered(delivery: Delivery) -> None:
            self.last_line = self._on_their_way.popleft()
            self._count(delivery.topic, meter)

        def failed(_index: int, _event: object, error: ModeltrailError) -> None:
            self._refuse(self._on_their_way.popleft(), error)

        async with Publisher(settings=self._settings) as publisher:
            await publisher.publish_many(self._events(), on_delivery=delivered, on_error=failed)

    async def _check(self, meter: Meter) -> None:
        from modeltrail.events.encode import encode_binary
        from modeltrail.events.registry import topic_name

        async for event in self._events():
            number = self._on_their_way.popleft()
            try:
                encode_binary(event.completed(id=str(uuid.uuid4()), time=datetime.now(UTC)))
            except InvalidEventError as error:
                self._refuse(number, error)
            else:
                self._count(topic_name(event.kind.family, self._settings.topics.prefix), meter)

    async def _events(self) -> "AsyncGenerator[Event]":
        number = 0
        try:
            async for number, text in self._lines.lines():
                if self._stop:
                    return
                try:
                    event = self._event(text)
                except InvalidEventError as error:
                    self._refuse(number, error)
                    continue
                self._on_their_way.append(number)
                yield event
        except ConfigurationError as error:  # the file cannot be read to its end
            self._refuse(number + 1, error)

    def _event(self, text: bytes) -> "Event":
        from modeltrail.cli.lines import LINE_MAX
        from modeltrail.events.encode import from_json_line
        from modeltrail.events.reading import parse
        from modeltrail.events.refusal import RefusedError

        if len(text) > LINE_MAX:
            raise InvalidEventError("line", f"more than {LINE_MAX} bytes", "must be one event: is the file JSON lines?")
        try:
            document = parse(text)
        except RefusedError as refused:
            raise refused.as_invalid_event() from None
        return from_json_line(document, source=self._source, actor=self._actor)

    def _count(self, topic: str, meter: Meter) -> None:
        self.published += 1
        self._topics[topic] += 1
        meter.advance()
        if self.published % ESTIMATE_EVERY == 0:
            meter.total(self._lines.estimate())

    def _refuse(self, number: int, error: ModeltrailError) -> None:
        if self._stop and not self._keep_going and isinstance(error, InvalidEventError):
            return  # read ahead of the line that ended it
        self._failed += 1
        if self._fatal is not None:
            return  # was on its way when the broker failed; the first one says why
        if self._failed <= ERRORS_KEPT:
            self._errors.append(_described(number, error))
        if self._failed <= ERRORS_SHOWN:
            self._out.note(f"line {number:,}: {error}", style="red")
        if not isinstance(error, InvalidEventError):
            # Not the line's fault: the next one would fare no better.
            self._fatal = error
            self._stop = True
        elif not self._keep_going:
            self._stop = True

    def report(self) -> int:
        """Print the summary; returns the exit code."""
        rate = self.published / self._seconds if self._seconds else 0.0
        code = self._fatal.exit_code if self._fatal is not None else int(self._failed > 0)
        more = self._failed - min(len(self._errors), ERRORS_SHOWN)
        if more:
            self._out.note(f"... and {more:,} more lines that failed")
        done = "valid" if self._dry_run else "published"
        self._out.line(f"{self.published:,} {done}, {self._failed:,} failed, {self._seconds:.1f} s, {rate:,.0f}/s")
        if self._topics:
            self._out.table(["topic", done], sorted(self._topics.items()))
        document: dict[str, Any] = {
            "published": 0 if self._dry_run else self.published,
            "valid": self.published,
            "failed": self._failed,
            "seconds": round(self._seconds, 3),
            "rate": round(rate, 1),
            "topics": dict(sorted(self._topics.items())),
            "errors": self._errors,
            "dry_run": self._dry_run,
        }
        if code:
            first = self._errors[0]
            kind = type(self._fatal).__name__ if self._fatal is not None else "InvalidEventError"
            message = f"line {first['line']}: {first['message']}"
            document["error"] = {"kind": kind, "message": message, "exit_code": code}
        self._out.result(document)
        return code


def _described(number: int, error: ModeltrailError) -> dict[str, Any]:
    described: dict[str, Any] = {"line": number, "message": str(error)}
    if isinstance(error, InvalidEventError):
        described |= {"field": error.field, "expected": error.expected}
    return described
