"""Who is really asking: a proxy is believed about that only if it is named in the settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from city.errors import InvalidInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = tuple[Network, ...]

# One household or office has a whole /64 of addresses to choose from.
IPV6_SUBSCRIBER_BITS = 64


def parse_networks(setting: str, text: str) -> Networks:
    """Addresses and networks separated by commas; `InvalidInput` names the one that is none."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError as error:
            raise InvalidInput(
                setting, part, "must be an address or a network like 10.0.0.0/8"
            ) from error
    return tuple(found)


def is_trusted(address: str, networks: Networks) -> bool:
    found = _parsed(address)
    return found is not None and any(found in network for network in networks)


def subscriber_of(address: str) -> str:
    """What limits count by: the address, of IPv6 its /64, of a mapped IPv4 the IPv4."""
    found = _parsed(address)
    if found is None:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.IPv6Network((int(found), IPV6_SUBSCRIBER_BITS), strict=False))


class TrustedProxies:
    """WSGI: takes address, scheme and host over from a trusted proxy, from nobody else."""

    def __init__(self, app: WSGIApplication, networks: Networks) -> None:
        self._app = app
        self._networks = networks

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if is_trusted(environ.get("REMOTE_ADDR", ""), self._networks):
            client = self._client(environ.get("HTTP_X_FORWARDED_FOR", ""))
            if client:
                environ["REMOTE_ADDR"] = client
            if (scheme := _last(environ, "HTTP_X_FORWARDED_PROTO").lower()) in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            if host := _last(environ, "HTTP_X_FORWARDED_HOST"):
                environ["HTTP_HOST"] = host
        return self._app(environ, start_response)

    def _client(self, forwarded: str) -> str | None:
        """The last address that no trusted proxy has: what stands before it, anybody may have
        written."""
        client = None
        for part in reversed(forwarded.split(",")):
            found = _parsed(part.strip())
            if found is None:
                break
            client = str(found)
            if not is_trusted(client, self._networks):
                break
        return client


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _last(environ: WSGIEnvironment, name: str) -> str:
    text: str = environ.get(name, "")
    return text.rpartition(",")[2].strip()
