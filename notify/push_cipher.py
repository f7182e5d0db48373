"""Web Push without a vendor's account: a message for one browser, encrypted and signed. Pure.

RFC 8291 (aes128gcm of RFC 8188, one record) and RFC 8292 (VAPID). The one signing key of an
installation comes out of its secret, so that every process has it and no table keeps it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import struct

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from city.errors import InvalidInput

# Order of the group of P-256: private keys are numbers below it.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
RECORD_BYTES = 4096
# Push services need not take more than 4,096 bytes; header, padding mark and tag are 103 of them.
PLAIN_MAX = RECORD_BYTES - 103
AUTH_BYTES, POINT_BYTES, SALT_BYTES = 16, 65, 16
# RFC 8292 allows a day; some services refuse all of it.
TOKEN_HOURS = 12


def as_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{text[:20]!r} is not base64url") from error


def check_keys(p256dh: str, auth: str) -> None:
    """Raise `InvalidInput` where these are no keys of a browser."""
    try:
        point = from_base64url(p256dh)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput("p256dh", p256dh, "is no point of P-256 in base64url") from error
    try:
        fits = len(from_base64url(auth)) == AUTH_BYTES
    except ValueError:
        fits = False
    if not fits:
        raise InvalidInput("auth", auth, f"must be {AUTH_BYTES} bytes in base64url")


def signing_key(secret: str) -> ec.EllipticCurvePrivateKey:
    """The key that an installation signs with, always the same for one secret."""
    raw = _expand(hashlib.sha256(secret.encode()).digest(), b"gridwarden web push", 48)
    return ec.derive_private_key(int.from_bytes(raw) % (ORDER - 1) + 1, ec.SECP256R1())


def public_key(secret: str) -> str:
    """What a browser is told when it subscribes, base64url."""
    return as_base64url(_point(signing_key(secret).public_key()))


def vapid(secret: str, origin: str, contact: str, now_s: int) -> str:
    """The value of `Authorization` for a push service; `now_s` are seconds since the epoch."""
    key = signing_key(secret)
    claims = {"aud": origin, "exp": now_s + TOKEN_HOURS * 3600, "sub": contact}
    parts = ({"typ": "JWT", "alg": "ES256"}, claims)
    signed = ".".join(as_base64url(json.dumps(p, separators=(",", ":")).encode()) for p in parts)
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = as_base64url(r.to_bytes(32) + s.to_bytes(32))
    return f"vapid t={signed}.{signature}, k={as_base64url(_point(key.public_key()))}"


def encrypt(
    plain: bytes, p256dh: str, auth: str, sender: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """The body of the request: for one browser, with a sender's key and a salt for this one
    message."""
    if len(plain) > PLAIN_MAX:
        raise ValueError(f"a push message has at most {PLAIN_MAX} bytes")
    theirs = from_base64url(p256dh)
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    ours = _point(sender.public_key())
    shared = sender.exchange(ec.ECDH(), receiver)
    info = b"WebPush: info\0" + theirs + ours
    secret = _expand(_extract(from_base64url(auth), shared), info, 32)
    root = _extract(salt, secret)
    key = _expand(root, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(root, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack("!IB", RECORD_BYTES, len(ours)) + ours
    return header + AESGCM(key).encrypt(nonce, plain + b"\2", None)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, secret, "sha256")


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF of RFC 5869; most of our keys are one block."""
    out, block, number = b"", b"", 0
    while len(out) < length:
        number += 1
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        out += block
    return out[:length]
