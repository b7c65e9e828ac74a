"""A check and the same check computed again: the members in which they differ, but for those that no input decides."""

from modeltrail.storage.watch.recompute import NOT_INPUT, recompute


def differing(check, found):
    said, computed = check.model_dump(mode="json"), found.model_dump(mode="json")
    return sorted(name for name in said if name not in NOT_INPUT and said[name] != computed[name])


def changed_again(reader, check):
    """Names of the members that come out differently."""
    return differing(check, recompute(reader, check).check)
