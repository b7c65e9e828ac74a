"""Free disk and differences of clocks, against fixed thresholds."""

import shutil
from pathlib import Path
from typing import NamedTuple

from modeltrail.doctor.findings import Finding, failed, passed, skipped, warned

__all__ = ["ClockReading", "judge_clock", "judge_disk", "local_disk"]

GIB = 1 << 30
STORE_DISK_WARN = 10 * GIB
STORE_DISK_FAIL = GIB
LOCAL_DISK_WARN = GIB
LOCAL_DISK_FAIL = GIB // 10
CLOCK_WARN_MS = 1_000
CLOCK_FAIL_MS = 60_000


class ClockReading(NamedTuple):
    """One look at another clock, in milliseconds: it was asked at `asked`, said `said`, the answer came at `answered`.

    `asked` and `answered` are of this machine's clock, since 1970.
    """

    asked: float
    said: float
    answered: float

    @property
    def ahead(self) -> float:
        """How far that clock is ahead of ours, if it was read half-way (Cristian's algorithm)."""
        return self.said - (self.asked + self.answered) / 2

    @property
    def uncertainty(self) -> float:
        """How wrong `ahead` can be: half of the round trip, and the millisecond that `said` was cut to."""
        return (self.answered - self.asked) / 2 + 1


def judge_clock(check: str, whose: str, readings: list[ClockReading]) -> Finding:
    """Judge the reading with the shortest round trip; `whose` names that clock.

    A difference that the round trip explains is none: what is judged is the least that it must be.
    """
    best = min(readings, key=lambda reading: reading.uncertainty)
    least = max(0.0, abs(best.ahead) - best.uncertainty)
    direction = "ahead of" if best.ahead > 0 else "behind"
    detail = (
        f"the clock of {whose} is {abs(best.ahead):,.0f} ms {direction} this machine's (± {best.uncertainty:,.0f} ms)"
    )
    fix = f"keep both clocks by NTP (chrony or systemd-timesyncd), on {whose} and on this machine"
    if least > CLOCK_FAIL_MS:
        return failed(check, detail, fix)
    if least > CLOCK_WARN_MS:
        return warned(check, detail, fix)
    return passed(check, detail)


def judge_disk(check: str, where: str, free: int, total: int, *, warn_below: int, fail_below: int) -> Finding:
    """Judge free space; all sizes in bytes."""
    detail = f"{where}: {free / GIB:,.1f} GiB free of {total / GIB:,.1f} GiB"
    if free < fail_below:
        return failed(check, detail, f"free or add space: at least {fail_below / GIB:g} GiB, or inserts will fail")
    if free < warn_below:
        return warned(check, detail, f"free or add space: below {warn_below / GIB:g} GiB there is little time to react")
    return passed(check, detail)


def local_disk(directory: Path) -> Finding:
    """Judge the free space where this program runs."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError as error:
        return skipped("local.disk", f"{directory}: {error.strerror}")
    return judge_disk(
        "local.disk", str(directory), usage.free, usage.total, warn_below=LOCAL_DISK_WARN, fail_below=LOCAL_DISK_FAIL
    )
