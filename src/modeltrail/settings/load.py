"""Read the layers, remember which one each value came from, and check the result once.

Each layer is flattened to `section.name`, so that names are checked and overridden one by one, whatever their
spelling in the layer.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr, ValidationError

from modeltrail.errors import ConfigurationError
from modeltrail.settings.model import Settings, env_names, leaf_names
from modeltrail.settings.names import ENV_PREFIX, OTHER_VARIABLES, did_you_mean

__all__ = ["DEFAULT_FILE", "load"]

DEFAULT_FILE = "modeltrail.toml"
_SECRET_MAX = 65_536
_SHOWN_MAX = 80


class _Given(NamedTuple):
    value: object
    source: str


_Layer = dict[str, _Given]


def load(
    config: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of this process.

    `config` is a TOML file that must exist; without it MODELTRAIL_CONFIG names one, and without that
    `modeltrail.toml` of the working directory is read if it is there. `overrides` are options by full name
    (`{"kafka.bootstrap_servers": "..."}`; None: not given), `environ` stands in for the process environment.
    A variable that is set and empty counts as not set.

    Raises ConfigurationError with one line that names setting, value, expectation and where it came from.
    """
    variables = os.environ if environ is None else environ
    given: _Layer = {}
    for layer in (_of_file(_config_file(config, variables)), _of_environment(variables), _of_options(overrides or {})):
        given |= layer
    return _checked(given)


def _config_file(config: Path | None, variables: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    named = variables.get("MODELTRAIL_CONFIG")
    if named:
        return Path(named)
    usual = Path(DEFAULT_FILE)
    return usual if usual.exists() else None


def _of_file(file: Path | None) -> _Layer:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is no valid TOML: {error}") from error
    known = _with_secret_files()
    layer: _Layer = {}
    for name, value in _leaves(document):
        if name not in known:
            if any(setting.startswith(f"{name}.") for setting in known):
                raise ConfigurationError(f"{name}: {_shown(value)}: must be a table (in {file})")
            raise ConfigurationError(f"{name}: no such setting (in {file}){did_you_mean(name, known)}")
        layer[name] = _Given(value, str(file))
    return _with_secrets_read(layer, relative_to=file.parent)


def _leaves(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = f"{path}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            # One number for all families stands for the default of each.
            yield (f"{name}.default" if name == "topics.partitions" else name), value


def _of_environment(variables: Mapping[str, str]) -> _Layer:
    known = env_names() | {"MODELTRAIL_TOPICS__PARTITIONS": "topics.partitions.default"}
    layer: _Layer = {}
    for variable in sorted(variables):
        if not variable.startswith(ENV_PREFIX) or variable in OTHER_VARIABLES or not variables[variable]:
            continue
        if variable not in known:
            raise ConfigurationError(f"{variable}: no such setting (environment){did_you_mean(variable, known)}")
        layer[known[variable]] = _Given(variables[variable], variable)
    return _with_secrets_read(layer, relative_to=Path())


def _of_options(overrides: Mapping[str, object]) -> _Layer:
    known = _with_secret_files()
    layer: _Layer = {}
    for name, value in overrides.items():
        full = "topics.partitions.default" if name == "topics.partitions" else name
        if full not in known:
            raise ConfigurationError(f"{name}: no such setting (option){did_you_mean(name, known)}")
        if value is not None:
            layer[full] = _Given(value, "option")
    return _with_secrets_read(layer, relative_to=Path())


def _with_secret_files() -> dict[str, bool]:
    names = leaf_names()
    return names | {f"{name}_file": False for name, secret in names.items() if secret}


def _with_secrets_read(layer: _Layer, *, relative_to: Path) -> _Layer:
    for name, secret in leaf_names().items():
        by_file = layer.pop(f"{name}_file", None) if secret else None
        if by_file is None:
            continue
        if name in layer:
            raise ConfigurationError(
                f"{name}: given twice, by {layer[name].source} and by the file that {by_file.source} names"
            )
        file = relative_to / str(by_file.value)
        try:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(_SECRET_MAX)
        except OSError as error:
            raise ConfigurationError(
                f"{name}: {file}: cannot be read: {error.strerror} (from {by_file.source})"
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{name}: {file}: must be UTF-8 text (from {by_file.source})") from error
        layer[name] = _Given(text.rstrip("\r\n"), f"{by_file.source}: {file}")
    return layer


def _checked(given: _Layer) -> Settings:
    document: dict[str, Any] = {}
    for name, (value, _) in given.items():
        *tables, last = name.split(".")
        table = document
        for part in tables:
            table = table.setdefault(part, {})
        table[last] = value
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, given) from None
    settings._sources.update({name: one.source for name, one in given.items()})  # noqa: SLF001 - its maker
    return settings


def _refusal(error: ValidationError, given: _Layer) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    names = [name for name in given if name == where or name.startswith(f"{where}.")]
    message = first["msg"]
    message = message.replace("Input should be", "must be").replace("Input should have", "must have")
    message = message.replace("String should", "must").partition(", unable to")[0]
    if first["type"] == "string_pattern_mismatch":
        message = f"must match {first['ctx']['pattern']}"
    if where in given:
        secret = leaf_names().get(where, False) or isinstance(given[where].value, SecretStr)
        value = "(hidden)" if secret else _shown(given[where].value)
        return ConfigurationError(f"{where}: {value}: {message} (from {given[where].source})")
    # The whole section contradicts itself; name everything that was said about it.
    sources = ", ".join(f"{name} from {given[name].source}" for name in names) or "defaults"
    return ConfigurationError(f"{where}: {message} ({sources})")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."
