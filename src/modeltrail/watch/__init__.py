"""The live watch: from entries of the ledger to checks and alerts, over small Protocols. No Kafka, no ClickHouse."""
