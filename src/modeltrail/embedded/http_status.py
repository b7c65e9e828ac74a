"""Which HTTP status goes with which ClickHouse error, and which content type with which format."""

import re

__all__ = ["content_type", "error_name", "status_of"]

# The last words of every message of the engine are the symbolic name of its code.
_NAME = re.compile(rb"\(([A-Z][A-Z0-9_]+)\)(?: \(version [^)]*(?:\([^)]*\))?\))?\s*$")

_STATUS_BY_NAME = {
    400: (
        "BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME "
        "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_INPUT_ASSERTION_FAILED "
        "CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_NUMBER CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_TEXT "
        "CANNOT_PARSE_UUID DUPLICATE_COLUMN ILLEGAL_COLUMN INCORRECT_DATA SYNTAX_ERROR THERE_IS_NO_COLUMN "
        "TOO_BIG_AST TOO_DEEP_AST TYPE_MISMATCH UNEXPECTED_AST_STRUCTURE UNKNOWN_ELEMENT_IN_AST "
        "UNKNOWN_TYPE_OF_AST_NODE VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE"
    ),
    401: "REQUIRED_PASSWORD",
    403: "ACCESS_DENIED AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE UNKNOWN_USER WRONG_PASSWORD",
    404: (
        "UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_DATABASE UNKNOWN_DATABASE_ENGINE UNKNOWN_DIRECTION_OF_SORTING "
        "UNKNOWN_FORMAT UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_ROLE UNKNOWN_SETTING UNKNOWN_STORAGE "
        "UNKNOWN_TABLE UNKNOWN_TYPE UNKNOWN_TYPE_OF_QUERY"
    ),
    408: "TIMEOUT_EXCEEDED",
    411: "HTTP_LENGTH_REQUIRED",
    413: "QUERY_IS_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    501: "NOT_IMPLEMENTED",
    503: "CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK SOCKET_TIMEOUT",
}
_STATUS = {name: status for status, names in _STATUS_BY_NAME.items() for name in names.split()}

_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Pretty": "text/plain; charset=UTF-8",
    "PrettyCompact": "text/plain; charset=UTF-8",
    "Vertical": "text/plain; charset=UTF-8",
    "Values": "text/plain; charset=UTF-8",
}


def error_name(message: bytes) -> str:
    """Return the symbolic name at the end of an error message of the engine, or an empty text."""
    found = _NAME.search(message)
    return found[1].decode() if found else ""


def status_of(name: str) -> int:
    """Return the HTTP status that a ClickHouse server answers the error `name` with."""
    return _STATUS.get(name, 500)


def content_type(format_name: str) -> str:
    """Return the content type of a result in `format_name`."""
    return _CONTENT_TYPES.get(format_name, "application/octet-stream")
