"""The generated files of the contract.

    data/<type>.json      JSON Schema of the data: the value of a record in binary content mode
    events/<type>.json    JSON Schema of the whole event: the value of a record in structured content mode
    asyncapi.json         AsyncAPI document: topics, messages and who sends what

`export` writes them, `check` names those that are not current.
"""

import json
from pathlib import Path
from typing import Any

from modeltrail.events.asyncapi import asyncapi
from modeltrail.events.json_schema import data_schema, event_schema
from modeltrail.events.registry import EVENT_TYPES

__all__ = ["asyncapi", "check", "data_schema", "documents", "event_schema", "export"]


def documents() -> dict[str, str]:
    """Return the text of every generated file by its path below the directory of schemas."""
    found: dict[str, Any] = {"asyncapi.json": asyncapi()}
    for kind in EVENT_TYPES.values():
        found[f"data/{kind.name}.json"] = data_schema(kind.model)
        found[f"events/{kind.name}.json"] = event_schema(kind)
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in found.items()}


def export(directory: Path) -> list[Path]:
    """Write every document below `directory`; return what was written. Files of types that are no more are deleted."""
    texts = documents()
    for path in _generated(directory):
        if path.relative_to(directory).as_posix() not in texts:
            path.unlink()
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return [directory / name for name in texts]


def check(directory: Path) -> list[Path]:
    """Return the files below `directory` that are missing, differ from the contract, or should not be there."""
    texts = documents()
    stale = [
        directory / name
        for name, text in texts.items()
        if not (directory / name).is_file() or (directory / name).read_bytes() != text.encode()
    ]
    return stale + [path for path in _generated(directory) if path.relative_to(directory).as_posix() not in texts]


def _generated(directory: Path) -> list[Path]:
    return sorted(path for folder in ("data", "events") for path in (directory / folder).glob("*.json"))
