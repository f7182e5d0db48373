"""Objects and resources of the OMA LwM2M registry: what the numbers of a path stand for.

Facts from the registry's object definitions (IPSO 3200 to 3350, uCIFI 3403 to 3435); ids that
are not listed here keep their numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# [/]object/instance/resource[/resource instance], with anything that names the device before it.
_PATH = re.compile(
    r"(?:/|(?P<device>[^/].{0,255}?)[/:])??(?P<object>\d{1,5})/"
    r"(?:(?P<instance>\d{1,5})/)?(?P<resource>\d{1,5})(?:/\d{1,5})?"
)
SENSOR_VALUE = 5700
SENSOR_UNITS = 5701
APPLICATION_TYPE = 5750
TIMESTAMP = 5518
FRACTION = 6050
QUALITY_INDICATOR = 6042
QUALITY_LEVEL = 6049
# Resources that say something about the value beside them and are no values themselves.
ABOUT = frozenset({SENSOR_UNITS, APPLICATION_TYPE, TIMESTAMP, FRACTION})
# Measurement quality: 1 and 2 rejected, 3 accepted but suspicious.
DOUBTFUL = frozenset({1, 2, 3})
LATITUDE, LONGITUDE = (3336, 5513), (3336, 5514)

OBJECTS: dict[int, str] = {
    3: "Device", 4: "Connectivity Monitoring", 5: "Firmware Update", 6: "Location",
    7: "Connectivity Statistics", 3200: "Digital Input", 3201: "Digital Output",
    3202: "Analogue Input", 3203: "Analogue Output", 3300: "Generic Sensor",
    3301: "Illuminance", 3302: "Presence", 3303: "Temperature", 3304: "Humidity",
    3305: "Power Measurement", 3306: "Actuation", 3308: "Set Point", 3310: "Load Control",
    3311: "Light Control", 3312: "Power Control", 3313: "Accelerometer", 3314: "Magnetometer",
    3315: "Barometer", 3316: "Voltage", 3317: "Current", 3318: "Frequency", 3319: "Depth",
    3320: "Percentage", 3321: "Altitude", 3322: "Load", 3323: "Pressure", 3324: "Loudness",
    3325: "Concentration", 3326: "Acidity", 3327: "Conductivity", 3328: "Power",
    3329: "Power Factor", 3330: "Distance", 3331: "Energy", 3332: "Direction", 3333: "Time",
    3334: "Gyrometer", 3335: "Colour", 3336: "Location", 3337: "Positioner", 3338: "Buzzer",
    3339: "Audio Clip", 3340: "Timer", 3341: "Addressable Text Display",
    3342: "On/Off Switch", 3343: "Dimmer", 3344: "Up/Down Control",
    3345: "Multiple Axis Joystick", 3346: "Rate", 3347: "Push Button", 3411: "Battery",
    3416: "Outdoor Lamp Controller", 3417: "Luminaire Asset", 3418: "Electrical Monitor",
    3421: "Single-phase Electrical Meter", 3428: "Air Quality", 3429: "Tilt Sensor",
    3435: "Filling Level", 10241: "HostDeviceInfo",
}  # fmt: skip

# (object, resource) -> metric, and the unit that the registry gives the resource. Sensor values
# whose definition leaves the unit to resource 5701 have none here.
_METRICS: dict[tuple[int, int], tuple[str, str]] = {
    (3, 7): ("battery_v", "mV"), (3, 9): ("battery_pct", "%"), (4, 2): ("rssi_dbm", "dBm"),
    (3301, 5700): ("illuminance_lx", "lx"), (3302, 5500): ("motion", ""),
    (3303, 5700): ("temperature_c", "Cel"), (3304, 5700): ("humidity_pct", "%RH"),
    (3305, 5800): ("power_w", "W"), (3305, 5805): ("energy_kwh", "Wh"),
    (3305, 5810): ("reactive_power_var", "var"), (3305, 5820): ("power_factor", "1"),
    (3311, 5850): ("lamp_on", ""), (3311, 5851): ("dim_pct", "/100"),
    (3311, 5805): ("energy_kwh", "Wh"), (3311, 5820): ("power_factor", "1"),
    (3312, 5805): ("energy_kwh", "Wh"), (3312, 5820): ("power_factor", "1"),
    (3315, 5700): ("pressure_kpa", ""), (3316, 5700): ("voltage_v", "V"),
    (3317, 5700): ("current_a", "A"), (3318, 5700): ("frequency_hz", "Hz"),
    (3323, 5700): ("pressure_kpa", ""), (3328, 5700): ("power_w", "W"),
    (3329, 5700): ("power_factor", "1"), (3330, 5700): ("distance_mm", ""),
    (3331, 5700): ("energy_kwh", ""), (3331, 5805): ("energy_kwh", "Wh"),
    (3411, 1): ("battery_pct", "/100"), (3411, 3): ("battery_v", "V"),
    (3411, 6): ("battery_low", ""), (3416, 3): ("dim_pct", "/100"),
    (3416, 5): ("lamp_fault", ""), (3416, 15): ("operating_h", "h"),
    (3416, 21): ("temperature_c", "Cel"), (3418, 1): ("voltage_v", "V"),
    (3418, 2): ("current_a", "A"), (3418, 3): ("frequency_hz", "Hz"),
    (3418, 4): ("power_w", "W"), (3418, 5): ("power_factor", "1"),
    (3418, 6): ("energy_kwh", "Wh"), (3418, 29): ("reactive_power_var", "var"),
    (3421, 1): ("voltage_v", "V"), (3421, 6): ("current_a", "A"),
    (3421, 11): ("frequency_hz", "Hz"), (3421, 13): ("power_factor", "1"),
    (3421, 16): ("power_w", "W"), (3421, 18): ("reactive_power_var", "var"),
    (3421, 20): ("apparent_power_va", "VA"), (3421, 25): ("energy_kwh", "Wh"),
    (3428, 7): ("co_ppm", "ppm"), (3428, 9): ("so2_ppm", "ppm"), (3428, 12): ("o3_ppm", "ppm"),
    (3428, 15): ("no2_ppm", "ppm"), (3428, 17): ("co2_ppm", "ppm"),
    (3429, 1): ("tilt_deg", "rad"), (3435, 2): ("fill_pct", "/100"),
    (3435, 21): ("cover_open", ""), (3435, 23): ("flooded", ""),
}  # fmt: skip
# Quantities that the registry leaves without a unit: a reading only where the message has one.
_NEEDS_UNIT = frozenset({"pressure_kpa", "distance_mm", "energy_kwh"})


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a device's tree of objects; `device` is what stands before it."""

    device: str
    object: int
    instance: int
    resource: int

    @property
    def key(self) -> tuple[int, int]:
        return self.object, self.resource

    @property
    def place(self) -> tuple[int, int]:
        return self.object, self.instance


def parse_path(name: str) -> Path | None:
    """The path that a resolved name is or ends with; None if it is any other name."""
    match = _PATH.fullmatch(name)
    if match is None:
        return None
    number = int(match["object"])
    if match["instance"] is None and number not in OBJECTS:
        return None  # two numbers after a name may be anything
    return Path(match["device"] or "", number, int(match["instance"] or 0), int(match["resource"]))


def metric_of(path: Path, unit: str) -> tuple[str, str]:
    """Metric and unit of a resource; the message's own unit has the say where it gives one."""
    metric, known_unit = _METRICS.get(path.key, ("", ""))
    if metric in _NEEDS_UNIT and not (unit or known_unit):
        return "", ""
    return metric, unit or known_unit
