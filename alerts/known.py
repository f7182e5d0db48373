"""Rules in force and watched devices, kept between batches for speed; the database is the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.limits import ReadingRule, on_readings, others
from alerts.rule_files import rule_from
from alerts.rules import Rule
from alerts.screen import Fleet, build_fleet
from alerts.wakes import Marked
from city.device import WatchedDevice
from db import evaluation, rules
from db.pool import Connection

# How long a change of a device (moved, out of service, new limit) may go unnoticed: whether there
# was one takes some 20 ms of 20,000 devices, so it is not asked before every batch.
REFRESH_EVERY = timedelta(seconds=5)


class InForce:
    """The rules in force, read again when other versions are."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self._versions: frozenset[tuple[str, int]] | None = None

    def refresh(self, conn: Connection, now: datetime) -> bool:
        """Look for other versions; whether there were any."""
        versions = rules.list_versions_in_force(conn, now)
        if versions == self._versions:
            return False
        self.rules = load_rules(conn, now)
        self._versions = versions
        return True

    def of_kind(self, name: str) -> list[Rule]:
        """Those of one kind."""
        return [rule for rule in self.rules.values() if rule.watch == name]


class Known:
    """What an engine remembers between batches. A new one knows nothing and reads all."""

    def __init__(self) -> None:
        self.devices: dict[int, WatchedDevice] = {}
        self.fleet: Fleet = build_fleet((), ())
        self.marked = Marked()
        self._in_force = InForce()
        self._beside: dict[str, list[ReadingRule]] = {}
        self._raising: dict[str, list[ReadingRule]] = {}
        self._read_at: datetime | None = None
        self._mark: tuple[Any, ...] = ()
        self._missing: frozenset[int] = frozenset()

    @property
    def rules(self) -> dict[str, Rule]:
        """The rules in force, by code."""
        return self._in_force.rules

    def refresh(self, conn: Connection, now: datetime, device_id: NDArray[np.int32]) -> None:
        """Look for new rules, and for new devices when due or when these ids are unknown."""
        changed = self._in_force.refresh(conn, now)
        if changed:
            self._beside = {
                rule.code: others(rule, self.rules.values())
                for rule in on_readings(self.rules.values())
            }
            self._raising = {}
            for rule in on_readings(self.rules.values()):
                self._raising.setdefault(rule.condition, []).append(rule)
        due = self._read_at is None or not 0 <= (now - self._read_at) / REFRESH_EVERY < 1
        if due or self._strangers(device_id):
            mark = evaluation.mark_of_devices(conn)
            if mark != self._mark:
                devices = {d.id: d for d in evaluation.list_watched_devices(conn)}
                if devices != self.devices:
                    self.devices, changed = devices, True
            self._mark, self._read_at = mark, now
        if changed:
            self.marked = Marked()
            self.fleet = build_fleet(list(self.devices.values()), list(self.rules.values()))
            self._missing = frozenset()
        self._missing |= self._strangers(device_id)

    def raising(self, condition: str) -> Sequence[ReadingRule]:
        """The rules that raise a condition by a reading."""
        return self._raising.get(condition, ())

    def beside(self, rule: Rule) -> Sequence[ReadingRule]:
        """The other rules that raise the same condition by a reading."""
        return self._beside.get(rule.code, ())

    def reading_rules(self) -> list[str]:
        """Codes of the rules that judge values."""
        return [rule.code for rule in on_readings(self.rules.values())]

    def _strangers(self, device_id: NDArray[np.int32]) -> frozenset[int]:
        """Ids that are not known, and were not found missing already."""
        unknown = device_id[~self.fleet.has(device_id)]
        return frozenset(np.unique(unknown).tolist()) - self._missing


def load_rules(conn: Connection, now: datetime) -> dict[str, Rule]:
    """The rules in force, by code."""
    return {
        row.code: rule_from(row.definition, row.code, row.version)
        for row in rules.list_in_force(conn, now)
    }
