"""A real worker that ends or freezes at a named point: `DOOM=insert.after:1:kill python -m tests.faults.doomed_worker worker`."""

import os
import sys

from tests.faults import commit_points

if __name__ == "__main__":
    commit_points.install(commit_points.Doom(os.environ["DOOM"]))
    if "STUCK_S" in os.environ:
        commit_points.shorten_patience(float(os.environ["STUCK_S"]))
    from modeltrail.cli.main import main

    sys.exit(main())
