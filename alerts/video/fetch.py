"""A picture from a camera, and from nowhere else: the only request that the server makes by itself.

What may be asked is the camera's own address and the hosts of the installation. A name is resolved
once, every address it has is judged, and the connection goes to the very address that was judged:
a name that leads elsewhere a moment later leads nowhere. Proxies of the environment do not count.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from alerts.video.credentials import Login
from alerts.video.pictures import MAX_BYTES
from city.errors import InvalidInput

# Of everything together: name, connection, answer.
TIMEOUT_S = 10.0
REDIRECTS_MAX = 2
CHUNK = 65_536
PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotFetched(Exception):
    """No picture. `refused`: asking again would not help."""

    def __init__(self, problem: str, *, refused: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Host:
    """Whom one may ask; without a port 80 and 443. `trusted`: an administrator wrote it down for
    the installation, so that an address of its own network may be meant."""

    name: str
    port: int | None = None
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Challenge:
    """A host that asks for a password: the ways in which it may be said."""

    offers: tuple[str, ...]


def parse_hosts(text: str) -> tuple[Host, ...]:
    """`nvr.city.lan, 10.1.2.3:8080, [fd00::1]:443` of the installation's settings."""
    found = []
    for part in text.split(","):
        if part.strip():
            found.append(_host(part.strip(), trusted=True))
    return tuple(found)


def host_of_camera(address: str) -> tuple[Host, ...]:
    """What a registry row calls the camera's address; nothing where it says none or nonsense."""
    try:
        return (_host(address.strip(), trusted=False),) if address.strip() else ()
    except InvalidInput:
        return ()


def _host(text: str, *, trusted: bool) -> Host:
    try:
        parts = urlsplit(f"//{text}")
        port, name = parts.port, parts.hostname
    except ValueError:
        name, port, parts = None, None, urlsplit("")
    if not name or parts.path or parts.query or parts.username is not None:
        raise InvalidInput("snapshot_hosts", text, "must be HOST or HOST:PORT")
    return Host(_plain_name(name), port, trusted)


def _plain_name(name: str) -> str:
    name = name.rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


LoginOf = Callable[[str, int, bool], Login | None]


def fetch(
    url: str,
    allowed: Iterable[Host],
    timeout_s: float = TIMEOUT_S,
    login_of: LoginOf = lambda host, port, is_own: None,
) -> bytes:
    """The bytes at an address of an allowed host. Raises `NotFetched`, which names the host.
    `login_of` says with what a host (and port; whether the address named it) is answered that asks
    for a password: nothing is sent before it asks."""
    hosts, until = tuple(allowed), time.monotonic() + timeout_s
    own: tuple[str, int] | None = None
    for _ in range(REDIRECTS_MAX + 1):
        parts, host = _allowed(url, hosts)
        place = (_plain_name(str(parts.hostname)), parts.port or PORTS[parts.scheme])
        own = own or place
        answer = _ask(parts, host, until)
        if isinstance(answer, Challenge):
            login = login_of(*place, place == own)
            answer = _answered(answer, login, parts, host, until)
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
    raise NotFetched(f"{parts.hostname} redirects more than {REDIRECTS_MAX} times", refused=True)


def _answered(
    asked: Challenge, login: Login | None, parts: SplitResult, host: Host, until: float
) -> bytes | str:
    """The same request once more with what the host asks for: Digest where it offers it, else
    Basic, as `httpx` has them."""
    name = str(parts.hostname)
    if login is None:
        raise NotFetched(f"{name} asks for a password, and none is known for it", refused=True)
    offered = [value.partition(" ")[0].lower() for value in asked.offers]
    if "digest" in offered:
        auth: httpx.Auth = httpx.DigestAuth(login.user, login.password)
    elif "basic" in offered:
        auth = httpx.BasicAuth(login.user, login.password)
    else:
        raise NotFetched(f"{name} asks for neither Digest nor Basic", refused=True)
    request = httpx.Request("GET", parts.geturl())
    flow = auth.sync_auth_flow(request)
    request = next(flow)
    if "digest" in offered:
        digests = [offer for offer in asked.offers if offer.lower().startswith("digest")]
        headers = [("WWW-Authenticate", digests[0])]
        try:
            request = flow.send(httpx.Response(401, headers=headers, request=request))
        except (httpx.ProtocolError, NotImplementedError, ValueError, KeyError) as error:
            problem = f"{name} asks for a Digest that cannot be answered"
            raise NotFetched(problem, refused=True) from error
    # A Digest is of the path as it is sent.
    path = request.url.raw_path.decode("ascii")
    answer = _ask(parts, host, until, path, request.headers["Authorization"])
    if isinstance(answer, Challenge):
        raise NotFetched(f"{name} does not accept the user and password for it", refused=True)
    return answer


def _allowed(url: str, hosts: Iterable[Host]) -> tuple[SplitResult, Host]:
    try:
        parts = urlsplit(url)
        port, name = parts.port, parts.hostname
    except ValueError as error:
        raise NotFetched(f"{url[:200]} is no address", refused=True) from error
    if parts.scheme not in PORTS or not name:
        raise NotFetched(f"{url[:200]} is no http or https address", refused=True)
    if parts.username is not None or parts.password is not None:
        raise NotFetched(f"{name}: an address with a password is not asked", refused=True)
    plain, port = _plain_name(name), port or PORTS[parts.scheme]
    for host in hosts:
        ports = (host.port,) if host.port else tuple(PORTS.values())
        if host.name == plain and port in ports:
            return parts, host
    raise NotFetched(f"host {plain}:{port} is not allowed", refused=True)


def _ask(
    parts: SplitResult, host: Host, until: float, path: str = "", authorization: str = ""
) -> bytes | str | Challenge:
    """The body, where the answer leads to, or what it asks for."""
    name = str(parts.hostname)
    port = parts.port or PORTS[parts.scheme]
    sock = _connect(host, name, port, until)
    # Each part that arrives begins the socket's own time-out anew: this one ends all of it.
    live = [sock]
    clock = threading.Timer(max(0.0, until - time.monotonic()), _hang_up, [live])
    clock.start()
    try:
        sock.settimeout(_left(until, name))
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=name)
            live[0] = sock
        connection = http.client.HTTPConnection(name, port)
        connection.sock = sock
        path = path or (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close",
            "User-Agent": "Gridwarden",
        }  # fmt: skip
        if authorization:
            headers["Authorization"] = authorization
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            return _taken(answer, sock, until, name)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= until:
            raise NotFetched(f"{name} does not answer in time") from error
        raise NotFetched(f"{name}: {error or type(error).__name__}") from error
    finally:
        clock.cancel()
        sock.close()


def _taken(
    answer: http.client.HTTPResponse, sock: socket.socket, until: float, name: str
) -> bytes | str | Challenge:
    if answer.status == 401:
        return Challenge(tuple(answer.headers.get_all("WWW-Authenticate") or ()))
    if answer.status in (301, 302, 303, 307, 308):
        return str(answer.getheader("Location") or "")
    if answer.status != 200:
        refused = 400 <= answer.status < 500 and answer.status not in (404, 408, 425, 429)
        raise NotFetched(f"{name} answers {answer.status}", refused=refused)
    return _body(answer, sock, until, name)


def _hang_up(live: list[socket.socket]) -> None:
    """Of the connection as it is now: TLS takes the plain socket away."""
    with contextlib.suppress(OSError):
        live[0].shutdown(socket.SHUT_RDWR)


def _body(answer: http.client.HTTPResponse, sock: socket.socket, until: float, name: str) -> bytes:
    said = answer.getheader("Content-Length") or ""
    if said.isdigit() and int(said) > MAX_BYTES:
        raise NotFetched(f"{name} sends more than {MAX_BYTES} bytes", refused=True)
    found = bytearray()
    while True:
        sock.settimeout(_left(until, name))
        part = answer.read1(CHUNK)  # what is there, so that a drip does not outlast the time
        if not part:
            break
        found += part
        if len(found) > MAX_BYTES:
            raise NotFetched(f"{name} sends more than {MAX_BYTES} bytes", refused=True)
    _left(until, name)
    if said.isdigit() and len(found) < int(said):
        raise NotFetched(f"{name} breaks off after {len(found)} of {said} bytes")
    return bytes(found)


def _left(until: float, name: str) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NotFetched(f"{name} does not answer in time")
    return left


def _connect(host: Host, name: str, port: int, until: float) -> socket.socket:
    """To an address that was judged, not to a name."""
    try:
        rows = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotFetched(f"{name} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(row[4][0]) for row in rows))
    for address in addresses:
        problem = why_not(ipaddress.ip_address(address.partition("%")[0]), host)
        if problem:
            raise NotFetched(f"{name} is {address}, {problem}", refused=True)
    last: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_left(until, name))
        except OSError as error:
            last = error
    if isinstance(last, TimeoutError):
        raise NotFetched(f"{name} does not answer in time") from last
    raise NotFetched(f"{name}: {last}") from last


def why_not(address: Address, host: Host) -> str:
    """Why nobody is asked there, '' if one may. A camera stands in a network of the city, so that
    private addresses are its own; this machine and the link's are nobody's. The installation may
    name one of them outright, as an address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inner = address.teredo[1]
        if inner is not None:
            return why_not(inner, host)
    if host.trusted and host.name == str(address):
        return ""
    for name in ("loopback", "link_local", "multicast", "unspecified"):
        if getattr(address, f"is_{name}"):
            return f"a {name.replace('_', '-')} address, which is not asked"
    if address.is_reserved:
        return "a reserved address, which is not asked"
    return ""
