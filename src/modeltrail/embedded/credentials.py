"""The users of the local store and their passwords, drawn once for each directory."""

import hmac
import json
import secrets
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from modeltrail.embedded.directory import write_private
from modeltrail.errors import ConfigurationError

__all__ = ["Credentials", "Role", "authenticate", "load_credentials", "obtain_credentials"]

_FILE = "credentials.json"


class Role(Enum):
    """Who may do what; each role is the name of a user, too."""

    READER = "reader"
    WRITER = "writer"
    MIGRATOR = "migrator"
    AUDITOR = "auditor"
    SCRATCH = "scratch"  # may do everything; exists only in a store that was started for tampering


@dataclass(frozen=True)
class Credentials:
    """A user's name and password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, password=...)"


def obtain_credentials(directory: Path) -> dict[Role, Credentials]:
    """Read `<directory>/credentials.json`, or draw passwords for every role and write it (mode 0600)."""
    if not (directory / _FILE).exists():
        drawn = {role.value: {"user": role.value, "password": secrets.token_urlsafe(24)} for role in Role}
        write_private(directory / _FILE, json.dumps(drawn, indent=2) + "\n")
    return load_credentials(directory)


def load_credentials(directory: Path) -> dict[Role, Credentials]:
    """Read `<directory>/credentials.json`. Raises ConfigurationError when it is missing or damaged."""
    file = directory / _FILE
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return {role: Credentials(stored[role.value]["user"], stored[role.value]["password"]) for role in Role}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file}: cannot be read as credentials ({type(error).__name__}); remove it to have new ones drawn"
        ) from error


def authenticate(known: dict[Role, Credentials], user: str, password: str) -> Role | None:
    """Return the role of `user` if the password is theirs, else None."""
    for role, credentials in known.items():
        if credentials.user == user and hmac.compare_digest(credentials.password.encode(), password.encode()):
            return role
    return None
