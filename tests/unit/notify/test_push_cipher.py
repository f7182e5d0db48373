"""Messages to browsers: the example of RFC 8291, and a signature that anybody can check."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from city.errors import InvalidInput
from city.push import is_host_allowed
from notify.push_cipher import (
    PLAIN_MAX,
    as_base64url,
    check_keys,
    encrypt,
    from_base64url,
    public_key,
    vapid,
)

UA_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
    "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
    "lcy4a-fN"
)


def sender() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(from_base64url(AS_PRIVATE)), ec.SECP256R1())


def test_the_example_of_the_standard_is_met() -> None:
    plain = b"When I grow up, I want to be a watermelon"
    made = encrypt(plain, UA_PUBLIC, AUTH, sender(), from_base64url(SALT))
    assert as_base64url(made) == BODY


def test_the_longest_message_fits_what_services_must_take() -> None:
    made = encrypt(b"x" * PLAIN_MAX, UA_PUBLIC, AUTH, sender(), from_base64url(SALT))
    assert len(made) == 4096
    with pytest.raises(ValueError, match="at most"):
        encrypt(b"x" * (PLAIN_MAX + 1), UA_PUBLIC, AUTH, sender(), from_base64url(SALT))


def test_the_signature_is_of_the_key_that_browsers_were_told() -> None:
    value = vapid("a secret", "https://push.example", "mailto:duty@city.example", 1_000)
    scheme, _, rest = value.partition(" ")
    token, key = (part.partition("=")[2] for part in rest.split(", "))
    assert (scheme, key) == ("vapid", public_key("a secret"))
    head, claims, signature = token.split(".")
    raw = from_base64url(signature)
    known = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key))
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    known.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    assert json.loads(from_base64url(claims)) == {
        "aud": "https://push.example",
        "exp": 1_000 + 12 * 3600,
        "sub": "mailto:duty@city.example",
    }


def test_an_installation_has_one_key_and_another_one_another() -> None:
    assert public_key("one") == public_key("one")
    assert public_key("one") != public_key("two")


@pytest.mark.parametrize(
    ("p256dh", "auth", "field"),
    [
        ("", AUTH, "p256dh"),
        (as_base64url(b"\4" + b"\1" * 64), AUTH, "p256dh"),  # no point of the curve
        (UA_PUBLIC, as_base64url(b"short"), "auth"),
        (UA_PUBLIC, "%%%", "auth"),
    ],
)
def test_what_is_no_key_of_a_browser_is_named(p256dh: str, auth: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_keys(p256dh, auth)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://updates.push.example/x", True),
        ("https://web.phone.example/x", True),
        ("https://phone.example/x", False),  # below it, not itself
        ("https://evil-phone.example/x", False),
        ("http://updates.push.example/x", False),
        ("https://updates.push.example:8443/x", False),
        ("https://user@updates.push.example/x", False),
        ("http://127.0.0.1:8099/x", True),  # named with its scheme and port
        ("http://127.0.0.1:8100/x", False),
        ("https://[bad/x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_messages_to_browsers_go_to_hosts_that_are_named(endpoint: str, allowed: bool) -> None:
    hosts = ("updates.push.example", "*.phone.example", "http://127.0.0.1:8099")
    assert is_host_allowed(endpoint, hosts) is allowed


def test_base64url_is_that_of_the_standard() -> None:
    raw = bytes(range(256))
    assert from_base64url(as_base64url(raw)) == raw
    assert as_base64url(raw) == base64.urlsafe_b64encode(raw).decode().rstrip("=")
