"""What a process has used: CPU time and resident memory, read from /proc."""

import os
from pathlib import Path

from modeltrail.errors import UnavailableError

__all__ = ["cpu_seconds", "forget_peak", "peak_mb", "require_proc", "resident_mb"]

_TICKS = os.sysconf("SC_CLK_TCK")
_FORGET_PEAK = "5"  # proc(5), clear_refs: the peak is set to what is resident now


def require_proc() -> None:
    """Raise UnavailableError where there is no /proc: benchmarks run on Linux only."""
    if not Path("/proc/self/stat").exists():
        raise UnavailableError("benchmarks read CPU time and memory from /proc, which this system does not have")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Return what a process has in memory now, in units of 10^6 bytes."""
    return _status(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Return the most that a process had in memory since its start or `forget_peak`, in units of 10^6 bytes."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let `peak_mb` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_PEAK, encoding="ascii")


def _status(pid: int, field: str) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(text.split(f"{field}:")[1].split()[0]) * 1024 / 1e6
