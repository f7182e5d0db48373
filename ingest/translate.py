"""A vendor's named values to canonical readings, by the device's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from city.reading import (
    METRICS,
    REASON_FIELD,
    Quality,
    RawValue,
    Reading,
    Reject,
    TimeSource,
)
from ingest.formats.times import time_or_none
from ingest.models import DeviceModel, FieldRule
from ingest.quality import is_implausibly_old, is_in_future, out_of_range
from ingest.units import convert


@dataclass(frozen=True, slots=True)
class Translated:
    """Canonical readings of one message; values without a metric; whether any name was known."""

    readings: tuple[Reading, ...] = ()
    rejects: tuple[Reject, ...] = ()
    kept_out: tuple[RawValue, ...] = ()
    known: bool = False


def translate(
    device: str, values: Sequence[RawValue], model: DeviceModel | None, gas: str | None
) -> Translated:
    """Readings of the values that the model, or the canonical names, know."""
    if model is not None and model.time_field:
        values = _with_device_time(values, model.time_field)
    chosen: dict[tuple[str, datetime], tuple[int, Reading]] = {}
    rejects: list[Reject] = []
    kept_out: list[RawValue] = []
    known = not values
    for value in values:
        rule = _rule(value.name, model)
        if rule is None:
            known = known or (model is not None and model.knows(value.name))
            kept_out.append(value)
            continue
        known = True
        reading = _reading(device, value, rule, gas)
        if isinstance(reading, Reading):
            _choose(chosen, reading, rule, value.name)
        elif reading is not None:
            rejects.append(reading)
    readings = tuple(reading for _, reading in chosen.values())
    return Translated(readings, tuple(rejects), tuple(kept_out), known)


def _rule(name: str, model: DeviceModel | None) -> FieldRule | None:
    """The model's rule; a canonical name needs none."""
    rule = model.rule(name) if model is not None else None
    if rule is None and name in METRICS:
        rule = FieldRule((name,), METRICS[name])
    return rule


def _choose(
    chosen: dict[tuple[str, datetime], tuple[int, Reading]],
    reading: Reading,
    rule: FieldRule,
    name: str,
) -> None:
    """One reading a metric and time: the name listed first, or the largest of all."""
    key = (reading.metric, reading.ts)
    rank = [listed.lower() for listed in rule.names].index(name.lower())
    if key in chosen:
        held_rank, held = chosen[key]
        better = abs(reading.value) > abs(held.value) if rule.largest else rank < held_rank
        if not better:
            return
    chosen[key] = (rank, reading)


def _reading(
    device: str, value: RawValue, rule: FieldRule, gas: str | None
) -> Reading | Reject | None:
    """The canonical reading; a Reject if the value is impossible; None if it says nothing."""
    number = _number(value, rule)
    if number is None:
        return _not_a_number(value, rule)
    if number in rule.sentinels:
        return None
    if rule.scale is not None:
        converted: float | None = number * rule.scale + rule.offset
    else:
        converted = convert(number + rule.offset, value.unit or rule.unit, rule.metric, gas)
    if converted is None:
        unit = value.unit or rule.unit
        detail = f"{value.name}: {unit} cannot become {rule.metric.unit} without knowing the gas"
        return Reject(REASON_FIELD, detail)
    if rule.wrap_deg is not None and converted > rule.wrap_deg / 2:
        converted -= rule.wrap_deg
    problem = out_of_range(value.name, converted, rule.metric, rule.low, rule.high)
    if problem is not None:
        return problem
    sent = value.value if value.sent is None else value.sent
    return Reading(
        device, rule.metric.name, converted, rule.metric.unit, value.ts, value.ts_from,
        value.name, sent, value.unit or rule.unit, value.quality,
    )  # fmt: skip


def _number(value: RawValue, rule: FieldRule) -> float | None:
    """The value as a number: by the model's texts, or as it is."""
    if isinstance(value.value, str):
        return rule.values.get(value.value.strip().lower())
    if isinstance(value.value, bool):
        text = "true" if value.value else "false"
        if text in rule.values:
            return rule.values[text]
        return float(value.value) if rule.metric.unit == "0/1" else None
    return float(value.value)


def _not_a_number(value: RawValue, rule: FieldRule) -> Reject | None:
    expected = f"one of {sorted(rule.values)}" if rule.values else "a number"
    if value.value == "":
        return None
    detail = f"{value.name}: must be {expected} (got {str(value.value)[:60]!r})"
    return Reject(REASON_FIELD, detail)


def _with_device_time(values: Sequence[RawValue], name: str) -> Sequence[RawValue]:
    """The device's own clock, where it agrees with the network's to the same limits by which
    the network's is judged against ours; stored points keep the times they have."""
    said = next((value for value in values if value.name.lower() == name.lower()), None)
    ts = time_or_none(said.sent if said is not None and said.sent is not None else None)
    if said is None or ts is None:
        return values
    if is_in_future(ts, said.ts) or is_implausibly_old(ts, said.ts):
        return values
    return [
        value if value.quality is Quality.LATE else replace(value, ts=ts, ts_from=TimeSource.DEVICE)
        for value in values
    ]
