"""What a value of a Zigbee device means: by its bridge's definition, or safely without one.

The name says what is measured, the definition in which unit and with which words. Without the
definition only what is the same in all of them is taken: the rest is refused, never guessed. What
may be an alarm is never passed over, whether or not anybody defined it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from city.reading import (
    ALARM_OF_DEVICE,
    ALARM_UNCLEAR,
    METRICS,
    NO_READING,
    UNIT_UNKNOWN,
    RawValue,
)
from wire.alarm_words import (
    ALARMS,
    GASES,
    PARTS,
    QUANTITIES,
    SETTINGS,
    Said,
    gas_alarm,
    word,
    words_of,
)
from wire.home.zigbee2mqtt_definitions import Definition, Exposed
from wire.units import convert

# Without a definition: battery voltages are sent in millivolts and lie above this, voltages of
# the mains in volts.
MILLIVOLTS_FROM = 1000

# Metrics by the property, with the unit where every definition has the same one. The others need
# the definition: pressure is sent in kPa and in hPa, a current in A and in mA.
_QUANTITIES: dict[str, tuple[str, str]] = {
    "temperature": ("temperature_c", "°C"), "local_temperature": ("temperature_c", "°C"),
    "humidity": ("humidity_pct", "%"), "pressure": ("pressure_kpa", ""),
    "co2": ("co2_ppm", "ppm"), "ozone": ("o3_ppm", "ppb"),
    "liquid_level_percent": ("fill_pct", "%"), "liquid_depth": ("water_level_cm", ""),
    "water_level": ("water_level_cm", ""),
    "angle_x": ("tilt_deg", "°"), "angle_y": ("tilt_deg", "°"),  # angle_z is 90 when it lies flat
    # `illuminance` was a raw number before 2.0.
    "illuminance_lux": ("illuminance_lx", "lx"), "illuminance": ("illuminance_lx", ""),
    "power": ("power_w", "W"), "current": ("current_a", ""), "energy": ("energy_kwh", "kWh"),
    "voltage": ("voltage_v", "V"), "power_factor": ("power_factor", ""),
    # Of a meter of three phases the first.
    "voltage_a": ("voltage_v", "V"), "voltage_phase_a": ("voltage_v", "V"),
    "ac_frequency": ("frequency_hz", "Hz"), "power_apparent": ("apparent_power_va", "VA"),
    "power_reactive": ("reactive_power_var", "var"),
    "leakage_current": ("leakage_ma", "mA"), "leakage": ("leakage_ma", "mA"),
    "battery": ("battery_pct", "%"), "linkquality": ("link_quality", ""),
}  # fmt: skip
_CARBON_MONOXIDE = frozenset({"co", "monoxide"})
# How the concentration of a combustible gas is written. Cubic metres are a meter's.
_GAS_UNITS = {
    "%LEL": ("ch4_pct_lel", "%LEL"), "LEL": ("ch4_pct_lel", "%LEL"),
    "LEL %": ("ch4_pct_lel", "%LEL"), "LEL%": ("ch4_pct_lel", "%LEL"),
    "ppm": ("gas_ppm", "ppm"), "%vol": ("ch4_pct_vol", "%vol"), "% vol": ("ch4_pct_vol", "%vol"),
}  # fmt: skip
_VOLUMES = frozenset({"m³", "m3", "L", "l", "ft³", "ft3", "gal"})

# Flags by the name without the number of a zone. A tilted cover is no longer closed.
_FLAGS = {
    "water_leak": "flooded", "active_water_leak": "flooded", "water_leak_alarm": "flooded",
    "water": "flooded", "water_sensor": "flooded", "water_condition_alarm": "flooded",
    "tilt": "cover_open", "contact_alarm": "cover_open", "vibration": "vibration",
    "occupancy": "motion", "presence": "motion", "occupancy_alarm": "motion",
    "battery_low": "battery_low", "tamper": "tamper", "tamper_alarm": "tamper",
}  # fmt: skip
_LEAK = frozenset({"leak", "leaks", "leaking", "flood", "flooded", "flooding"})
_LIQUID = {"low": False, "normal": False, "high": True}
# Words of names, and of values, by which something wants a person.
_DANGER = frozenset({
    "alarm", "alarms", "alarmed", "prealarm", "alert", "leakage", "smoke", "fire", "sos", "panic",
    "emergency", "warning", "warn", "burglar", "intrusion", "gas", "monoxide",
}) | _LEAK  # fmt: skip
_DANGER_SAID = _DANGER | frozenset({"co", "tilt", "tilted"})
_TESTS = frozenset({"test", "testing", "selftest", "self", "check", "checking"})
_OWN_ALARM = frozenset({"alarm", "alarms", "alarmed"})
_STATE = frozenset({"state", "status"})
_OWN_WORDS = ALARMS | frozenset({"critical", "serious", "on", "true", "yes"})


def meant(value: RawValue, definition: Definition | None, endpoint: str = "") -> RawValue:
    """The value with its meaning, its unit, and true or false where it stands for that. The
    message of an endpoint has the names without the endpoint that definitions end them in."""
    exposed = _exposed(value, definition, endpoint)
    if exposed is None:
        return _undefined(value)
    if exposed.type == "numeric":
        is_number = isinstance(value.value, float)
        return _number(value, exposed, definition) if is_number else _undefined(value)
    if exposed.type == "binary":
        return _flag(value, exposed)
    return _text(value, exposed)


def _exposed(value: RawValue, definition: Definition | None, endpoint: str) -> Exposed | None:
    """Output mode `attribute` writes a nested name with a dash, a list's items have an index."""
    if definition is None or not definition.exposed:
        return None
    sent = value.name
    for name in (f"{sent}_{endpoint}", sent, sent.partition("[")[0], sent.replace("-", ".")):
        if name in definition.exposed:
            return definition.exposed[name]
    return None


def _undefined(value: RawValue) -> RawValue:
    """As the definition would have it, as far as the value itself shows that."""
    found = _guessed(value)
    return value if found.meaning == NO_READING else found


def _guessed(value: RawValue) -> RawValue:
    name = value.name.partition("[")[0]
    words = words_of(name)
    guess = Exposed(name, is_settable=bool(words & (SETTINGS | {"volume"})))
    if isinstance(value.value, bool):
        return _flag(value, replace(guess, type="binary", on="true", off="false"))
    if isinstance(value.value, str):
        return _text(value, replace(guess, type="enum", of="switch" if name == "state" else ""))
    is_flag = _is_leak(name) or (words & _DANGER & ALARMS and not words & QUANTITIES)
    if value.value in (0, 1) and is_flag:
        return _flag(value, replace(guess, type="binary", on="1", off="0"))
    return _undefined_number(value, name)


# --- quantities --------------------------------------------------------------------------------


def _number(value: RawValue, exposed: Exposed, definition: Definition | None) -> RawValue:
    if exposed.is_settable:
        return replace(value, meaning=NO_READING)
    if is_gas(exposed.name):
        metric, unit = _gas(exposed, definition)
    elif value.name in _QUANTITIES:
        metric, unit = _QUANTITIES[value.name][0], exposed.unit
        if value.name == "voltage" and _of_battery(unit, definition):
            metric = "battery_v"
        if METRICS[metric].unit == "1":
            unit = unit if unit == "%" else ""
        elif not unit or convert(1.0, unit, METRICS[metric], None) is None:
            metric, unit = NO_READING, ""
    else:
        metric, unit = NO_READING, ""
    return replace(value, unit=value.unit or unit, meaning=metric)


def is_gas(name: str) -> bool:
    """The name is of a concentration of gas, not of a limit for one."""
    words = words_of(name)
    return bool(words & GASES) and not words & (SETTINGS | PARTS)


def _gas(exposed: Exposed, definition: Definition | None) -> tuple[str, str]:
    if words_of(exposed.name) & _CARBON_MONOXIDE:
        known = ("co_ppm", exposed.unit) if exposed.unit in ("ppm", "ppb") else None
    else:
        known = _GAS_UNITS.get(exposed.unit)
    if known is not None:
        return known
    if exposed.unit.partition("/")[0] in _VOLUMES or _says_gas_otherwise(definition):
        return NO_READING, ""
    return UNIT_UNKNOWN, ""


def _says_gas_otherwise(definition: Definition | None) -> bool:
    """A raw number beside an alarm, or beside a concentration in a unit, is no news."""
    exposed = (definition.exposed or {}).values() if definition is not None else ()
    return any(
        is_gas(item.name) and (item.type == "binary" or item.unit in _GAS_UNITS)
        for item in exposed
        if not item.is_settable
    )


def _of_battery(unit: str, definition: Definition | None) -> bool:
    """Volts are a battery's if nothing else feeds the device, millivolts unless only the mains
    do."""
    source = definition.power_source if definition is not None else ""
    if unit != "mV":
        return source == "Battery"
    has_battery = definition is not None and "battery" in (definition.exposed or {})
    return has_battery or not source.startswith("Mains")


def _undefined_number(value: RawValue, name: str) -> RawValue:
    number = value.value
    assert isinstance(number, float)
    if is_gas(name):
        said = gas_alarm(name, number)
        if said is not Said.NOTHING:
            return _said(value, said, "gas_alarm")
        is_co = bool(words_of(name) & _CARBON_MONOXIDE)
        return _certain(value, *(("co_ppm", "ppm") if is_co else (UNIT_UNKNOWN, "")))
    if name == "voltage" and number > MILLIVOLTS_FROM:
        return _certain(value, "battery_v", "mV")
    if name == "power_factor" and (number == 0 or abs(number) > 1):
        return _certain(value, "power_factor", "%")
    if name == "linkquality":
        return _certain(value, "link_quality", "")
    metric, unit = _QUANTITIES.get(name, ("", ""))
    if not metric:
        return value
    return _certain(value, metric if unit or value.unit else UNIT_UNKNOWN, unit)


def _certain(value: RawValue, meaning: str, unit: str) -> RawValue:
    return replace(value, unit=value.unit or unit, meaning=meaning)


# --- flags and words ---------------------------------------------------------------------------


def _flag(value: RawValue, exposed: Exposed) -> RawValue:
    sent = _sent(value)
    if exposed.name == "contact":
        return _contact(value, sent)
    state = {exposed.on.lower(): True, exposed.off.lower(): False}.get(sent.lower())
    if exposed.of in ("switch", "light") and value.name == "state":
        return replace(value, meaning="lamp_on") if state is None else _is(value, state, "lamp_on")
    if exposed.is_settable:
        return replace(value, meaning=NO_READING)
    said = word(sent) if state is None else Said.ALARM if state else Said.QUIET
    metric = _flag_metric(exposed.name)
    if metric:
        return _said(value, said, metric)
    return _danger(value, exposed, said, sent)


def _flag_metric(name: str) -> str:
    if gas_alarm(name, True) is Said.ALARM:
        return "gas_alarm"
    if _is_leak(name):
        return "flooded"
    return _FLAGS.get(_flag_name(name), "")


def _flag_name(name: str) -> str:
    return name.rstrip("0123456789").rstrip("_")


def _is_leak(name: str) -> bool:
    """Of water: what leaks from a lamp is current, and a valve may say it of itself."""
    words = words_of(name)
    leaks = words & _LEAK or ("leakage" in words and "water" in words)
    return bool(leaks) and not words & (SETTINGS | PARTS | GASES)


def _contact(value: RawValue, sent: str) -> RawValue:
    """True is closed, whichever of the two the definition calls "on"; words are not so sure."""
    closed = {"true": True, "false": False}.get(sent.lower())
    if closed is None:
        return replace(value, meaning=ALARM_UNCLEAR)
    return _is(value, not closed, "cover_open")


def _text(value: RawValue, exposed: Exposed) -> RawValue:
    sent = _sent(value)
    if exposed.name == "contact":
        return _contact(value, sent)
    if exposed.of == "switch" and value.name == "state" and sent.lower() in ("on", "off"):
        return _is(value, sent.lower() == "on", "lamp_on")
    if exposed.is_settable:
        return replace(value, meaning=NO_READING)
    said = gas_alarm(exposed.name, sent)
    if said is not Said.NOTHING:
        return _said(value, said, "gas_alarm")
    if exposed.name == "liquid_state" and sent.lower() in _LIQUID:
        return _is(value, _LIQUID[sent.lower()], "flooded")
    if _flag_metric(exposed.name) == "flooded":
        return _said(value, word(sent), "flooded")
    return _danger(value, exposed, word(sent), sent)


def _danger(value: RawValue, exposed: Exposed, said: Said, sent: str) -> RawValue:
    """What no metric stands for, but a person might want to know."""
    words, in_value = words_of(exposed.name), words_of(sent)
    is_named = words & _DANGER and not words & (SETTINGS | _TESTS)
    if not is_named and not in_value & _DANGER_SAID:
        return replace(value, meaning=NO_READING)
    is_own = bool(words & _OWN_ALARM) and words <= _OWN_ALARM | _STATE
    if said is Said.QUIET:
        return _is(value, False, ALARM_OF_DEVICE if is_own else NO_READING)
    if said is Said.NOTHING:
        return replace(value, meaning=NO_READING)
    if is_own and said is Said.ALARM and in_value <= _OWN_WORDS:
        return _is(value, True, ALARM_OF_DEVICE)
    return replace(value, meaning=ALARM_UNCLEAR)


def _said(value: RawValue, said: Said, metric: str) -> RawValue:
    if said is Said.UNCLEAR:
        return replace(value, meaning=ALARM_UNCLEAR)
    if said is Said.NOTHING:
        return replace(value, meaning=NO_READING)
    return _is(value, said is Said.ALARM, metric)


def _is(value: RawValue, state: bool, meaning: str) -> RawValue:
    """True or false; what was sent is kept, where it was something else."""
    sent = value.value if value.sent is None else value.sent
    return replace(value, value=state, sent=None if sent is state else sent, meaning=meaning)


def _sent(value: RawValue) -> str:
    """What stood in the message, as definitions write it."""
    said: Any = value.value if value.sent is None else value.sent
    if isinstance(said, bool):
        return "true" if said else "false"
    return f"{said:g}" if isinstance(said, (int, float)) else str(said).strip()
