"""A real worker on a machine where a compression library is missing: `CODEC=zstd python -m tests.faults.worker_without_codec worker`."""

import os
import sys

import aiokafka.codec

if __name__ == "__main__":
    setattr(aiokafka.codec, f"has_{os.environ['CODEC']}", lambda: False)
    from modeltrail.cli.main import main

    sys.exit(main())
