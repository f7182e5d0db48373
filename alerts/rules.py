"""What an alarm rule says, whatever it watches: frozen values. Pure.

Fields of one kind of rule alone are with their kind (`alerts.watch`); those of rules on readings,
which whole modules are about, are in `alerts.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.help import Help
from alerts.scope import EVERYWHERE, Scope
from city.alarm import Severity

DAY_S = 86_400.0

SEVERITIES = {s.name.lower(): s for s in Severity}


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a rule: its limit, how bad that is, and how long it must last."""

    severity: Severity
    limit: float | None = None  # None: taken from `limit_attribute` of the device
    limit_attribute: str = ""
    on_delay: timedelta = timedelta(0)
    clear_limit: float | None = None  # of a worse level; None: as far from it as the rule's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alarm rule. Levels run from the mildest limit to the worst."""

    code: str
    title_zh: str
    title_en: str
    watch: str  # name of its kind in `alerts.watch`
    kinds: frozenset[str]  # of devices, or of gateways where these are watched; empty: any
    condition: str  # what is wrong; rules that measure the same hazard share it
    category: str  # incident category code, or "device"
    opens_incident: bool
    levels: tuple[Level, ...]
    source: str
    valid_from: datetime
    category_attribute: str = ""  # a device may name its own category (type of cover)
    off_delay: timedelta = timedelta(0)
    # For how long the condition of a latched alarm has to be gone before it may be released, and
    # by whom; None: alarms of this rule end by themselves.
    gas_free: timedelta | None = None
    release_role: str = ""
    help: Help | None = None  # None: an older file, without one
    scope: Scope = EVERYWHERE  # of the devices of `kinds`, and of the day
    version: int = 0  # 0: not stored yet

    @property
    def worst(self) -> Severity:
        return min(level.severity for level in self.levels)
