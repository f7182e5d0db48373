"""Whether a lamp should be lit at a moment: by its programme, else by the sun, unless a person has
switched it off since. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.clock import WorkCalendar
from city.lamp_programme import Programme, StepAt, last_step
from city.lighting import FollowingLamp, TargetKind
from city.place import LonLat
from city.sun import is_dark

# The narrower one counts.
ORDER_OF_KINDS = (TargetKind.LAMP, TargetKind.CABINET, TargetKind.STREET, TargetKind.DISTRICT)

Key = tuple[str, str]
# When a lamp was switched off by a person, and until when that was meant.
Off = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Followed:
    """What the lamps of a district should do: programmes by code, and which of them each lamp
    follows through which assignment."""

    programmes: Mapping[str, Programme]
    assigned: Mapping[Key, str]
    calendar: WorkCalendar

    def key_of(self, lamp: FollowingLamp) -> Key | None:
        """The assignment by which a lamp has its programme."""
        return next((key for key in keys_of(lamp) if key in self.assigned), None)

    def programme_of(self, lamp: FollowingLamp) -> Programme | None:
        key = self.key_of(lamp)
        return None if key is None else self.programmes.get(self.assigned[key])

    def step_of(self, lamp: FollowingLamp, at: datetime) -> StepAt | None:
        """The step of its programme that this lamp is in; None: it follows none."""
        programme = self.programme_of(lamp)
        if programme is None:
            return None
        return last_step(programme, LonLat(lamp.lon, lamp.lat), at, self.calendar)


def keys_of(lamp: FollowingLamp) -> list[Key]:
    names = (lamp.code, lamp.cabinet, lamp.street, "")
    return [
        (kind.value, name)
        for kind, name in zip(ORDER_OF_KINDS, names, strict=True)
        if name or kind is TargetKind.DISTRICT
    ]


@dataclass(frozen=True, slots=True)
class Due:
    """`level` is the programme's, None where the sun decides; `since` is when its step began."""

    programme: str
    level: int | None
    lit: bool
    since: datetime | None


class DueLamps:
    """What lamps should do at some moments; those of one programme and place share the answer."""

    def __init__(self, followed: Followed, off: Mapping[int, Sequence[Off]]) -> None:
        self._followed, self._off = followed, off
        self._known: dict[tuple[str, float, float, datetime], Due] = {}
        self._at_checks: dict[tuple[str, float, float], list[bool]] = {}

    def of(self, lamp: FollowingLamp, at: datetime) -> Due:
        """What the programme or the sun says."""
        programme = self._followed.programme_of(lamp)
        code = programme.code if programme else ""
        key = (code, round(lamp.lon, 2), round(lamp.lat, 2), at)
        if key not in self._known:
            step = self._followed.step_of(lamp, at)
            lit = is_dark(at, LonLat(lamp.lon, lamp.lat)) if step is None else step.level > 0
            self._known[key] = Due(
                code, step.level if step else None, lit, step.at if step else None
            )
        return self._known[key]

    def is_due(self, lamp: FollowingLamp, at: datetime) -> bool:
        """Whether it should be lit: not if a person switched it off after the last step."""
        due = self.of(lamp, at)
        return due.lit and not any(
            begun <= at
            and (until is None or until > at)
            and (due.since is None or begun > due.since)
            for begun, until in self._off.get(lamp.id, ())
        )

    def at_checks(self, lamp: FollowingLamp, checks: Sequence[datetime]) -> list[bool]:
        """The same for all checks of one night. A lamp that nobody switched off is due when the
        others of its programme and place are."""
        if lamp.id in self._off:
            return [self.is_due(lamp, at) for at in checks]
        programme = self._followed.programme_of(lamp)
        key = (programme.code if programme else "", round(lamp.lon, 2), round(lamp.lat, 2))
        if key not in self._at_checks:
            self._at_checks[key] = [self.is_due(lamp, at) for at in checks]
        return self._at_checks[key]
