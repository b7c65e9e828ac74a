"""What a ClickHouse HTTP request asks for: its statement, its data, its settings and its user."""

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from modeltrail.embedded.http_body import BodyError, decompress, parse_form

__all__ = ["FrontRequest", "read_request"]

# What the protocol itself consumes; everything else that is not param_* is a setting of the engine.
_PROTOCOL = frozenset(
    {
        "buffer_size", "client_protocol_version", "close_session", "compress", "database", "decompress",
        "default_format", "password", "query", "query_id", "quota_key", "role", "session_check", "session_id",
        "session_timeout", "stacktrace", "user", "wait_end_of_query",
    }
)  # fmt: skip
_QUERY_ID = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True)
class FrontRequest:
    """One query as it came in; `text` is the statement with any data behind it."""

    text: bytes
    user: str
    password: str
    anonymous: bool
    database: str | None
    default_format: str
    query_id: str
    wait_end_of_query: bool
    parameters: Mapping[str, str]
    settings: Mapping[str, str]


def read_request(query_string: str, headers: Mapping[str, str | None], body: bytes) -> FrontRequest:
    """Put a request together from its URL, its headers (names in lower case) and its body.

    The statement is the `query` of the URL and the body behind it, as ClickHouse has it. Raises BodyError.
    """
    given = dict(parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape"))
    content_type = headers.get("content-type") or ""
    body = decompress(body, headers.get("content-encoding"))
    if content_type.lower().startswith("multipart/form-data"):
        for name, raw in parse_form(body, content_type).items():
            if name != "query" and not name.startswith("param_"):
                raise BodyError(501, f"the form field {name!r}: external tables are not supported here")
            given[name] = raw.decode(errors="surrogateescape")
        body = b""
    for name, value in given.items():
        if name != "query" and not _is_utf8(name + value):
            raise BodyError(400, f"{name!a}: the value holds bytes that are not UTF-8; write them as \\xHH")
    for name in ("compress", "decompress"):
        if given.get(name, "0") not in ("", "0"):
            raise BodyError(501, f"{name}=1: the block format is not supported here; use Content-Encoding")
    url_query = given.get("query", "").encode(errors="surrogateescape").rstrip()
    statement = url_query + b"\n" + body if url_query and body else url_query or body
    user, password, anonymous = _user(given, headers)
    query_id = given.get("query_id") or headers.get("x-clickhouse-query-id") or ""
    return FrontRequest(
        text=statement,
        user=user,
        password=password,
        anonymous=anonymous,
        database=given.get("database") or headers.get("x-clickhouse-database") or None,
        default_format=given.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated",
        query_id=query_id if _QUERY_ID.fullmatch(query_id) else str(uuid.uuid4()),
        wait_end_of_query=given.get("wait_end_of_query", "0") not in ("", "0"),
        parameters={name[6:]: value for name, value in given.items() if name.startswith("param_")},
        settings={
            name: value for name, value in given.items() if name not in _PROTOCOL and not name.startswith("param_")
        },
    )


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _user(given: Mapping[str, str], headers: Mapping[str, str | None]) -> tuple[str, str, bool]:
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "basic":
            raise BodyError(400, f"the authorization scheme {scheme!r} is not known here")
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BodyError(400, "the Authorization header is not valid Basic authentication") from error
        return user, password, False
    if headers.get("x-clickhouse-user") is not None:
        return headers.get("x-clickhouse-user") or "", headers.get("x-clickhouse-key") or "", False
    return given.get("user") or "default", given.get("password") or "", "user" not in given
