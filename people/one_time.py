"""Codes of an authenticator (TOTP, RFC 6238), recovery codes, and how a secret rests. Pure but
for random numbers."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# What every authenticator knows without being told: six digits of SHA-1, a new code every 30 s.
STEP_S = 30
DIGITS = 6
# A telephone's clock may be so many steps off.
DRIFT_STEPS = 1
# 80 bits each: a digest of one is not guessed back.
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
NONCE_BYTES = 12
PURPOSE = b"gridwarden second factor"


def new_secret() -> str:
    """160 bits, base32, as authenticators take it."""
    return pyotp.random_base32()


def is_secret(text: str) -> bool:
    """Whether this could come from `new_secret`."""
    return len(text) == 32 and set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def address_of(secret: str, name: str, issuer: str) -> str:
    """The `otpauth:` address that a QR code carries."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def fitting_step(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The step (of 30 s since 1970) whose code this is and that comes after the one used last;
    None: wrong, too old, or used."""
    generator, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    fitting = None
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        fits = hmac.compare_digest(generator.generate_otp(step).encode(), code.encode())
        if fits and step > after:
            fitting = step
    return fitting


def normal(code: str) -> str:
    """A code as it is compared: people type blanks, hyphens and capitals."""
    return "".join(code.split()).replace("-", "").lower()


def is_of_authenticator(code: str) -> bool:
    """Whether a normal code has the form of one of an authenticator, not of a recovery code."""
    return len(code) == DIGITS and code.isascii() and code.isdigit()


def new_recovery_codes() -> list[str]:
    """As they are shown: four groups of four."""
    return [
        "-".join(text[start : start + 4] for start in range(0, len(text), 4))
        for text in (
            base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
            for _ in range(RECOVERY_CODES)
        )
    ]


def seal(secret: str, name: str, key: str) -> bytes:
    """The secret of a person, encrypted; worth nothing in another's row."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, secret.encode(), name.encode())


def unseal(sealed: bytes, name: str, key: str) -> str | None:
    """None where the installation's key is another one than then."""
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return _cipher(key).decrypt(nonce, rest, name.encode()).decode()
    except InvalidTag:
        return None


def _cipher(key: str) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return AESGCM(derived)
