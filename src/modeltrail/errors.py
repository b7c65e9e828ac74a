"""Every error that Modeltrail raises on purpose, in one tree.

    ModeltrailError                     exit code 1
    ├── ConfigurationError              2   a setting, an option or an address that cannot be right
    │   ├── MissingExtraError           2   an optional part is not installed; names the install command
    │   ├── SchemaVersionError          2   the store's schema is missing, older or newer than this program
    │   └── AccessError                 2   wrong password, or a right that is missing
    ├── InvalidEventError               1   an event that the contract refuses: field, value, expectation
    ├── RowsRefusedError                1   rows that the store will never take; repeating cannot help
    ├── UnknownStoreError               1   the store failed in a way that is not known here; repeating may help
    ├── NotDurableError                 1   the broker did not acknowledge a record
    ├── TamperError                     3   the ledger contradicts itself; never retried, never caught with I/O
    ├── NotVerifiableError              4   nothing to check, or not everything could be checked
    └── UnavailableError                5   a dependency cannot be reached now; waiting may help
        ├── BrokerUnavailableError      5
        └── StoreUnavailableError       5

Each carries its data as attributes, and its text is one or two lines: what is wrong, and what to do.
"""

from typing import ClassVar

__all__ = [
    "AccessError",
    "BrokerUnavailableError",
    "ConfigurationError",
    "InvalidEventError",
    "MissingExtraError",
    "ModeltrailError",
    "NotDurableError",
    "NotVerifiableError",
    "RowsRefusedError",
    "SchemaVersionError",
    "StoreUnavailableError",
    "TamperError",
    "UnavailableError",
    "UnknownStoreError",
]


class ModeltrailError(Exception):
    """The root: catch it to catch everything that Modeltrail raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigurationError(ModeltrailError):
    """A setting, an option or an address that cannot be right; the start stops with one line."""

    exit_code = 2


class MissingExtraError(ConfigurationError):
    """An optional part is not installed.

    `extra` is its name (`server`, `embedded`), `needed_for` a few words on what wants it.
    """

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        self.needed_for = needed_for
        super().__init__(
            f"{needed_for} needs the {extra!r} extra, which is not installed: pip install 'modeltrail[{extra}]'"
        )


class SchemaVersionError(ConfigurationError):
    """The store's schema is missing, older or newer than this program knows."""


class AccessError(ConfigurationError):
    """The dependency answers, and refuses: wrong user or password, or a right that is missing."""


class InvalidEventError(ModeltrailError):
    """An event that the contract refuses.

    `field` is the dotted path (`data.score`), `value` what stood there (shortened for the text),
    `expected` what the contract wants.
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field = field
        self.value = value
        self.expected = expected
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{field}: {shown}: {expected}")


class NotDurableError(ModeltrailError):
    """The broker did not acknowledge the record from all in-sync replicas; it may or may not be in the log."""


class RowsRefusedError(ModeltrailError):
    """The store refuses rows for a reason in the rows themselves; nothing was stored, and repeating cannot help.

    `code` is the server's error code. The text names code and constraint, never column values.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class UnknownStoreError(ModeltrailError):
    """The store answered with an error code that is not known here: nobody has said whether repeating helps.

    `code` is the server's error code.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class TamperError(ModeltrailError):
    """What is stored contradicts its own hashes, or a chain contradicts another copy of itself.

    `chain` and `seq` name the position, `finding` what is wrong there.
    """

    exit_code = 3

    def __init__(self, chain: str, seq: int | None, finding: str) -> None:
        self.chain = chain
        self.seq = seq
        self.finding = finding
        where = chain if seq is None else f"{chain} seq {seq}"
        super().__init__(f"{where}: {finding}")


class NotVerifiableError(ModeltrailError):
    """There was nothing to check, or it could not be checked whole; never to be read as valid."""

    exit_code = 4


class UnavailableError(ModeltrailError):
    """A dependency cannot be reached, or cannot take work now; waiting may help."""

    exit_code = 5


class BrokerUnavailableError(UnavailableError):
    """Kafka does not answer."""


class StoreUnavailableError(UnavailableError):
    """ClickHouse does not answer, or refuses work for a reason that passes (memory, parts, space, read-only)."""
