"""What becomes of a command to a lamp: sent, answered, asked again, given up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from city.lighting import LEVEL_MAX, CommandState, LampAnswer, LampCommand
from wire import FORMATS
from wire.command import CannotCommand, Commanding, Downlink

# A lamp is asked so often before it counts as not answering.
ATTEMPTS_MAX = 3
# Steps of 254 and whole per cents do not meet exactly.
LEVEL_TOLERANCE_PCT = 2.0


class Ignored(StrEnum):
    """Why an answer changes nothing."""

    UNKNOWN = "unknown"  # a command that nobody gave
    OTHER_LAMP = "other_lamp"  # the command is another lamp's
    OVER = "over"  # the command has ended before


@dataclass(frozen=True, slots=True)
class Send:
    """Publish it, and look again at `due_at`."""

    downlink: Downlink
    due_at: datetime
    again: bool


@dataclass(frozen=True, slots=True)
class End:
    """The command is over."""

    state: CommandState
    detail: str = ""  # in words
    code: str = ""  # the same for screens that speak other languages, with a fact
    fact: str = ""


def encode(command: LampCommand) -> Downlink:
    """The message that gives a lamp this command, or `CannotCommand`."""
    return _commanding(command).encode(command)


def next_sending(command: LampCommand, now: datetime) -> Send | End:
    """What is done with a command whose time has come."""
    if command.attempts >= ATTEMPTS_MAX:
        return End(
            CommandState.TIMED_OUT, f"no answer to {command.attempts} sendings", "no_answer",
            str(command.attempts),
        )  # fmt: skip
    try:
        downlink = encode(command)
    except CannotCommand as error:
        return End(CommandState.FAILED, str(error), error.code, error.fact)
    due_at = now + _commanding(command).patience(command.report_interval_s)
    return Send(downlink, due_at, command.attempts > 0)


def _commanding(command: LampCommand) -> Commanding:
    known = FORMATS.get(command.lamp.format)
    if known is None or known.commanding is None:
        raise CannotCommand(
            f"format {command.lamp.format} cannot be commanded", "format", command.lamp.format
        )
    return known.commanding


def judge_answer(
    answer: LampAnswer, device_id: int, open_commands: Mapping[str, LampCommand],
    known: Mapping[str, tuple[int, int, str]],
) -> End | Ignored:  # fmt: skip
    """What a device's own answer does. `open_commands` by token, `known` all that there ever were
    of these tokens (command, device, state)."""
    if answer.token not in known:
        return Ignored.UNKNOWN
    if known[answer.token][1] != device_id:
        return Ignored.OTHER_LAMP
    command = open_commands.get(answer.token)
    if command is None or command.state is not CommandState.SENT:
        return Ignored.OVER
    if not answer.ok:
        why = answer.detail or "-"
        return End(CommandState.FAILED, f"the lamp refuses: {why}", "refused", why)
    if answer.level is not None and abs(answer.level - command.level) > LEVEL_TOLERANCE_PCT:
        return End(
            CommandState.FAILED,
            f"the lamp went to {answer.level:g} % instead of {command.level} %",
            "other_level", f"{answer.level:g}",
        )  # fmt: skip
    return End(CommandState.ACKNOWLEDGED, "the lamp's answer", "answer")


def judge_state(command: LampCommand, lamp_on: float | None, dim_pct: float | None) -> End | None:
    """What the state does that a lamp reported after it was commanded. One that does not fit may
    be from just before: the answer is waited for."""
    if command.state is not CommandState.SENT:
        return None
    if command.level == 0:
        fits = lamp_on == 0 or (lamp_on is None and dim_pct == 0)
    elif dim_pct is not None:
        fits = lamp_on != 0 and abs(dim_pct - command.level) <= LEVEL_TOLERANCE_PCT
    else:
        # Only that it is on: that says how bright where there is nothing between.
        fits = lamp_on == 1 and command.level == LEVEL_MAX
    if not fits:
        return None
    return End(CommandState.ACKNOWLEDGED, "the state it reported", "state")
