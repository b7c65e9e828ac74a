"""A broker and a ClickHouse on this machine, for development, the demo and the tests.

Nothing here is for production: everything listens on 127.0.0.1 only, on free ports, and keeps its state in
a directory that the caller names. What the other parts of Modeltrail build on:

    stack.Stack(directory, *, broker="tansu" | "apache", broker_port=None, broker_properties=None,
                clickhouse_port=0, scratch=False)
        with Stack(Path("./modeltrail-demo")) as stack:
            stack.bootstrap_servers                   "127.0.0.1:40123"
            stack.clickhouse                          store_launcher.Store, below
            stack.broker                              a launcher, below
            stack.settings_env(Role.WRITER)           MODELTRAIL_* variables for a child process
            stack.create_topics({"modeltrail.predictions": 4}, config=None) -> names that were new
        or .start() .stop() .kill()

    tansu.TansuBroker(directory, *, port=None)        memory only; a restart is an empty log
    apache.ApacheBroker(directory, *, port=None, controller_port=None, properties=None, heap_megabytes=360,
                        node_id=1, quorum_voters=None)
        .start() .stop() .kill() .running .pid .port .bootstrap_servers .cluster_id .log_file
        start() after stop() or kill() uses the same directory and the same port.
    apache.available() -> str | None                  why Apache Kafka cannot run here; None: it can

    store_launcher.Store(directory, *, port=0, scratch=False)
        .start() .stop() .kill() .running .pid .host .port .url .database .log_file
        .credentials: dict[credentials.Role, Credentials]    Role.READER, WRITER, MIGRATOR, AUDITOR (and SCRATCH)
        The same by hand: python -m modeltrail.embedded.store --dir D [--port 0] [--scratch]

    process.ChildProcess(name, argv, *, log, ...)     one supervised child; no child outlives its parent
"""
