"""Publish what a command of people says: one event, durably, under a name of theirs."""

import asyncio
import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from modeltrail.events.fields import Data
    from modeltrail.sdk import Delivery
    from modeltrail.settings import Settings

__all__ = ["ActorOption", "SourceOption", "place", "publish_one", "who"]

ActorOption = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who says so (default: your login).")]
SourceOption = Annotated[str, typer.Option("--source", metavar="URI", help="CloudEvents source of the event.")]


def who(actor: str | None) -> str:
    """Return the name of who acts: as given, else the login of whoever runs the command."""
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container; KeyError before Python 3.13
        return "unknown"


def publish_one(settings: "Settings", data: "Data", *, source: str, actor: str | None) -> "Delivery":
    """Publish one event and return once all in-sync replicas have it. Raises what `Publisher.publish` raises."""
    from modeltrail.sdk import Publisher

    async def send() -> "Delivery":
        async with Publisher(settings=settings, source=source, actor=who(actor)) as publisher:
            return await publisher.publish(data)

    return asyncio.run(send())


def place(delivery: "Delivery") -> dict[str, Any]:
    """Return where an event stands, for --json."""
    return {
        "id": delivery.id,
        "topic": delivery.topic,
        "partition": delivery.partition,
        "offset": delivery.offset,
        "record_hash": delivery.record_hash.hex(),
    }
