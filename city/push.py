"""Where messages to browsers may go."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

ANY = "*."


def is_host_allowed(endpoint: str, hosts: Sequence[str]) -> bool:
    """Whether an address is of one of these hosts, with `*.` before one for those below it. It
    must be https; another scheme or port has to be named: `http://127.0.0.1:8099`."""
    try:
        split = urlsplit(endpoint)
        origin = f"{split.scheme}://{split.netloc}"
        host, port = split.hostname or "", split.port
    except ValueError:
        return False
    if origin in hosts:
        return True
    if split.scheme != "https" or split.username is not None or port not in (None, 443):
        return False
    return any(host.endswith(n[1:]) if n.startswith(ANY) else host == n for n in hosts)
