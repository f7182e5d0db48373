"""Personal data as those see it who do not need it. Pure."""

from __future__ import annotations

from city.incident import Role
from city.register import INSPECTORS, FieldType

HIDDEN = "*"


def may_see_personal(role: Role) -> bool:
    return role in INSPECTORS


def mask(kind: FieldType, text: str) -> str:
    """A name keeps its first sign, a telephone number or other number three and its last two where
    it is long enough; of anything else nothing is left."""
    if kind is FieldType.PERSON:
        return text[:1] + HIDDEN * max(1, len(text) - 1)
    if kind in (FieldType.PHONE, FieldType.IDENTITY) and len(text) >= 8:
        return text[:3] + HIDDEN * (len(text) - 5) + text[-2:]
    return HIDDEN * 3
