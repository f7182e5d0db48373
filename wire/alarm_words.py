"""Names and words by which any vendor says "gas alarm", whatever model the device is given.

A model is a person's choice and may be wrong; an alarm must not depend on it. What is read here is
only what leaves no doubt: a truth value, or a word for one, under a name that speaks of gas and of
an alarm, and of nothing else. Concentrations are never alarms here: their limits are in the rules.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

GASES = frozenset({
    "gas", "gases", "co", "monoxide", "ch4", "methane", "lel", "lpg", "lng", "cng", "propane",
    "butane", "natgas", "combustible", "flammable", "燃气", "可燃", "甲烷", "天然气", "煤气",
    "液化气", "一氧化碳",
})  # fmt: skip
# What belongs to the name of a gas.
_FILLERS = frozenset({"carbon", "natural", "coal"})
ALARMS = frozenset({
    "alarm", "alarms", "alarmed", "prealarm", "alert", "leak", "leaks", "leakage", "leaking",
    "detected", "detection", "detect", "warning", "warn", "danger", "emergency", "exceeded",
    "over", "overlimit", "tripped", "triggered", "active", "报警", "告警", "泄漏", "泄露", "超限",
})  # fmt: skip
# Names with one of these are settings and reports about the detector: true for years on end.
SETTINGS = frozenset({
    "enable", "enabled", "disable", "disabled", "switch", "mute", "muted", "silence", "silenced",
    "hush", "threshold", "thresholds", "limit", "set", "setting", "settings", "setpoint", "config",
    "sensitivity", "indicator", "led", "buzzer", "siren", "sound", "ring", "ringtone",
    "melody", "mode", "logic", "invert", "type", "version", "calibration", "calibrated",
    "calibrate", "heartbeat", "duration", "delay", "interval", "count", "counter", "meter",
    "consumption", "online", "connected", "connection", "available", "support", "supported",
    "ready", "normal", "healthy", "lifecycle", "reset", "control", "cmd", "command", "lamp",
    "display", "unit", "name", "id", "supply", "last", "max", "min", "report", "reporting",
    "reports", "time", "使能", "阈值", "开关", "静音",
})  # fmt: skip
# Names with one of these speak of another part or quantity of the detector beside the gas.
PARTS = frozenset({
    "battery", "power", "voltage", "tamper", "temperature", "temp", "humidity", "pressure",
    "valve", "relay", "output", "test", "testing", "selftest", "self", "check", "checking",
    "fault", "faults", "error", "failure", "fail", "preheat", "preheating", "warmup", "warming",
    "offline", "comm", "life", "endoflife", "expired", "maintenance", "linkage", "link", "light",
    "heater", "heating", "boiler", "stove", "manual", "auto", "cause", "code", "message",
    "故障", "电池", "自检",
})  # fmt: skip
# Names with one of these are of quantities: a number under them is no state.
QUANTITIES = frozenset({"value", "level", "concentration", "density", "ppm", "ppb", "pct", "vol"})

# Whatever else stands in a word: "no_alarm", "water_leakage_no", "alarm_cleared".
_QUIET = frozenset({
    "no", "none", "normal", "ok", "clear", "cleared", "off", "false", "idle", "inactive", "quiet",
    "cancel", "canceled", "cancelled", "正常", "无", "未报警",
})  # fmt: skip
# Only where nothing louder stands beside it: "water_leakage,fail_safe".
_CALM = frozenset({"safe", "standby", "good", "dry", "closed"})
_SAYS_NOTHING = frozenset({
    "unknown", "unavailable", "undefined", "detecting", "initializing", "init", "warmup", "preheat",
    "preheating", "test", "testing", "selftest", "na", "null", "disabled",
})  # fmt: skip
_LOUD = ALARMS | frozenset({
    "on", "true", "yes", "abnormal", "critical", "heavy", "mild", "serious", "high", "gas", "fire",
    "smoke", "异常",
})  # fmt: skip

# A name is cut before it is searched: real ones have at most 60 characters. Names repeat: those of
# a city's devices are some thousands.
_NAME_LIMIT = 128
_NAMES_REMEMBERED = 8_192
_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[^a-z0-9]+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
# Digits that belong to the word; others number the same thing: alarm_1, gas2.
_CHEMICAL = re.compile(r"ch4|co2|h2s|o2|o3|no2|so2|nh3|pm\d+")


class Said(Enum):
    """What a value says of the gas."""

    ALARM = "alarm"
    QUIET = "quiet"
    UNCLEAR = "unclear"  # something that may be an alarm, in words nobody knows
    NOTHING = "nothing"  # of no alarm at all


def words_of(text: str) -> frozenset[str]:
    """The lower-case words of a name or value, without the numbers that only count."""
    return _words_of(text[:_NAME_LIMIT])


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _words_of(text: str) -> frozenset[str]:
    parts = _BETWEEN.split(_CASE.sub("_", text).lower())
    words = {p if _CHEMICAL.fullmatch(p) else p.rstrip("0123456789") for p in parts}
    for chinese in _CHINESE.findall(text):
        words |= {word for word in (*GASES, *ALARMS, *SETTINGS, *PARTS, *_QUIET) if word in chinese}
    return frozenset(words - {""})


def word(text: str) -> Said:
    """What a word says that stands for the state of an alarm."""
    words = words_of(text)
    if words & _QUIET or text.strip() in ("", "0"):
        return Said.QUIET
    if words & _SAYS_NOTHING:
        return Said.NOTHING
    if words & _LOUD or text.strip() == "1":
        return Said.ALARM
    return Said.QUIET if words & _CALM else Said.UNCLEAR


class _Name(Enum):
    """What a name speaks of, as far as it bears on gas."""

    OTHER = "something else, or a setting"
    PART = "an alarm of a part of a gas detector"
    ALARM = "an alarm of gas"
    LEVEL = "an alarm of gas, or a quantity that belongs to it"
    GAS = "nothing but gas"
    STATE = "gas and words that say too little"


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _kind_of(name: str) -> _Name:
    words = words_of(name)
    if {"over", "limit"} <= words:
        words -= {"limit"}
    if not words & GASES or words & SETTINGS:
        return _Name.OTHER
    if words & PARTS:
        return _Name.PART if words & ALARMS else _Name.OTHER
    if words & ALARMS:
        return _Name.LEVEL if words & QUANTITIES else _Name.ALARM
    return _Name.GAS if words <= GASES | _FILLERS else _Name.STATE


def gas_alarm(name: str, value: float | bool | str) -> Said:
    """What a value of a message says of a gas alarm, by its name and itself alone."""
    kind = _kind_of(name[:_NAME_LIMIT])
    if kind is _Name.OTHER:
        return Said.NOTHING
    if kind is _Name.PART:
        return Said.UNCLEAR if _is_loud(value) else Said.NOTHING
    of_alarm = kind in (_Name.ALARM, _Name.LEVEL)
    if isinstance(value, str):
        said = word(value)
        return Said.NOTHING if said is Said.UNCLEAR and not of_alarm else said
    if isinstance(value, bool):
        if of_alarm or kind is _Name.GAS:
            return Said.ALARM if value else Said.QUIET
        return Said.UNCLEAR if value else Said.NOTHING
    if kind is not _Name.ALARM:
        return Said.NOTHING
    if value in (0, 1):
        return Said.ALARM if value else Said.QUIET
    return Said.UNCLEAR


def _is_loud(value: float | bool | str) -> bool:
    return word(value) is Said.ALARM if isinstance(value, str) else value == 1
