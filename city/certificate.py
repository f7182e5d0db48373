"""Certificates (证书): what a person may do, and until which day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Certificate:
    """`valid_until` is the last day on which it counts."""

    person: str
    skill: str
    number: str
    valid_until: date
