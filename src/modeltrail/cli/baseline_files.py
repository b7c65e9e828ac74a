"""Samples in files, as columns: Parquet and CSV, with what is wrong named by its row and column.

Rows count from 1 with the header, as a spreadsheet shows them. In CSV these are missing: nothing, NA, N/A, NaN, null.
"""

from collections.abc import Collection
from hashlib import file_digest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from modeltrail.drift.rows.frames import check_names
from modeltrail.errors import ConfigurationError, InvalidEventError

__all__ = ["read_file", "sha256_of"]

_NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_NUMBER = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
_KINDS = (("a number", _NUMBER), ("a time", _TIME))
_MOSTLY = 0.5
"""A column of texts of which more than this share are numbers, or times, was meant to be one of them."""
_BLOCK_MAX = 1 << 30


def read_file(path: Path, *, texts: Collection[str] = ()) -> Any:
    """Return a file as an Arrow table, by the end of its name: .parquet, .pq or .csv (also .csv.gz).

    `texts` names columns that may hold numbers and other texts as they like. ConfigurationError where the file cannot
    be read, with the row that is to blame; InvalidEventError for another text in a column of numbers or
    of times, with row and column, and for two columns of one name.
    """
    kind = "".join(suffix.lower() for suffix in path.suffixes[-2:])
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        if kind.endswith((".parquet", ".pq")):
            check_names(pyarrow.parquet.read_schema(path).names)
            return pyarrow.parquet.read_table(path)
        if kind.endswith((".csv", ".csv.gz")):
            table = _read_csv(path, size, texts)
            check_names(table.column_names)
            _check_texts(table, path, texts)
            return table
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except pa.ArrowException as error:
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise ConfigurationError(f"{path}: cannot be read: {reason}") from error
    raise ConfigurationError(f"{path}: expected a file whose name ends with .parquet or .csv")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits. ConfigurationError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _read_csv(path: Path, size: int, texts: Collection[str]) -> Any:
    # One block: Arrow decides by the first block what a column holds, and a fraction may come late.
    block = min(_BLOCK_MAX, max(1 << 20, size * (20 if path.suffix == ".gz" else 1) + 1))
    return pyarrow.csv.read_csv(
        path,
        # Without threads, because only then is the row named that cannot be read.
        read_options=pyarrow.csv.ReadOptions(block_size=block, use_threads=False),
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=_NULLS, strings_can_be_null=True, column_types=dict.fromkeys(texts, pa.string())
        ),
    )


def _check_texts(table: Any, path: Path, texts: Collection[str]) -> None:
    for name in table.column_names:
        column = table[name]
        if name in texts or not pa.types.is_string(column.type):
            continue
        for kind, pattern in _KINDS:
            fitting = pc.match_substring_regex(column, pattern)
            count, known = pc.sum(fitting).as_py() or 0, len(column) - column.null_count
            if not known * _MOSTLY < count < known:
                continue
            row = pc.index(fitting, value=pa.scalar(value=False)).as_py()
            raise InvalidEventError(
                f"{path.name}, row {row + 2}, column {name}",
                column[row].as_py(),
                f"must be {kind}, as in {count:,} of {known:,} rows; correct it, or say --categorical {name} or"
                f" --role {name}=ignore",
            )
