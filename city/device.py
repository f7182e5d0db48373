"""Devices: under which identity they report."""

from __future__ import annotations

_EUI_LENGTH = 16
_HEX = frozenset("0123456789abcdefABCDEF")


def normal_identity(text: str) -> str:
    """An EUI in lower case, as every format gives it; any other identity as it is."""
    is_eui = len(text) == _EUI_LENGTH and _HEX.issuperset(text)
    return text.lower() if is_eui else text
