"""Bytes that somebody wrote down as text: hex digits or base64."""

from __future__ import annotations

import base64
import re

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_HEX = re.compile(rb"\s*(?:0[xX])?((?:[0-9A-Fa-f]{2}[ :-]?)+)\s*")


def is_hex(payload: bytes) -> bool:
    """Pairs of hex digits and nothing else, with or without separators."""
    return _HEX.fullmatch(payload) is not None


def bytes_of(payload: bytes, text_limit: int) -> bytes:
    """The bytes that a hex or base64 text spells, else the payload as it is."""
    if len(payload) > text_limit:
        return payload
    match = _HEX.fullmatch(payload)
    if match is not None:
        return bytes.fromhex(re.sub(rb"[ :-]", b"", match[1]).decode())
    return _of_base64(payload.strip()) or payload


def _of_base64(text: bytes) -> bytes:
    """The bytes of a base64 text. One without padding must have letters of both cases and digits,
    so that no word that a device sends is taken for one."""
    if len(text) % 4 or not _BASE64.fullmatch(text):
        return b""
    mixed = all(re.search(kind, text) for kind in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))
    return base64.b64decode(text) if text.endswith(b"=") or mixed else b""
