"""Which devices, and which hours of the day, a rule is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from typing import Any

from alerts.fields import Fields
from city.area import AreaKind
from city.device import WatchedDevice

# Hours of a rule are those of the clock on the wall: one zone holds for all cities of the country.
WALL_CLOCK = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Scope:
    """Conditions that all must hold; an empty one holds for every device.

    `attributes` are values that an attribute of the device may have; `hours` run past midnight
    where the first is later than the second."""

    models: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()  # the device's own, as its rule's attribute names it
    areas: frozenset[str] = frozenset()  # codes of areas, in one of which the device stands
    area_kinds: frozenset[str] = frozenset()
    attributes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    hours: tuple[time, time] | None = None

    def covers(self, device: WatchedDevice, category_attribute: str = "") -> bool:
        """Whether the device is meant."""
        if self.models and device.model not in self.models:
            return False
        if self.devices and device.code not in self.devices:
            return False
        if self.areas and not self.areas & device.areas.keys():
            return False
        if self.area_kinds and self.area_kinds.isdisjoint(device.areas.values()):
            return False
        if self.categories and device.attributes.get(category_attribute) not in self.categories:
            return False
        return all(device.attributes.get(n) in allowed for n, allowed in self.attributes.items())

    def is_hour(self, at: datetime) -> bool:
        """Whether the rule is about this time of day."""
        if self.hours is None:
            return True
        begin, end = self.hours
        clock = at.astimezone(WALL_CLOCK).time()
        return begin <= clock < end if begin <= end else clock >= begin or clock < end


EVERYWHERE = Scope()


def parse_scope(fields: Fields, category_attribute: str) -> Scope:
    """The table `scope` of a rule file; none is a rule without bounds."""
    table = fields.optional_table("scope") or fields.inside({}, "scope.")
    categories = frozenset(table.texts("category"))
    if categories and not category_attribute:
        raise table.wrong("category", sorted(categories), "needs `category_attribute` of the rule")
    scope = Scope(
        models=frozenset(table.texts("model")),
        devices=frozenset(table.texts("device")),
        categories=categories,
        areas=frozenset(table.texts("area")),
        area_kinds=frozenset(table.texts_of("area_kind", [kind.value for kind in AreaKind])),
        attributes=_attributes(table),
        hours=_hours(table),
    )
    table.nothing_left()
    return EVERYWHERE if scope == EVERYWHERE else scope


def _attributes(table: Fields) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for name, value in table.mapping("attributes").items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(v, str | int | float | bool) for v in values):
            raise table.wrong(f"attributes.{name}", value, "must be a value or a list of values")
        found[name] = tuple(values)
    return found


def _hours(table: Fields) -> tuple[time, time] | None:
    text = table.text("hours", default="")
    if not text:
        return None
    try:
        begin, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError as error:
        raise table.wrong("hours", text, 'must be like "22:00-06:00"') from error
    if begin == end or begin.tzinfo or end.tzinfo:
        raise table.wrong("hours", text, 'must be two different times like "22:00-06:00"')
    return begin, end
