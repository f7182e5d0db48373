"""Names and passwords of cameras that ask for them: read from a file of the installation, sent to
nobody but who they are for, told to nobody. Pure.

    [camera."CAM-000001"]            # the camera's code in the registry
    user = "viewer"
    password = "…"

    [host."10.1.2.9:5000"]           # whoever answers there; without a port 80 and 443
    user = "gridwarden"
    password = "…"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from city.errors import InvalidInput

FILE = "snapshot credentials"
LONGEST = 256


@dataclass(frozen=True, slots=True)
class Login:
    """What is said to whoever asks; its password is in no text of it."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Logins by camera, and by `host` or `host:port`."""

    cameras: Mapping[str, Login] = field(default_factory=dict)
    hosts: Mapping[str, Login] = field(default_factory=dict)

    def login_for(self, camera: str, host: str, port: int, *, is_own: bool) -> Login | None:
        """For a host that a camera's picture is asked at; the camera's own only where its event
        has named that host (`is_own`), not where an answer has led to."""
        if is_own and camera in self.cameras:
            return self.cameras[camera]
        name = f"[{host}]" if ":" in host else host
        return self.hosts.get(f"{name}:{port}") or (
            self.hosts.get(name) if port in (80, 443) else None
        )


NO_CREDENTIALS = Credentials()


def parse_credentials(text: str) -> Credentials:
    """Read the file. Errors name the place and never a password."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(FILE, "", f"is not valid TOML: {error}") from None
    for name in table:
        if name not in ("camera", "host"):
            raise InvalidInput(f"{FILE}: {name}", "", "is neither camera nor host")
    return Credentials(_logins(table, "camera"), _logins(table, "host"))


def _logins(table: Mapping[str, Any], kind: str) -> dict[str, Login]:
    given = table.get(kind, {})
    if not isinstance(given, dict):
        raise InvalidInput(f"{FILE}: {kind}", "", f'must be tables [{kind}."NAME"]')
    found = {}
    for name, entry in given.items():
        where = f"{FILE}: {kind}.{name}"
        if not isinstance(entry, dict):
            raise InvalidInput(where, "", "must be a table with user and password")
        for key in ("user", "password"):
            value = entry.get(key)
            if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
                raise InvalidInput(f"{where}.{key}", "", f"must be 1 to {LONGEST} characters")
        if ":" in entry["user"]:
            raise InvalidInput(f"{where}.user", entry["user"], "holds a colon, which Basic forbids")
        if unknown := entry.keys() - {"user", "password"}:
            raise InvalidInput(f"{where}.{min(unknown)}", "", "is neither user nor password")
        found[name.lower() if kind == "host" else name] = Login(entry["user"], entry["password"])
    return found
