"""A broker and a ClickHouse on this machine, for development, the demo and the tests.

Nothing here is for production: everything listens on 127.0.0.1 only, on free ports, and keeps its state in
a directory that the caller names. What the other parts of Modeltrail build on:

    stack.Stack(directory, *, broker="tansu" | "apache", scratch=False, clickhouse_port=0)
        with Stack(Path("./modeltrail-demo")) as stack:
            stack.bootstrap_servers                   "127.0.0.1:40123"
            stack.clickhouse                          store_launcher.Store: host, port, credentials by role
            stack.broker                              the launcher below
            stack.settings_env(role="writer")         MODELTRAIL_* variables for a child process
            stack.create_topics({"modeltrail.predictions": 4}, config={...})

    tansu.TansuBroker(directory, *, port=None)        memory only; a restart is an empty log
    apache.ApacheBroker(directory, *, port=None, properties={...})
        .start() -> None    .stop()    .kill()    .running    .bootstrap_servers    .cluster_id    .pid
        start() after stop() or kill() uses the same directory and the same port.
    apache.available() -> str | None                  why Apache Kafka cannot run here; None: it can

    store_launcher.Store(directory, *, port=0, scratch=False)
        .start() .stop() .kill() .running .host .port .pid .url
        .credentials: dict[Role, Credentials]         roles reader, writer, migrator, auditor (and scratch)
        The same front by hand: python -m modeltrail.embedded.store --dir D [--port 0] [--scratch]

    process.ChildProcess(name, argv, *, log, ...)     one supervised child; no child outlives its parent
"""
