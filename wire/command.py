"""Commands to lamps: what a format needs to encode one, and what it says of its answers. Pure.

A format that can command lamps has a `Commanding` in its `Format`; its encoder stands beside its
decoder. A lamp's own switch is `dimmable = false` among the attributes of the device, where it
can be only on or off.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from city.errors import GridwardenError
from city.lighting import Lamp, LampCommand
from wire.models import load_model

# A frame waits for the lamp's next uplink, and for its answer in the one after that.
UPLINKS_WAITED = 2
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=2), timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Downlink:
    """A message to publish. `topic` is as the format fixes it, or below the feed's levels."""

    topic: str
    payload: bytes
    qos: int = 1


class CannotCommand(GridwardenError):
    """This lamp cannot be given this command; says what is missing, by name. `code` and `fact` say
    the same for screens that speak other languages."""

    def __init__(self, problem: str, code: str, fact: str = "") -> None:
        super().__init__(problem)
        self.code, self.fact = code, fact


@dataclass(frozen=True, slots=True)
class Commanding:
    """How lamps of a format are commanded. `answers` within so many seconds of a command, or with
    its uplinks (None). `acknowledges`: by a message of its own; others say it by their state."""

    encode: Callable[[LampCommand], Downlink]
    answers_s: float | None
    acknowledges: bool = False

    def patience(self, report_interval_s: int) -> timedelta:
        """How long an answer is waited for before the command is sent again."""
        if self.answers_s is not None:
            return timedelta(seconds=self.answers_s)
        wait = UPLINKS_WAITED * timedelta(seconds=report_interval_s)
        return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def is_dimmable(command: LampCommand) -> bool:
    """Whether the level can be anything between; refuses one that the lamp cannot have."""
    dimmable = command.lamp.attributes.get("dimmable") is not False
    if not dimmable and 0 < command.level < 100:
        raise CannotCommand(
            f"lamp {command.lamp.code} can only be on or off (attribute dimmable is false):"
            f" level {command.level}",
            "not_dimmable", str(command.level),
        )  # fmt: skip
    return dimmable


def needed_attribute(lamp: Lamp, name: str) -> str:
    """An attribute of the device that its topics are made of."""
    value = lamp.attributes.get(name)
    if not isinstance(value, str) or not value or any(sign in value for sign in "+#\0"):
        raise CannotCommand(
            f"lamp {lamp.code} needs the attribute {name} (a text) to be commanded",
            "attribute", name,
        )  # fmt: skip
    return value


def identity_of(lamp: Lamp) -> str:
    """The lamp's name inside its format, without the levels of an added feed."""
    name = lamp.external_id or lamp.code
    if lamp.base and name.startswith(f"{lamp.base}/"):
        name = name[len(lamp.base) + 1 :]
    if any(sign in name for sign in "+#\0"):
        raise CannotCommand(
            f"lamp {lamp.code} has an identity that no topic may hold: {name!r}", "identity", name
        )
    return name


def below_feed(lamp: Lamp, topic: str) -> str:
    """A topic of a format without levels of its own, as the lamp's feed has it."""
    return f"{lamp.base}/{topic}" if lamp.base else topic


def channel_of(lamp: Lamp) -> int:
    """Which output of a device with several is the lamp: attribute `channel`, from 0."""
    channel = lamp.attributes.get("channel", 0)
    if type(channel) is not int or not 0 <= channel <= 15:
        raise CannotCommand(
            f"lamp {lamp.code}: attribute channel must be 0 to 15: {channel!r}",
            "attribute", "channel",
        )  # fmt: skip
    return channel


def frame_of(command: LampCommand) -> tuple[int, bytes]:
    """Port and bytes for a lamp controller that speaks LoRaWAN, as its device model says."""
    lamp = command.lamp
    model = load_model(lamp.model) if lamp.model else None
    if model is None or model.command is None:
        name = lamp.model or "without a name"
        raise CannotCommand(
            f"this model cannot be commanded: {name} has no [command] in its file", "model", name
        )
    is_dimmable(command)
    return model.command.f_port, model.command.frame(command.level)


def as_json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
