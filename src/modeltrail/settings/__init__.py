"""Settings: defaults < `modeltrail.toml` < environment `MODELTRAIL_...` < options.

    from modeltrail.settings import load
    settings = load()                       modeltrail.toml of the working directory, if there is one
    settings.kafka.bootstrap_servers        '127.0.0.1:9092'
    settings.source_of("kafka.bootstrap_servers")     'default'

A name in the file is `section.name`; in the environment it is `MODELTRAIL_SECTION__NAME`. A secret can be read
from a file instead: `password_file = "..."`, `MODELTRAIL_KAFKA__PASSWORD_FILE=...`.
"""

from modeltrail.settings.load import load
from modeltrail.settings.model import ClickHouse, Kafka, Log, Sdk, Settings, Topics, Worker

__all__ = ["ClickHouse", "Kafka", "Log", "Sdk", "Settings", "Topics", "Worker", "load"]
