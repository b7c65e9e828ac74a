"""What can be set, with defaults, ranges and units."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr, field_validator
from pydantic import model_validator as validates_model
from pydantic_core import PydanticCustomError

from modeltrail.errors import ConfigurationError
from modeltrail.settings.names import AUDITED_FAMILIES, FAMILIES, did_you_mean, env_name

__all__ = ["ClickHouse", "Drift", "Kafka", "Log", "Sdk", "Setting", "Settings", "Topics", "Worker", "leaf_names"]

_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):([0-9]{1,5})")
_MASK = "********"

Port = Annotated[int, Field(ge=1, le=65_535)]
PartitionCount = Annotated[int, Field(ge=1, le=100_000)]


def expected(expectation: str) -> PydanticCustomError:
    """Return an error for a validator to raise."""
    return PydanticCustomError("setting", "{expectation}", {"expectation": expectation})


def _comma_list(value: object) -> object:
    # The environment has text only.
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kafka(_Section):
    """The broker."""

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Addresses, host:port, separated by commas")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = Field("PLAINTEXT", description="How to connect")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in with SASL_SSL"
    )
    username: str | None = Field(None, description="Who logs in with SASL_SSL")
    password: SecretStr | None = Field(None, description="Their password")
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the broker's certificate")
    cert_file: Path | None = Field(None, description="PEM file of the client's certificate")
    key_file: Path | None = Field(None, description="PEM file of the client's key, if it is not in cert_file")
    memory_only: bool = Field(default=False, description="The broker is known to lose its log at a restart")

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        parts = [part.strip() for part in value.split(",")]
        for part in parts:
            match = _ADDRESS.fullmatch(part)
            if match is None or not 1 <= int(match[1]) <= 65_535:
                raise expected("must be host:port, several separated by commas")
        return ",".join(parts)

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _protocol(cls, value: object) -> object:
        if value == "SASL_PLAINTEXT":
            raise expected("would send user and password unencrypted; use SASL_SSL")
        return value

    @validates_model(mode="after")
    def _complete(self) -> Self:
        if self.security_protocol == "SASL_SSL":
            for name in ("username", "password"):
                if not getattr(self, name):
                    raise expected(f"SASL_SSL needs kafka.{name}")
        elif self.username is not None or self.password is not None:
            raise expected(f"{self.security_protocol} takes no user or password; set it to SASL_SSL or remove them")
        if self.security_protocol == "PLAINTEXT":
            for name in ("ca_file", "cert_file", "key_file"):
                if getattr(self, name) is not None:
                    raise expected(f"PLAINTEXT takes no kafka.{name}; set it to SSL or SASL_SSL, or remove that")
        if self.key_file is not None and self.cert_file is None:
            raise expected("kafka.key_file needs kafka.cert_file")
        return self


class ClickHouse(_Section):
    """The store."""

    host: str = Field("127.0.0.1", min_length=1, description="Name or address of the server")
    port: Port = Field(8123, description="Its HTTP port (usually 8123), or HTTPS port (usually 8443)")
    user: str = Field("default", min_length=1, description="Who logs in")
    password: SecretStr | None = Field(None, description="Their password")
    database: str = Field(
        "modeltrail", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64, description="Where the ledger is"
    )
    secure: bool = Field(default=False, description="Use HTTPS")
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the server's certificate")
    connect_timeout_s: int = Field(5, ge=1, le=300, description="Seconds to wait for a connection")
    replicated: bool = Field(default=False, description="The ledger is a replicated table")


class Topics(_Section):
    """Names and sizes of topics."""

    prefix: str = Field(
        "modeltrail", pattern=r"^[A-Za-z0-9._-]+$", max_length=200, description="What topic names begin with"
    )
    partitions: dict[str, PartitionCount] = Field(
        {"default": 4, "models": 1},
        description="Partitions of a new topic, by family, or one number for all but models",
    )

    @field_validator("partitions", mode="before")
    @classmethod
    def _partitions(cls, value: object) -> object:
        if isinstance(value, int | str):
            value = {"default": value}
        if not isinstance(value, Mapping):
            return value
        for name in value:
            if name != "default" and name not in FAMILIES:
                raise expected(f"{name!r} is no family of topics{did_you_mean(str(name), FAMILIES)}")
        return {"default": 4, "models": 1} | dict(value)  # the order of a model's changes matters: one partition

    def partitions_of(self, topic: str) -> int:
        """Return how many partitions a topic is created with; `topic` is its whole name or its family."""
        family = topic.removeprefix(f"{self.prefix}.")
        return self.partitions.get(family, self.partitions["default"])


class Worker(_Section):
    """The ledger worker."""

    group: str = Field("modeltrail-ledger", min_length=1, max_length=200, description="Its consumer group")
    families: Annotated[tuple[str, ...], BeforeValidator(_comma_list)] = Field(
        (), description="Families of topics to chain; empty: all that are audited"
    )
    block_rows: int = Field(50_000, ge=1, le=10_000_000, description="Rows that close a block")
    block_bytes: int = Field(32 * 2**20, ge=1024, le=2**31, description="Bytes that close a block")
    block_seconds: float = Field(1.0, gt=0, le=3600, description="Seconds that close a block")
    insert_timeout_s: int = Field(30, ge=1, le=3600, description="Seconds that one insert may take")
    session_timeout_s: float = Field(6.0, ge=1, le=1800, description="Seconds until a silent worker loses its share")
    heartbeat_s: float = Field(1.0, ge=0.1, le=600, description="Seconds between two signs of life")
    poll_records: int = Field(5000, ge=1, le=1_000_000, description="Most records of one poll")
    queue_batches: int = Field(4, ge=1, le=10_000, description="Batches that wait in memory for each partition")
    http_host: str = Field("127.0.0.1", min_length=1, description="Address of metrics and health")
    http_port: int = Field(8001, ge=0, le=65_535, description="Port of metrics and health; 0: any free one")
    drain_s: float = Field(5.0, ge=0, le=600, description="Seconds to finish inserts before partitions are given up")

    @field_validator("families")
    @classmethod
    def _audited(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for family in value:
            if family not in AUDITED_FAMILIES:
                raise expected(f"{family!r} is no audited family{did_you_mean(family, AUDITED_FAMILIES)}")
        if len(set(value)) != len(value):
            raise expected("must not name a family twice")
        return value

    @validates_model(mode="after")
    def _lively(self) -> Self:
        if self.heartbeat_s * 2 > self.session_timeout_s:
            raise expected("worker.heartbeat_s must be at most half of worker.session_timeout_s")
        return self


class Drift(_Section):
    """The drift worker, which watches models."""

    group: str = Field("modeltrail-drift", min_length=1, max_length=200, description="Its consumer group")
    poll_s: float = Field(2.0, ge=0.05, le=3600, description="Seconds between two looks when no block is announced")
    watch_grace_s: float | None = Field(
        None,
        ge=0,
        le=3600,
        description="Seconds until an idle partition counts as such (default 1; 10 where producers set the time)",
    )
    max_wait_s: float = Field(900.0, gt=0, le=7 * 86_400, description="Seconds after which a window waits for nobody")
    read_rows: int = Field(100_000, ge=100, le=5_000_000, description="Most entries of a chain that wait in memory")
    session_timeout_s: float = Field(6.0, ge=1, le=1800, description="Seconds until a silent worker loses its share")
    heartbeat_s: float = Field(1.0, ge=0.1, le=600, description="Seconds between two signs of life")
    http_host: str = Field("127.0.0.1", min_length=1, description="Address of metrics and health")
    http_port: int = Field(8002, ge=0, le=65_535, description="Port of metrics and health; 0: any free one")
    drain_s: float = Field(10.0, ge=0, le=30, description="Seconds to finish a check before partitions are given up")

    @validates_model(mode="after")
    def _lively(self) -> Self:
        if self.heartbeat_s * 2 > self.session_timeout_s:
            raise expected("drift.heartbeat_s must be at most half of drift.session_timeout_s")
        return self


class Sdk(_Section):
    """The publisher."""

    request_timeout_s: float = Field(30.0, ge=1, le=3600, description="Seconds until an unacknowledged record failed")
    linger_ms: int = Field(5, ge=0, le=60_000, description="Milliseconds to wait for more records of a batch")
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field("lz4", description="Codec of batches")
    batch_bytes: int = Field(131_072, ge=1024, le=2**30, description="Most bytes of a batch")
    max_in_flight: int = Field(10_000, ge=1, le=10_000_000, description="Most records sent and not acknowledged")


class Log(_Section):
    """Log lines."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level to show")
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json")


class Setting(NamedTuple):
    """One value as `config show` prints it; a secret is masked."""

    name: str
    value: object
    source: str


class Settings(_Section):
    """All settings, checked. Made by `load`; a section can also be given directly, as in tests."""

    kafka: Kafka = Kafka()
    clickhouse: ClickHouse = ClickHouse()
    topics: Topics = Topics()
    worker: Worker = Worker()
    drift: Drift = Drift()
    sdk: Sdk = Sdk()
    log: Log = Log()

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    def source_of(self, name: str) -> str:
        """Return where the value of `section.name` came from: a file, a variable, an option, or `default`.

        Raises ConfigurationError for a name that does not exist.
        """
        known = leaf_names()
        if name not in known:
            raise ConfigurationError(f"{name}: no such setting{did_you_mean(name, known)}")
        return self._sources.get(name, "default")

    def shown(self) -> Iterator[Setting]:
        """Yield every setting in the order of the sections; secrets are masked."""
        for section_name, section in self:
            for name, value in section:
                full = f"{section_name}.{name}"
                if isinstance(value, Mapping):
                    for key, part in value.items():
                        yield Setting(f"{full}.{key}", part, self.source_of(f"{full}.{key}"))
                else:
                    yield Setting(full, _printable(value), self.source_of(full))


def _printable(value: Any) -> object:
    match value:
        case SecretStr():
            return _MASK
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


def leaf_names() -> dict[str, bool]:
    """Return the full name of everything that can be set, and whether it is a secret."""
    names: dict[str, bool] = {}
    for section_name, section in Settings.model_fields.items():
        model: type[BaseModel] = section.annotation  # type: ignore[assignment]
        for name, field in model.model_fields.items():
            full = f"{section_name}.{name}"
            if full == "topics.partitions":
                names |= {f"{full}.{family}": False for family in ("default", *FAMILIES)}
            else:
                names[full] = field.annotation == SecretStr | None
    return names


def env_names() -> dict[str, str]:
    """Return the variable of each setting, `_FILE` of secrets included: variable name to setting name."""
    names: dict[str, str] = {}
    for name, secret in leaf_names().items():
        names[env_name(name)] = name
        if secret:
            names[env_name(name) + "_FILE"] = name + "_file"
    return names
