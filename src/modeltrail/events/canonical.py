"""One text for one content: canonical JSON, and the SHA-256 that baselines, monitors, checks and alerts go by.

    {"baseline_id":"b-1","rows":3,"sha256":null,"tags":[]}   ->   {"baseline_id":"b-1","rows":3}

Members sorted by name (code points), no spaces, UTF-8 without escapes that JSON does not demand, integers in decimal,
floats as Python's repr writes them (the shortest text that reads back as the same double), no sign on a zero. Members
that are null or an empty list or object are left out, from the inside to the outside: they count as absent in the
contract, so a new optional member changes no hash of what was written before it.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

__all__ = ["canonical_json", "content_hash"]

_FLAT = frozenset({str, int, bool})


def canonical_json(data: BaseModel | Mapping[str, Any]) -> bytes:
    """Return the canonical text of an object of JSON values, or of a model with all its defaults filled in.

    ValueError for NaN and infinities, TypeError for what JSON cannot hold.
    """
    content = data.model_dump() if isinstance(data, BaseModel) else data
    return json.dumps(
        _plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def content_hash(data: BaseModel | Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical text as 64 lowercase hex digits."""
    return sha256(canonical_json(data)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        members = {name: _plain(part) for name, part in value.items()}
        return {name: part for name, part in members.items() if part is not None and part not in ([], {})}
    if isinstance(value, list | tuple):
        # Counts and edges come by the ten thousand, and need no look at each.
        return list(value) if set(map(type, value)) <= _FLAT else [_plain(part) for part in value]
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    return value + 0.0 if type(value) is float else value  # -0.0 + 0.0 is 0.0
