"""A valid record of either content mode, and ways to spoil it."""

import json
from typing import Any

TOPIC = "modeltrail.predictions"

DATA: dict[str, Any] = {
    "prediction_id": "p-1",
    "item_id": "i-1",
    "model_id": "late-arrival",
    "model_version": "1.0.0",
    "kind": "binary",
    "label": "late",
    "score": 0.81,
    "features": {"dep_delay": 21, "carrier": "UA"},
}

ATTRIBUTES = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "scoring/production",
    "type": "modeltrail.prediction.recorded.v1",
    "subject": "i-1",
    "time": "2013-03-01T12:00:00.250000Z",
    "actor": "nightly",
}

Headers = list[tuple[str, bytes | None]]


def headers(**changes: str | bytes | None) -> Headers:
    """Headers of a binary event; a change to None takes the attribute out."""
    attributes = {**ATTRIBUTES, **changes}
    found: Headers = [("content-type", b"application/json")]
    for name, text in attributes.items():
        if text is not None:
            found.append((f"ce_{name}", text if isinstance(text, bytes) else text.encode()))
    return found


def value(**changes: Any) -> bytes:
    """Data of a prediction; a change to Ellipsis takes the member out."""
    data = {**DATA, **changes}
    return json.dumps({name: part for name, part in data.items() if part is not ...}, ensure_ascii=False).encode()


def raw(name: str, text: str) -> bytes:
    """Data of a prediction with one member written by hand."""
    members = {**DATA, name: ...}
    parts = [f"{json.dumps(key)}:{json.dumps(part)}" for key, part in members.items() if part is not ...]
    return ("{" + ",".join([*parts, f'"{name}":{text}']) + "}").encode("utf-8", "surrogatepass")


def structured(**changes: Any) -> bytes:
    """A whole event; a change to Ellipsis takes the member out."""
    event = {**ATTRIBUTES, "data": DATA, **changes}
    return json.dumps({name: part for name, part in event.items() if part is not ...}, ensure_ascii=False).encode()
