"""Rules in force and watched devices, kept between batches for speed; the database is the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.rules import Rule, Watch, rule_from
from alerts.screen import Fleet, build_fleet
from city.device import WatchedDevice
from db import evaluation, rules
from db.pool import Connection

# How long a change of a device (moved, out of service, new limit) may go unnoticed. Reading
# 20,000 devices takes about a tenth of a second, so not before every batch.
REFRESH_EVERY = timedelta(seconds=5)


class Known:
    """What an engine remembers between batches. A new one knows nothing and reads all."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.devices: dict[int, WatchedDevice] = {}
        self.fleet: Fleet = build_fleet((), ())
        self._beside: dict[str, list[Rule]] = {}
        self._versions: frozenset[tuple[str, int]] | None = None
        self._read_at: datetime | None = None
        self._missing: frozenset[int] = frozenset()

    def refresh(self, conn: Connection, now: datetime, device_id: NDArray[np.int32]) -> None:
        """Look for new rules, and for new devices when due or when these ids are unknown."""
        changed = self._refresh_rules(conn, now)
        due = self._read_at is None or not 0 <= (now - self._read_at) / REFRESH_EVERY < 1
        if due or self._strangers(device_id):
            devices = {d.id: d for d in evaluation.list_watched_devices(conn)}
            changed = changed or devices != self.devices
            self.devices, self._read_at = devices, now
            self._missing = self._strangers(device_id)
        if changed:
            self.fleet = build_fleet(self.devices.values(), self.rules.values())

    def beside(self, rule: Rule) -> Sequence[Rule]:
        """The other rules that raise the same condition by a reading."""
        return self._beside.get(rule.code, ())

    def reading_rules(self) -> list[str]:
        """Codes of the rules that judge values."""
        return [code for code, rule in self.rules.items() if rule.watch is Watch.READING]

    def _refresh_rules(self, conn: Connection, now: datetime) -> bool:
        versions = rules.list_versions_in_force(conn, now)
        if versions == self._versions:
            return False
        self.rules = load_rules(conn, now)
        self._beside = {
            code: others(rule, self.rules.values()) for code, rule in self.rules.items()
        }
        self._versions = versions
        return True

    def _strangers(self, device_id: NDArray[np.int32]) -> frozenset[int]:
        """Ids that are not known, and were not found missing already."""
        found = np.unique(device_id).tolist()
        return frozenset(i for i in found if i not in self.devices and i not in self._missing)


def others(rule: Rule, rules: Iterable[Rule]) -> list[Rule]:
    """Of these rules those that raise the same condition by a reading, without the rule itself."""
    return [
        other
        for other in rules
        if other.watch is Watch.READING
        and other.condition == rule.condition
        and other.code != rule.code
    ]


def load_rules(conn: Connection, now: datetime) -> dict[str, Rule]:
    """The rules in force, by code."""
    return {
        row.code: rule_from(row.definition, row.code, row.version)
        for row in rules.list_in_force(conn, now)
    }
