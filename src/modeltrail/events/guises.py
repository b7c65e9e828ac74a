"""What a value that is no JSON in UTF-8 looks like, so that whoever sent it knows what to change."""

__all__ = ["guise", "wide_text"]

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip: let the producer compress (compression.type), not the program"),
    (b"\x28\xb5\x2f\xfd", "zstd: let the producer compress (compression.type), not the program"),
    (b"\xff\xfe", "UTF-16: write UTF-8"),
    (b"\xfe\xff", "UTF-16: write UTF-8"),
    (b"Obj\x01", "an Avro file: send JSON"),
    (b"<", "XML: send JSON"),
    (b"eyJ", "JSON in base64: send the JSON itself"),
)
_WIDE = (("UTF-16", "utf-16-le", 2), ("UTF-16", "utf-16-be", 2), ("UTF-32", "utf-32-le", 4), ("UTF-32", "utf-32-be", 4))


def guise(value: bytes) -> str:
    """Return `; it looks like ...` with what to do about it, or nothing."""
    look = wide_text(value) or next((look for magic, look in _MAGIC if value.startswith(magic)), "")
    return f"; it looks like {look}" if look else ""


def wide_text(value: bytes) -> str:
    """Return what to do about JSON in UTF-16 or UTF-32 without a byte order mark; nothing if it is not that."""
    for name, encoding, width in _WIDE:
        begin = value[: 2 * width].decode(encoding, "replace")
        if begin[:1] in {"{", "[", '"'} and "\0" < begin[1:2] < "\x7f":
            return f"{name}: write UTF-8"
    return ""
