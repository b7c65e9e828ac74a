"""The messages that a ledger worker sends about its own work: plain JSON, not CloudEvents, never audited.

    modeltrail.blocks     one message a commit and chain: the receipt that covers its records
    modeltrail.rejected   one message a rejected record, with the record itself where it fits

Both are sent at least once. They name chain and position, so that a repeat is recognised as one.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from modeltrail.events.fields import Count, Id, Listed, Part, Sha256, Text, violation
from modeltrail.events.reading import read_json
from modeltrail.events.refusal import PATTERNS, RefusedError, refusal_of

__all__ = ["Block", "Reject"]

ReasonClassName = Literal[
    "empty",
    "too_large",
    "confluent_prefix",
    "undecodable",
    "not_json",
    "ambiguous_json",
    "envelope",
    "unknown_type",
    "wrong_topic",
    "invalid_data",
]
Timestamp = Annotated[int, Field(ge=-1, le=2**63 - 1)]
_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
PATTERNS[_BASE64] = "must be base64 (RFC 4648, with padding)"
Base64 = Annotated[str, Field(pattern=_BASE64)]


class _Notice(Part):
    def encode(self) -> bytes:
        """Return the message as compact JSON in UTF-8; absent members are left out."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """Read what `encode` wrote. InvalidEventError names field, value and expectation."""
        try:
            read_json(message)
            return cls.model_validate_json(message)
        except ValidationError as error:
            name = cls.__name__.lower()
            raise refusal_of(error, name, cls.model_fields).as_invalid_event() from None
        except RefusedError as refused:
            raise refused.as_invalid_event() from None


class Block(_Notice):
    """Entries first_seq to last_seq of a chain are stored."""

    chain: Id = Field(description="The chain.", examples=["5L6g3nShT-eMCtK--X86sw/modeltrail.predictions/0/0-0"])
    first_seq: Count = Field(description="First entry of the block.", examples=[0])
    last_seq: Count = Field(description="Last entry of the block.", examples=[4999])
    first_offset: Count = Field(description="First Kafka offset that the block covers.", examples=[0])
    last_offset: Count = Field(description="Last Kafka offset that the block covers.", examples=[5003])
    head: Sha256 = Field(description="Entry hash of the last entry.", examples=["0" * 64])
    min_time: Timestamp = Field(
        description="Smallest record timestamp, milliseconds since 1970; -1 where the block holds no record.",
        examples=[1362096000000],
    )
    max_time: Timestamp = Field(
        description="Largest record timestamp, milliseconds since 1970; -1 where the block holds no record.",
        examples=[1362096001000],
    )
    rows: dict[Id, Count] = Field(
        description="Valid events by type.", examples=[{"modeltrail.prediction.recorded.v1": 4998}]
    )
    rejected: Count = Field(description="Rejected records.", examples=[1])
    gaps: Count = Field(description="Entries that stand for offsets without a record.", examples=[1])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for first, last in (("first_seq", "last_seq"), ("first_offset", "last_offset"), ("min_time", "max_time")):
            if getattr(self, first) > getattr(self, last):
                raise violation(f"must not be less than {first}", getattr(self, last), (last,))
        return self


class Reject(_Notice):
    """A record that the contract refuses. It is chained like any other."""

    chain: Id = Field(description="The chain.", examples=["5L6g3nShT-eMCtK--X86sw/modeltrail.predictions/0/0-0"])
    seq: Count = Field(description="Its entry.", examples=[17])
    offset: Count = Field(description="Its Kafka offset.", examples=[18])
    timestamp: Timestamp = Field(description="Its Kafka timestamp, milliseconds since 1970.", examples=[1362096000000])
    record_hash: Sha256 = Field(description="SHA-256 of key, headers and value.", examples=["0" * 64])
    reason: Text = Field(description="Field, value and expectation.", examples=['data.score: "5": must be a number'])
    reason_class: ReasonClassName = Field(description="The reason as a class.", examples=["invalid_data"])
    payload_included: bool = Field(
        description="Whether key, headers and value are here; if not, they are in the ledger only.", examples=[True]
    )
    key_base64: Base64 | None = Field(default=None, description="The key; absent where it is null.", examples=["cC0x"])
    headers_base64: Annotated[list[tuple[Base64, Base64 | None]], Listed] = Field(
        default_factory=list, description="Names and values of the headers.", examples=[[["Y2VfaWQ=", "MQ=="]]]
    )
    value_base64: Base64 | None = Field(
        default=None, description="The value; absent where it is null.", examples=["e30="]
    )
