"""A vendor's named values to canonical readings, by the device's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from ingest.device_model import DeviceModel, FieldRule
from ingest.formats.times import time_or_none
from ingest.quality import is_implausibly_old, is_in_future, out_of_range
from ingest.units import convert

# What stands between a device and a quantity in one name.
NAME_SEPARATORS = frozenset(":/._-")


@dataclass(frozen=True, slots=True)
class Translated:
    """Canonical readings of one message; values that gave none; whether any name was known."""

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
    said = _said(values) if model is not None and model.conditional else {}
    chosen: dict[tuple[str, datetime], tuple[int, Reading, RawValue]] = {}
    rejects: list[Reject] = []
    kept_out: list[RawValue] = []
    known = not values
    for value in values:
        name = _own_name(device, value.name, model)
        rule = _rule(name, model)
        if rule is None:
            known = known or (model is not None and model.knows(name))
            kept_out.append(value)
            continue
        known = True
        reading = _reading(device, value, rule, gas)
        if said:
            reading = _judged(reading, rule, said)
        if isinstance(reading, Reject):
            rejects.append(reading)
            continue
        beaten = value if reading is None else _choose(chosen, reading, rule, value, name)
        if beaten is not None:
            kept_out.append(beaten)
    readings = tuple(reading for _, reading, _ in chosen.values())
    return Translated(readings, tuple(rejects), tuple(kept_out), known)


def _own_name(device: str, name: str, model: DeviceModel | None) -> str:
    """The name as the model has it: SenML and LwM2M put the device in front of every name."""
    if model is None or model.rule(name) is not None or not device:
        return name
    if name.startswith(device) and name[len(device) : len(device) + 1] in NAME_SEPARATORS:
        return name[len(device) + 1 :]
    return name


def _rule(name: str, model: DeviceModel | None) -> FieldRule | None:
    """The model's rule; a canonical name needs none."""
    rule = model.rule(name) if model is not None else None
    if rule is None and name in METRICS:
        rule = FieldRule((name,), METRICS[name])
    return rule


def _choose(
    chosen: dict[tuple[str, datetime], tuple[int, Reading, RawValue]],
    reading: Reading,
    rule: FieldRule,
    value: RawValue,
    name: str,
) -> RawValue | None:
    """One reading a metric and time: the name listed first, or the largest of all. The value
    that is not taken comes back."""
    key = (reading.metric, reading.ts)
    rank = [listed.lower() for listed in rule.names].index(name.lower())
    beaten = None
    if key in chosen:
        held_rank, held, beaten = chosen[key]
        better = abs(reading.value) > abs(held.value) if rule.largest else rank < held_rank
        if not better:
            return value
    chosen[key] = (rank, reading, value)
    return beaten


def _said(values: Sequence[RawValue]) -> dict[tuple[str, datetime], str]:
    """What every value of the message says, as text in lower case."""
    return {(value.name.lower(), value.ts): _text(value.value) for value in values}


def _judged(
    reading: Reading | Reject | None, rule: FieldRule, said: Mapping[tuple[str, datetime], str]
) -> Reading | Reject | None:
    """The reading as the other values of its message let it stand."""
    if not isinstance(reading, Reading):
        return reading
    if any(said.get((name, reading.ts)) in texts for name, texts in rule.unless.items()):
        return None
    if any(said.get((name, reading.ts)) in texts for name, texts in rule.suspect_if.items()):
        return replace(reading, quality=max(reading.quality, Quality.SUSPECT))
    return reading


def _text(value: float | bool | str) -> str:
    """A value as model files write it: a lower-case word, "true", "2"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip().lower() if isinstance(value, str) else f"{value:g}"


def _reading(
    device: str, value: RawValue, rule: FieldRule, gas: str | None
) -> Reading | Reject | None:
    """The canonical reading; a Reject if the value is impossible; None if it says nothing."""
    converted = _listed(value.value, rule)
    if converted is None:
        if _is_sentinel(value.value, rule):
            return None
        number = _number(value.value, rule)
        if number is None:
            return _not_a_number(value, rule)
        converted = _converted(number, value.unit or rule.unit, rule, gas)
    if converted is None:
        return _not_convertible(value, rule)
    if rule.wrap_deg is not None and converted > rule.wrap_deg / 2:
        converted -= rule.wrap_deg
    if rule.invert:
        converted = 1 - converted
    problem = out_of_range(value.name, converted, rule.metric, rule.low, rule.high)
    if problem is not None:
        return problem
    sent = value.value if value.sent is None else value.sent
    return Reading(
        device, rule.metric.name, converted, rule.metric.unit, value.ts, value.ts_from,
        value.name, sent, value.unit or rule.unit, value.quality,
    )  # fmt: skip


def _listed(value: float | bool | str, rule: FieldRule) -> float | None:
    """The reading that the model lists for a text, a truth value or a code."""
    return rule.values.get(_text(value)) if rule.values else None


def _is_sentinel(value: float | bool | str, rule: FieldRule) -> bool:
    if isinstance(value, str):
        return value == "" or value.strip().lower() in rule.sentinel_texts
    return not isinstance(value, bool) and value in rule.sentinels


def _number(value: float | bool | str, rule: FieldRule) -> float | None:
    """The value as a number; a text is none, and a truth value only where 0 and 1 are."""
    if isinstance(value, str) or (isinstance(value, bool) and rule.metric.unit != "0/1"):
        return None
    return float(value)


def _converted(number: float, unit: str, rule: FieldRule, gas: str | None) -> float | None:
    if rule.scale is not None:
        return number * rule.scale + rule.offset
    return convert(number + rule.offset, unit, rule.metric, gas)


def _not_a_number(value: RawValue, rule: FieldRule) -> Reject:
    expected = f"one of {sorted(rule.values)}" if rule.values else "a number"
    detail = f"{value.name}: must be {expected} (got {str(value.value)[:60]!r})"
    return Reject(REASON_FIELD, detail)


def _not_convertible(value: RawValue, rule: FieldRule) -> Reject:
    unit = value.unit or rule.unit
    depends = " without knowing the gas" if "%LEL" in (unit, rule.metric.unit) else ""
    detail = f"{value.name}: {unit} cannot become {rule.metric.unit}{depends}"
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
