"""Lamps that obey: a command on the native topic is answered, and reported by what they measure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from db.seeds.simulated import SimulatedDevice
from simulator import messages, weather
from simulator.cast import Cast
from simulator.messages import Message
from simulator.model import STANDBY_W, Values, measure

COMMANDS = "city/v1/+/light/+/command"


class LampOrders:
    """What lamps were told, until dusk or dawn bring their own next step. Commands come in on a
    thread of their own; each is one assignment to a dictionary."""

    def __init__(self, cast: Cast, seed: int) -> None:
        self._cast, self._seed = cast, seed
        self._told: dict[str, tuple[int, bool]] = {}
        self._in_trouble: Mapping[str, Sequence[Any]] = {}

    def watch(self, in_trouble: Mapping[str, Sequence[Any]]) -> None:
        """Lamps with something under way are without power, or worse: they do not answer."""
        self._in_trouble = in_trouble

    def obey(self, topic: str, payload: bytes, at: datetime) -> list[Message]:
        """The answer of the lamp, and what it measures now; nothing where it cannot."""
        code = topic.split("/")[4]
        device = self._cast.by_code.get(code)
        if device is None or device.kind != "light" or self._in_trouble.get(code):
            return []
        try:
            body = json.loads(payload)
            number, level = str(body["id"]), int(body["level"])
        except (ValueError, TypeError, KeyError):
            return []
        if not 0 <= level <= 100:
            return [_answer(topic, {"id": number, "ok": False, "error": "level"}, at)]
        self._told[code] = level, weather.lamps_due(at, self._cast.centre)
        values = self.change(device, measure(self._seed, device, at, self._cast.centre), at)
        answer = {"id": number, "ok": True, "level": level}
        return [_answer(topic, answer, at), messages.telemetry(device, values, at)]

    def change(self, device: SimulatedDevice, values: Values, at: datetime) -> Values:
        """What a lamp measures at the level that it was told."""
        told = self._told.get(device.code)
        if told is None:
            return values
        level, was_due = told
        if weather.lamps_due(at, self._cast.centre) != was_due:
            self._told.pop(device.code, None)
            return values
        rated = float(device.attributes.get("rated_power_w", 150))
        power = round(rated * level / 100, 2) if level else STANDBY_W
        voltage = values.get("voltage_v", 230.0)
        return values | {
            "lamp_on": 1.0 if level else 0.0,
            "dim_pct": float(level),
            "power_w": power,
            "current_a": round(power / (voltage * 0.95), 2),
        }


def _answer(topic: str, body: dict[str, Any], at: datetime) -> Message:
    return Message(at, f"{topic}/ack", json.dumps(body, separators=(",", ":")).encode())
