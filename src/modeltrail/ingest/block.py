"""How large a block may get."""

from dataclasses import dataclass

__all__ = ["BlockLimits"]


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """When a block is closed: whichever comes first. `age_s` in seconds."""

    rows: int = 50_000
    size: int = 32 * 2**20
    age_s: float = 1.0
