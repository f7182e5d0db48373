"""The stages of the way from sensor to screen, and the beat of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# What the clock of the city must do every second or so: the names of TICKED, each for itself.
TIMERS, DEADLINES = "alarm timers", "deadlines"


class Stage(StrEnum):
    """The way of a reading, and the clock beside it."""

    RECEIVED = "received"  # the inbox listens at the broker
    COMMITTED = "committed"  # received messages are stored
    JUDGED = "judged"  # stored readings become alarms
    DISPATCHED = "dispatched"  # alarms become incidents
    TICKED = "ticked"  # deadlines, delays and silence run out


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest of one process; ages in seconds by the database's clock when it was read."""

    stage: Stage
    name: str
    age_s: float
    connected: bool
    connected_age_s: float | None  # since the newest beat with a connection
    newest_age_s: float | None  # since the newest message was received
    waiting_s: float | None  # since the oldest message that it holds was received


@dataclass(frozen=True, slots=True)
class Waiting:
    """Seconds since the oldest row was handed to a stage that has not taken it; None: none is."""

    judging_s: float | None
    dispatching_s: float | None


@dataclass(frozen=True, slots=True)
class Usual:
    """How often something comes here, in seconds: how often the second fastest device that is
    heard reports (None: fewer than two are; one alone proves nothing about the rest), and the
    longest pause of the last hour (None: we have not listened for so long)."""

    interval_s: float | None
    longest_pause_s: float | None
