"""Reasons as JSON for the database and as sentences for people. Codes stay put."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from alerts.rules import Comparison, Rule
from city.alarm import Reason

CODES: dict[Comparison, str] = {
    Comparison.AT_OR_ABOVE: "value_at_or_above_limit",
    Comparison.ABOVE: "value_above_limit",
    Comparison.AT_OR_BELOW: "value_at_or_below_limit",
    Comparison.BELOW: "value_below_limit",
    Comparison.EQUALS: "value_equals_limit",
    Comparison.DEVIATES_ABOVE: "deviates_from_baseline",
}
DEVICE_SILENT = "device_silent"
FEED_SILENT = "feed_silent"
GATEWAY_SILENT = "gateway_silent"
GATEWAY_OFFLINE = "gateway_offline"
SERVER_SILENT = "server_silent"
LAMP_DARK = "lamp_dark"
LAMPS_DARK = "lamps_dark_in_cabinet"
CONFIRMED = "confirmed_by_person"

SENTENCES: dict[str, tuple[str, str]] = {
    "value_at_or_above_limit": (
        "{value}{unit},达到或超过限值 {limit}{unit}",
        "{value} {unit} is at or above the limit of {limit} {unit}",
    ),
    "value_above_limit": (
        "{value}{unit},超过限值 {limit}{unit}",
        "{value} {unit} is above the limit of {limit} {unit}",
    ),
    "value_at_or_below_limit": (
        "{value}{unit},等于或低于限值 {limit}{unit}",
        "{value} {unit} is at or below the limit of {limit} {unit}",
    ),
    "value_below_limit": (
        "{value}{unit},低于限值 {limit}{unit}",
        "{value} {unit} is below the limit of {limit} {unit}",
    ),
    "value_equals_limit": ("设备上报 {title_zh}", "the device reports: {title_en}"),
    "deviates_from_baseline": (
        "与基准 {baseline}{unit} 相差 {deviation}{unit},超过限值 {limit}{unit}",
        "{deviation} {unit} away from the baseline of {baseline} {unit}, limit {limit} {unit}",
    ),
    DEVICE_SILENT: (
        "{value} 秒没有读数,超过 {intervals} 个上报周期({limit} 秒)",
        "no reading for {value} s, more than {intervals} reporting intervals ({limit} s)",
    ),
    FEED_SILENT: (
        "{value} 秒没有收到任何设备的数据",
        "nothing at all was received for {value} s",
    ),
    GATEWAY_SILENT: (
        "网关 {gateway} 已 {value} 秒没有任何信号,{devices} 台设备只能经它上报(燃气 {gas} 台)",
        "nothing was heard through {gateway} for {value} s; {devices} devices have no other way "
        "({gas} gas)",
    ),
    GATEWAY_OFFLINE: (
        "网关 {gateway} 自报离线已 {value} 秒,{devices} 台设备只能经它上报(燃气 {gas} 台)",
        "{gateway} says that it has been offline for {value} s; {devices} devices have no other "
        "way ({gas} gas)",
    ),
    SERVER_SILENT: (
        "平台 {gateway} 已 {value} 秒没有任何数据,涉及 {devices} 台设备(燃气 {gas} 台)",
        "nothing was received from {gateway} for {value} s; {devices} devices report through it "
        "({gas} gas)",
    ),
    LAMP_DARK: (
        "日落后应亮未亮:{shown_zh}",
        "should be lit after sunset and is not: {shown_en}",
    ),
    LAMPS_DARK: (
        "配电箱 {cabinet} 有 {value} 盏灯应亮未亮",
        "{value} lamps of cabinet {cabinet} should be lit and are not",
    ),
    CONFIRMED: (
        "{reviewer} 确认了视频事件 {type}",
        "{reviewer} confirmed the video event {type}",
    ),
}


def as_json(reason: Reason) -> dict[str, Any]:
    """A reason as it is stored; `since` is RFC 3339."""
    stored = asdict(reason)
    stored["since"] = reason.since.isoformat() if reason.since else None
    return stored


def from_json(stored: dict[str, Any]) -> Reason:
    """The reverse of `as_json`."""
    since = stored.get("since")
    return Reason(**{**stored, "since": datetime.fromisoformat(since) if since else None})


def value_reason(
    rule: Rule, value: float, limit: float, since: datetime, baseline: float | None = None
) -> Reason:
    """Why a value tripped a level of a reading rule."""
    assert rule.comparison is not None
    assert rule.metric is not None
    facts: dict[str, Any] = {"title_zh": rule.title_zh, "title_en": rule.title_en}
    if baseline is not None:
        facts |= {"baseline": baseline, "deviation": round(turned_by(value, baseline, rule), 3)}
    return Reason(
        code=CODES[rule.comparison],
        rule=rule.code,
        rule_version=rule.version,
        metric=rule.metric.name,
        value=value,
        limit=limit,
        unit=rule.metric.unit,
        since=since,
        facts=facts,
    )


def turned_by(value: float, baseline: float, rule: Rule) -> float:
    """Distance from the baseline; angles go the short way round."""
    apart = abs(value - baseline)
    if rule.metric is not None and rule.metric.unit == "°":
        return min(apart, 360 - apart)
    return apart


def sentence(reason: Reason, language: str = "zh") -> str:
    """One sentence for a person, `zh` or `en`."""
    zh, en = SENTENCES[reason.code]
    known = {
        **reason.facts,
        "unit": reason.unit,
        "value": _short(reason.value),
        "limit": _short(reason.limit),
    }
    numbers = {k: _short(v) if isinstance(v, float) else v for k, v in known.items()}
    text = (zh if language == "zh" else en).format(**numbers)
    title = reason.facts.get(f"title_{language}")
    return f"{title}: {text}" if title and reason.code != "value_equals_limit" else text


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"
