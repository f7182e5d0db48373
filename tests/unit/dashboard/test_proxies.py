"""Who is really asking, as a proxy says it or pretends to."""

from __future__ import annotations

from typing import Any

import pytest

from city.errors import InvalidInput
from dashboard.shell.proxies import TrustedProxies, parse_networks, subscriber_of

NETWORKS = parse_networks("GRIDWARDEN_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1, fd00::/8")


def seen(remote: str, **headers: str) -> tuple[str, str, str]:
    """Address, scheme and host that the application sees."""
    environ: dict[str, Any] = {
        "REMOTE_ADDR": remote,
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "inside",
        **{"HTTP_X_FORWARDED_" + name.upper(): value for name, value in headers.items()},
    }
    TrustedProxies(lambda environ, start: environ, NETWORKS)(environ, None)
    return environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ["HTTP_HOST"]


def test_a_stranger_is_not_believed() -> None:
    told = seen("192.0.2.7", **{"for": "203.0.113.1", "proto": "https", "host": "city.example"})
    assert told == ("192.0.2.7", "http", "inside")


def test_a_named_proxy_says_who_asks_and_how() -> None:
    told = seen("127.0.0.1", **{"for": "203.0.113.1", "proto": "https", "host": "city.example"})
    assert told == ("203.0.113.1", "https", "city.example")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("6.6.6.6, 203.0.113.1", "203.0.113.1"),  # what the client wrote itself stands before
        ("203.0.113.1, 10.1.2.3", "203.0.113.1"),  # a second proxy of ours
        ("6.6.6.6, nonsense, 203.0.113.1", "203.0.113.1"),
        ("nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("10.9.9.9", "10.9.9.9"),  # a proxy asks for itself
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
    ],
)
def test_the_client_is_the_last_that_no_proxy_of_ours_has(forwarded: str, client: str) -> None:
    assert seen("10.0.0.1", **{"for": forwarded})[0] == client


def test_only_known_schemes_are_taken_over() -> None:
    assert seen("10.0.0.1", proto="javascript")[1] == "http"
    assert seen("10.0.0.1", proto="http, https")[1] == "https"


def test_nobody_is_trusted_unless_named() -> None:
    assert parse_networks("X", " , ") == ()


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33"])
def test_a_setting_that_names_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_networks("GRIDWARDEN_TRUSTED_PROXIES", f"127.0.0.1,{wrong}")
    assert (caught.value.field, caught.value.value) == ("GRIDWARDEN_TRUSTED_PROXIES", wrong)


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
    ],
)
def test_limits_count_by_subscriber(address: str, counted_as: str) -> None:
    assert subscriber_of(address) == counted_as
