"""Settings: layers, names, secrets and ranges; every refusal is one line that helps."""

import os
from pathlib import Path

import pytest

from modeltrail.errors import ConfigurationError
from modeltrail.events import registry
from modeltrail.settings import ClickHouse, Settings, load
from modeltrail.settings.model import env_names, leaf_names
from modeltrail.settings.names import AUDITED_FAMILIES, FAMILIES, env_name


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "modeltrail.toml") -> Path:
    file = Path(name)
    file.write_text(text)
    return file


def refusal(**arguments) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(**{"environ": {}, **arguments})
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_options_win_over_environment_over_file_over_defaults():
    written('[kafka]\nbootstrap_servers = "file:1"\nusername = "u"\n[clickhouse]\nhost = "file"\nport = 1\n')
    settings = load(
        overrides={"clickhouse.host": "option", "clickhouse.user": None},
        environ={
            "MODELTRAIL_CLICKHOUSE__HOST": "environment",
            "MODELTRAIL_CLICKHOUSE__PORT": "2",
            "MODELTRAIL_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "MODELTRAIL_KAFKA__PASSWORD": "p",
        },
    )
    assert settings.kafka.bootstrap_servers == "file:1"
    assert (settings.clickhouse.host, settings.clickhouse.port, settings.clickhouse.user) == ("option", 2, "default")
    assert settings.source_of("clickhouse.host") == "option"
    assert settings.source_of("clickhouse.port") == "MODELTRAIL_CLICKHOUSE__PORT"
    assert settings.source_of("kafka.bootstrap_servers") == "modeltrail.toml"
    assert settings.source_of("clickhouse.user") == "default"


def test_the_process_environment_is_read_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("MODELTRAIL_CLICKHOUSE__HOST", "here")
    assert load().clickhouse.host == "here"
    assert load(environ={}).clickhouse.host == "127.0.0.1"


def test_a_file_is_named_by_argument_then_by_variable_then_found():
    written('[clickhouse]\nhost = "found"\n')
    named = written('[clickhouse]\nhost = "named"\n', "named.toml")
    other = written('[clickhouse]\nhost = "other"\n', "other.toml")
    assert load(environ={}).clickhouse.host == "found"
    assert load(environ={"MODELTRAIL_CONFIG": str(other)}).clickhouse.host == "other"
    assert load(named, environ={"MODELTRAIL_CONFIG": str(other)}).clickhouse.host == "named"


def test_a_variable_that_is_set_and_empty_is_not_set():
    assert load(environ={"MODELTRAIL_CLICKHOUSE__HOST": ""}).clickhouse.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MODELTRAIL_KAFKA_BOOTSTRAP_SERVERS", "MODELTRAIL_KAFKA__BOOTSTRAP_SERVERS"),
        ("MODELTRAIL_CLICKHOUSE__PASWORD_FILE", "MODELTRAIL_CLICKHOUSE__PASSWORD_FILE"),
        ("MODELTRAIL_WORKER__BLOCKROWS", "MODELTRAIL_WORKER__BLOCK_ROWS"),
    ],
)
def test_an_unknown_variable_is_an_error_that_names_the_nearest(name, hint):
    assert refusal(environ={name: "x"}) == f"{name}: no such setting (environment); did you mean {hint!r}?"


def test_an_unknown_name_in_the_file_is_an_error_that_names_the_nearest():
    written("[kafka]\nbootstrap_server = 'x:1'\n")
    assert refusal() == (
        "kafka.bootstrap_server: no such setting (in modeltrail.toml); did you mean 'kafka.bootstrap_servers'?"
    )


def test_an_unknown_option_is_an_error_that_names_the_nearest():
    assert refusal(overrides={"clickhouse.hots": "x"}).endswith("did you mean 'clickhouse.host'?")


def test_a_scalar_where_a_table_belongs():
    written("kafka = 3\n")
    assert refusal() == "kafka: 3: must be a table (in modeltrail.toml)"


def test_a_file_that_is_no_toml_or_not_there():
    written("[kafka\n")
    assert "modeltrail.toml: is no valid TOML" in refusal()
    assert refusal(config=Path("nowhere.toml")) == "nowhere.toml: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("name", "value", "expectation"),
    [
        ("kafka.bootstrap_servers", "localhost", "must be host:port"),
        ("kafka.bootstrap_servers", "a:1,,b:2", "must be host:port"),
        ("kafka.bootstrap_servers", "a:0", "must be host:port"),
        ("kafka.bootstrap_servers", "a:65536", "must be host:port"),
        ("kafka.security_protocol", "SASL_PLAINTEXT", "would send user and password unencrypted; use SASL_SSL"),
        ("kafka.security_protocol", "TLS", "must be 'PLAINTEXT', 'SSL' or 'SASL_SSL'"),
        ("clickhouse.port", "http", "must be a valid integer"),
        ("clickhouse.port", "0", "must be greater than or equal to 1"),
        ("clickhouse.port", "99999", "must be less than or equal to 65535"),
        ("clickhouse.database", "a-b", "must match"),
        ("clickhouse.secure", "perhaps", "must be a valid boolean"),
        ("topics.prefix", "a b", "must match"),
        ("topics.partitions.runs", "0", "must be greater than or equal to 1"),
        ("worker.block_seconds", "0", "must be greater than 0"),
        ("worker.block_seconds", "nan", "must be"),
        ("worker.families", "runs,predicions", "'predicions' is no audited family; did you mean 'predictions'?"),
        ("worker.families", "blocks", "'blocks' is no audited family"),
        ("worker.families", "runs,runs", "must not name a family twice"),
        ("worker.http_port", "-1", "must be greater than or equal to 0"),
        ("drift.max_wait_s", "0", "must be greater than 0"),
        ("drift.watch_grace_s", "-1", "must be greater than or equal to 0"),
        ("sdk.compression", "brotli", "must be 'none', 'gzip', 'snappy', 'lz4' or 'zstd'"),
        ("log.level", "loud", "must be"),
    ],
)
def test_a_value_out_of_range_names_setting_value_expectation_and_source(name, value, expectation):
    variable = env_name(name)
    message = refusal(environ={variable: value})
    assert message.startswith(f"{name}: {value!r}: ")
    assert expectation in message
    assert message.endswith(f"(from {variable})")


@pytest.mark.parametrize(
    ("environ", "expectation"),
    [
        ({"MODELTRAIL_KAFKA__SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_SSL needs kafka.username"),
        ({"MODELTRAIL_KAFKA__PASSWORD": "p"}, "PLAINTEXT takes no user or password"),
        ({"MODELTRAIL_KAFKA__CA_FILE": "ca.pem"}, "PLAINTEXT takes no kafka.ca_file"),
        (
            {"MODELTRAIL_KAFKA__SECURITY_PROTOCOL": "SSL", "MODELTRAIL_KAFKA__KEY_FILE": "k"},
            "kafka.key_file needs kafka.cert_file",
        ),
        ({"MODELTRAIL_WORKER__HEARTBEAT_S": "5"}, "at most half of worker.session_timeout_s"),
        ({"MODELTRAIL_DRIFT__HEARTBEAT_S": "5"}, "at most half of drift.session_timeout_s"),
    ],
)
def test_settings_that_contradict_each_other_name_what_was_given(environ, expectation):
    message = refusal(environ=environ)
    assert expectation in message
    for variable in environ:
        assert variable in message


def test_secrets_come_from_files_in_every_layer(tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    by_variable = load(environ={"MODELTRAIL_CLICKHOUSE__PASSWORD_FILE": str(tmp_path / "secret")})
    assert by_variable.clickhouse.password.get_secret_value() == "from a file"
    assert "MODELTRAIL_CLICKHOUSE__PASSWORD_FILE" in by_variable.source_of("clickhouse.password")

    Path("etc").mkdir()
    Path("etc/secret").write_text("beside the settings")
    config = written("[clickhouse]\npassword_file = 'secret'\n", "etc/modeltrail.toml")
    assert load(config, environ={}).clickhouse.password.get_secret_value() == "beside the settings"
    over = load(config, environ={"MODELTRAIL_CLICKHOUSE__PASSWORD": "environment"})
    assert over.clickhouse.password.get_secret_value() == "environment"


def test_a_secret_file_that_is_missing_or_given_beside_the_secret():
    assert refusal(environ={"MODELTRAIL_KAFKA__PASSWORD_FILE": "/nowhere"}) == (
        "kafka.password: /nowhere: cannot be read: No such file or directory (from MODELTRAIL_KAFKA__PASSWORD_FILE)"
    )
    both = {"MODELTRAIL_KAFKA__PASSWORD_FILE": "/nowhere", "MODELTRAIL_KAFKA__PASSWORD": "x"}
    assert "given twice" in refusal(environ=both)


def test_a_secret_is_in_no_message_and_no_listing():
    secret = "correct horse"
    settings = load(environ={"MODELTRAIL_CLICKHOUSE__PASSWORD": secret})
    assert secret not in repr(settings)
    assert secret not in str(list(settings.shown()))
    written(f"[clickhouse]\npassword = ['{secret}']\n")
    message = refusal()
    assert secret not in message
    assert message.startswith("clickhouse.password: (hidden): must be")


def test_partitions_are_one_number_or_one_for_each_family():
    assert load(environ={}).topics.partitions_of("modeltrail.runs") == 4
    written("[topics]\nprefix = 'x'\n[topics.partitions]\npredictions = 12\n")
    topics = load(environ={"MODELTRAIL_TOPICS__PARTITIONS": "6", "MODELTRAIL_TOPICS__PARTITIONS__RUNS": "2"}).topics
    assert [topics.partitions_of(name) for name in ("x.predictions", "x.runs", "x.blocks", "runs")] == [12, 2, 6, 2]
    written("[topics]\npartitions = 7\n")
    assert load(environ={}).topics.partitions_of("modeltrail.runs") == 7


def test_the_topic_of_models_has_one_partition_unless_it_is_named():
    """The order of a model's changes matters, and one partition keeps it."""
    assert load(environ={}).topics.partitions_of("modeltrail.models") == 1
    assert load(environ={"MODELTRAIL_TOPICS__PARTITIONS": "6"}).topics.partitions_of("modeltrail.models") == 1
    assert load(environ={"MODELTRAIL_TOPICS__PARTITIONS__MODELS": "3"}).topics.partitions_of("modeltrail.models") == 3
    written("[topics]\npartitions = 7\n")
    assert load(environ={}).topics.partitions_of("modeltrail.models") == 1


def test_lists_come_from_the_environment_by_commas():
    assert load(environ={"MODELTRAIL_WORKER__FAMILIES": "runs, predictions"}).worker.families == ("runs", "predictions")
    written("[worker]\nfamilies = ['runs']\n")
    assert load(environ={}).worker.families == ("runs",)


def test_every_setting_has_a_variable_and_is_listed():
    names = set(leaf_names())
    assert {env_name(name) for name in names} <= set(env_names())
    shown = {one.name for one in load(environ={}).shown()}
    assert shown <= names
    assert names - shown == {f"topics.partitions.{family}" for family in FAMILIES if family != "models"}


def test_the_source_of_an_unknown_name_is_an_error():
    with pytest.raises(ConfigurationError, match=r"did you mean 'clickhouse\.host'"):
        load(environ={}).source_of("clickhouse.hos")


def test_families_are_those_of_the_contract():
    assert set(AUDITED_FAMILIES) == set(registry.AUDITED_FAMILIES)
    assert set(FAMILIES) == {*registry.AUDITED_FAMILIES, *registry.UNAUDITED}


def test_settings_can_be_made_without_files_and_do_not_change():
    settings = Settings(clickhouse=ClickHouse(port=1))
    assert settings.clickhouse.port == 1
    with pytest.raises(ValueError, match="frozen"):
        settings.clickhouse.port = 2


def test_unreadable_configuration_file(tmp_path):
    file = written("", "secret.toml")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read every file")
    assert "Permission denied" in refusal(config=file)
